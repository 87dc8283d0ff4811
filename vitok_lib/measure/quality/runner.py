"""Taking a tokenizer through the images of a request, batch by batch, so that nothing measured is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.images.ahead import load_ahead
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.images.prepare import ImageError
from vitok_lib.measure.common.context import Context, Progress
from vitok_lib.measure.common.outcomes import Batch, Failure, failure_of, of_images, outcome_of
from vitok_lib.measure.quality.journal import Journal, Result
from vitok_lib.measure.quality.metric_suite import MetricSuite, Pixels
from vitok_lib.measure.quality.request import Request
from vitok_lib.measure.quality.stages import Stages
from vitok_lib.records.provenance import cores
from vitok_lib.records.schema import Host, Outcome, OutcomeStatus
from vitok_lib.tokenizers.folder import Paired
from vitok_lib.tokenizers.interface import Tokenizer

Loaded = tuple[ManifestEntry, Pixels]
MaybeLoaded = tuple[ManifestEntry, Pixels | ImageError]
_FAILURES_IN_A_ROW = 3
_MOST_WORKERS = 16


@dataclass(frozen=True)
class Limits:
    """How far a run may go.

    ``time_limit`` in seconds, None for none: a batch is not begun that would end after it, if it took as long as the
    slowest one before; the first is always begun, so that a run resumed often enough comes to its end.
    ``smaller_batch``: after running out of memory go on with half the batch. ``workers`` threads prepare images; None:
    as many as suit the device.
    """

    time_limit: float | None = None
    smaller_batch: bool = False
    workers: int | None = None


def workers_for(device: str) -> int:
    """Threads that prepare images for a tokenizer on ``device``, unless others are asked for.

    On a CPU two, since they take cores from the tokenizer; beside a GPU one for each core, of up to ``_MOST_WORKERS``:
    a PNG of 8192 px takes a core longer than a GPU takes for most sizes. Each holds a decoded image, 0.4 GiB of 8192².
    """
    return 2 if device == "cpu" else min(cores(), _MOST_WORKERS)


class Kept(Protocol):
    """What a run needs of the place where results of images are kept: a journal, or a worker's answer."""

    results: dict[str, Result]
    batch_limit: int | None

    def append(self, results: dict[str, Result], seconds: float = 0.0) -> None:
        """Keep the results of a batch, by the sha256 of each image, which took ``seconds`` together."""

    def limit_batch(self, size: int) -> None:
        """From here on no batch is larger than ``size``."""


@dataclass
class Run:
    """A tokenizer on its way through a request; ``journal`` keeps what each image gave.

    ``tokenizer`` is None where the journal has a result of every image, or where others measure them.
    ``host`` is then the machine that did. ``stages``: where the time went.
    """

    tokenizer: Tokenizer | Paired | None
    request: Request
    journal: Kept
    limits: Limits
    progress: Progress
    host: Host | None = None
    stages: Stages = field(default_factory=Stages)
    _started: float = field(default_factory=time.monotonic)
    _slowest: float = 0.0
    _failed_in_a_row: int = 0
    _done: int = 0
    _kept: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        # Images of equal content share one result, and each of them counts.
        self._copies = Counter(entry.sha256 for entry in self.request.entries)
        self._done = sum(self._copies[sha256] for sha256 in self.journal.results.keys() & self._copies.keys())

    def finish(self) -> Outcome:
        """Measure what the journal does not hold yet; how it ended."""
        entries = self.request.entries
        todo = {entry.sha256: entry for entry in entries if entry.sha256 not in self.journal.results}
        self._report()
        stopped = self._go_through(list(todo.values())) if todo else None
        failed = {
            entry.name: self.journal.results[entry.sha256]
            for entry in entries
            if "error" in self.journal.results.get(entry.sha256, {})
        }
        counts = {"total": len(entries), "done": self._done - len(failed), "failed": len(failed)}
        if stopped is not None:
            return stopped.model_copy(update=counts)
        if failed:
            failures = {
                name: Failure(OutcomeStatus(result["status"]), result["error"]) for name, result in failed.items()
            }
            return of_images(failures, len(entries)).model_copy(update=counts)
        return Outcome(detail=self._reduced()).model_copy(update=counts)

    def _go_through(self, todo: Sequence[ManifestEntry]) -> Outcome | None:
        """None once every image has a result; otherwise what stopped the run."""
        assert self.tokenizer is not None
        request = self.request
        try:
            suite = MetricSuite(self.tokenizer, request.metrics, request.lines, request.device)
        except Exception as error:
            failure, tried = failure_of(error), Batch(request.batch, request.resolution, request.resolution)
            if failure.status is not OutcomeStatus.OOM:
                raise
            return outcome_of(failure, request.device, tried, subject=", loading the networks of metrics for")
        asked = self.limits.workers
        workers = workers_for(request.settings.device or "cpu") if asked is None else asked
        loading = load_ahead(request.image_set, todo, request.resolution, workers)
        self.stages = suite.stages
        with closing(loading) as loaded:
            return self.measure(suite, self.stages.waiting(loaded))

    def measure(self, suite: MetricSuite, loaded: Iterator[MaybeLoaded]) -> Outcome | None:
        """Keep the result of each image of ``loaded``; None, or what stopped the run before the last one."""
        for batch in self._batches(loaded):
            stopped = self._measure(suite, batch)
            if stopped is not None:
                return stopped
        return None

    def _batches(self, loaded: Iterator[MaybeLoaded]) -> Iterator[list[Loaded]]:
        """Images of one size that follow one another; which ones go together depends on the images alone."""
        batch: list[Loaded] = []
        for entry, pixels in loaded:
            if isinstance(pixels, ImageError):
                self._keep_failure(entry, Failure(OutcomeStatus.ERROR, str(pixels)))
                continue
            if batch and batch[0][1].shape != pixels.shape:
                yield batch
                batch = []
            batch.append((entry, pixels))
            if len(batch) == self.request.batch:
                yield batch
                batch = []
        if batch:
            yield batch

    def _measure(self, suite: MetricSuite, batch: list[Loaded]) -> Outcome | None:
        """Measure ``batch`` in as many pieces as memory asks for."""
        rest = batch
        while rest:
            piece = rest[: min(self.request.batch, self.journal.batch_limit or self.request.batch)]
            if self._is_out_of_time():
                return self._timeout()
            began = time.monotonic()
            try:
                results = suite.measure([pixels for _, pixels in piece], [entry.name for entry, _ in piece])
            except RequestError:
                raise
            except Exception as error:
                failure = failure_of(error)
                if failure.status is not OutcomeStatus.OOM:
                    alone = isinstance(error, ImageError | UnsupportedError)
                    stopped = self._failed(suite, piece, failure, alone)
                    if stopped is not None:
                        return stopped
                elif self.limits.smaller_batch and len(piece) > 1:
                    self.journal.limit_batch(len(piece) // 2)
                    continue
                else:
                    return self._out_of_memory(failure, piece)
            else:
                self._failed_in_a_row = 0
                self._keep(piece, results)
            self._slowest = max(self._slowest, time.monotonic() - began)
            rest = rest[len(piece) :]
        return None

    def _failed(self, suite: MetricSuite, piece: list[Loaded], failure: Failure, alone: bool) -> Outcome | None:
        """A failure is one image's: of a batch each is tried by itself.

        Many in a row are the tokenizer's, unless they say no more than their own image, ``alone``.
        """
        if len(piece) > 1:
            for loaded in piece:
                stopped = self._measure(suite, [loaded])
                if stopped is not None:
                    return stopped
            return None
        entry = piece[0][0]
        self._keep_failure(entry, failure)
        if alone:
            return None
        self._failed_in_a_row += 1
        if self._failed_in_a_row < _FAILURES_IN_A_ROW:
            return None
        detail = f"{_FAILURES_IN_A_ROW} images in a row failed, the last one {entry.name}: {failure.detail}"
        return Outcome(status=OutcomeStatus.ERROR, detail=detail)

    def _keep(self, piece: list[Loaded], results: list[dict[str, Any]]) -> None:
        self._append({entry.sha256: result for (entry, _), result in zip(piece, results, strict=True)})

    def _keep_failure(self, entry: ManifestEntry, failure: Failure) -> None:
        self._append({entry.sha256: {"error": failure.detail, "status": failure.status.value}})

    def _append(self, results: dict[str, dict[str, Any]]) -> None:
        now = time.monotonic()
        self.journal.append(results, now - self._kept)
        self._kept = now
        self._done += sum(self._copies[sha256] for sha256 in results)
        self._report()

    def _report(self) -> None:
        self.progress(self._done, self._copies.total())

    def _is_out_of_time(self) -> bool:
        limit = self.limits.time_limit
        return limit is not None and self._slowest > 0 and time.monotonic() - self._started + self._slowest > limit

    def _timeout(self) -> Outcome:
        detail = f"the time limit of {self.limits.time_limit:g} s was reached; more time or --retry goes on from here"
        return Outcome(status=OutcomeStatus.TIMEOUT, detail=detail)

    def _out_of_memory(self, failure: Failure, piece: list[Loaded]) -> Outcome:
        largest = max(
            (result for result in self.journal.results.values() if "error" not in result),
            key=lambda result: int(result["batch"] * result["height"] * result["width"]),
            default=None,
        )
        fits = None if largest is None else Batch(largest["batch"], largest["height"], largest["width"])
        entry, pixels = piece[0]
        tried = Batch(len(piece), *pixels.shape[:2])
        return outcome_of(failure, self.request.device, tried, fits, subject=f" on image {entry.name},")

    def _reduced(self) -> str | None:
        if self.journal.batch_limit is None:
            return None
        return f"went on with batch {self.journal.batch_limit} after batch {self.request.batch} ran out of memory"


class Engine(Protocol):
    """What measures the images of a request elsewhere than in this process, such as on a cluster."""

    def run(self, request: Request, journal: Journal, limits: Limits, context: Context) -> Run:
        """A run whose images others measure, and whose results come to ``journal``."""
