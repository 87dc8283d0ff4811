"""One evaluation over the workers of a cluster; the journal of this process stays the only truth.

Tasks read and prepare images, workers measure them, and this process writes each result to the journal as it comes.
What a worker or a node had in hand when it died is given to another one. So many images are on their way at once as
the workers need, whatever the number of all, so that memory does not grow with it.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import torch

from vitok_lib.errors import RequestError, error_text
from vitok_lib.images.ahead import MAX_BYTES
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.measure.cluster.connection import OF_A_PREPARING_TASK, Share, connect, living_nodes, share_of
from vitok_lib.measure.cluster.preparing import prepare
from vitok_lib.measure.cluster.worker import Answer, Worker
from vitok_lib.measure.common.context import Context, Log
from vitok_lib.measure.quality.journal import Journal, read_journal
from vitok_lib.measure.quality.request import Request
from vitok_lib.measure.quality.runner import Limits, Run
from vitok_lib.records.schema import Outcome, OutcomeStatus

_AT_A_WORKER = 2  # chunks: one is measured while the pixels of the next one come
_MOST_AHEAD = 16  # images on their way for each worker
_DEATHS = 3  # of processes that had an image in hand, after which it is not tried again
_IN_A_ROW = 3  # images that ran out of memory, or have no result after that, after which no other is tried
_CHECK = 5.0  # seconds between two looks at the nodes while nothing else happens
_PATIENCE = 60.0  # seconds that a cluster without room for a worker may take to get a node


class NotLoadedError(RequestError):
    """A worker cannot load the tokenizer; it may load another one."""


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that measures instead of this process; ``address`` is ``"local"`` for one of this machine.

    There is one worker for each of ``gpus`` (None: all that the cluster has), or ``workers`` that share them. On a CPU
    there is one for each node, or ``workers`` with equally many cores. What the worker's process imports, the images
    and the weights have to be on every node; the results folder only here.
    """

    address: str = "local"
    gpus: int | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("gpus", self.gpus), ("workers", self.workers)):
            if value is not None and value < 1:
                raise RequestError(f"{name} (={value}) must be at least 1, or left out")

    def run(self, request: Request, journal: Journal, limits: Limits, context: Context) -> Run:
        """A run of ``request`` on this cluster, which is joined when there is something to measure."""
        return _Run(None, request, journal, limits, context.progress, cluster=self, log=context.log)


@dataclass
class _Chunk:
    """Images that are measured by one call, with the pixels that tasks prepare of them."""

    entries: Sequence[ManifestEntry]
    pixels: list[Any]
    deaths: int = 0


@dataclass(eq=False)
class _Hand:
    """A worker as this process sees it, and the chunks that it was given, the first one given first."""

    actor: Any
    chunks: dict[Any, _Chunk] = field(default_factory=dict)


@dataclass
class _Run(Run):
    """A run whose images the workers of ``cluster`` measure."""

    cluster: Cluster = field(default_factory=Cluster)
    log: Log = print

    def _go_through(self, todo: Sequence[ManifestEntry]) -> Outcome | None:
        ray = connect(self.cluster.address)
        share = share_of(living_nodes(ray), self.request.device, self.cluster.gpus, self.cluster.workers)
        dispatch = _Dispatch(ray, self, share, todo)
        try:
            with redirect_stdout(sys.stderr):  # where Ray prints what dies; stdout is for results
                return dispatch.run()
        except RequestError as error:
            entries, kept = self.request.entries, read_journal(self.request.journal_path, self.request.key).results
            lacking = sum(entry.sha256 not in kept for entry in entries)
            raise type(error)(
                f"{error}; {lacking} of {len(entries)} images have no result yet; the same command goes on with them",
                code=error.code,
            ) from error
        finally:
            dispatch.end()

    def take(self, answer: Answer) -> None:
        """Keep what a worker measured."""
        self.stages.add(answer.stages)
        limit = answer.batch_limit
        if limit is not None and limit < (self.journal.batch_limit or self.request.batch):
            self.journal.limit_batch(limit)
        if answer.results:
            self.journal.append(answer.results, answer.seconds)
            self._done += sum(self._copies[sha256] for sha256 in answer.results)
            self._slowest = max(self._slowest, answer.seconds)
            self._report()

    def over(self) -> Outcome | None:
        """The outcome of a run whose time is over; None while it is not."""
        return self._timeout() if self._is_out_of_time() else None


class _Dispatch:
    """Chunks of images on their way: waiting, being prepared, at a worker, measured."""

    def __init__(self, ray: Any, run: _Run, share: Share, todo: Sequence[ManifestEntry]) -> None:
        self._ray, self._run, self._share = ray, run, share
        request = run.request
        size = request.batch
        self._waiting = deque(todo[start : start + size] for start in range(0, len(todo), size))
        ahead = min(_MOST_AHEAD, MAX_BYTES // (3 * request.resolution**2))
        self._ahead = share.workers * max(_AT_A_WORKER, ahead // size)
        self._prepared: deque[_Chunk] = deque()
        self._starting: dict[Any, _Hand] = {}
        self._hands: list[_Hand] = []
        self._stopped: Outcome | None = None
        self._out_of_memory: list[Outcome] = []
        self._in_a_row = 0
        self._failed_starts = 0
        self._given_up: dict[str, Exception] = {}
        self._given_up_in_a_row = 0
        self._without_room: float | None = None
        self._looked = time.monotonic()
        self._wanted = min(share.workers, len(self._waiting))
        self._image_set, self._request = ray.put(request.image_set), ray.put(request)
        self._prepare = ray.remote(num_cpus=OF_A_PREPARING_TASK)(prepare)
        self._worker = ray.remote(**share.resources, max_restarts=0, scheduling_strategy="SPREAD")(Worker)

    def run(self) -> Outcome | None:
        """None once every image has a result; otherwise what stopped the run."""
        self._replace()
        while self._is_going_on():
            if self._stopped is None:
                self._fill()
            pending = [*self._starting, *(ref for hand in self._hands for ref in hand.chunks)]
            ready: list[Any] = []
            if pending:
                ready, _ = self._ray.wait(pending, num_returns=1, timeout=_CHECK)
            else:
                time.sleep(_CHECK)
            for ref in ready:
                if ref in self._starting:
                    self._started(ref)
                    continue
                hand = next((hand for hand in self._hands if ref in hand.chunks), None)
                if hand is not None:  # not of a worker that died with it meanwhile
                    self._ended(hand, ref)
            if time.monotonic() - self._looked > _CHECK:
                self._look_for_room()
        return self._outcome()

    def end(self) -> None:
        """The workers go; what they hold of GPUs and memory is free again."""
        for hand in (*self._hands, *self._starting.values()):
            self._ray.kill(hand.actor)

    def _is_going_on(self) -> bool:
        at_workers = any(hand.chunks for hand in self._hands)
        if self._stopped is None:
            self._stopped = self._run.over()
        return at_workers if self._stopped else bool(at_workers or self._prepared or self._waiting)

    @property
    def _on_their_way(self) -> int:
        return len(self._prepared) + sum(len(hand.chunks) for hand in self._hands)

    def _fill(self) -> None:
        """Have images prepared, and give each worker what it can take."""
        for _ in range(min(len(self._waiting), self._ahead - self._on_their_way)):
            self._prepared.append(self._chunk(self._waiting.popleft()))
        for _ in range(_AT_A_WORKER):  # one for each, then a second one
            for hand in sorted(self._hands, key=lambda hand: len(hand.chunks)):
                if self._prepared and len(hand.chunks) < _AT_A_WORKER:
                    chunk = self._prepared.popleft()
                    hand.chunks[hand.actor.measure.remote(chunk.entries, *chunk.pixels)] = chunk

    def _chunk(self, entries: Sequence[ManifestEntry], deaths: int = 0) -> _Chunk:
        resolution = self._run.request.resolution
        pixels = [self._prepare.remote(self._image_set, entry, resolution) for entry in entries]
        return _Chunk(entries, pixels, deaths)

    def _replace(self) -> None:
        """Start the workers that are missing, no more than have room next to tasks: those would wait for ever."""
        room = sum(self._share.room(node) for node in living_nodes(self._ray))
        for _ in range(min(self._wanted, room) - len(self._hands) - len(self._starting)):
            self._start()

    def _start(self) -> None:
        limits = Limits(smaller_batch=self._run.limits.smaller_batch)
        # As many as here where the cores allow it: torch adds in another order with another number of threads.
        threads = min(self._share.cores, torch.get_num_threads())
        actor = self._worker.remote(self._request, limits, self._run.journal.batch_limit, threads)
        self._starting[actor.load.remote()] = _Hand(actor)

    def _started(self, ref: Any) -> None:
        """A worker has loaded its tokenizer, or could not."""
        hand = self._starting.pop(ref)
        try:
            told = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            refused = _as_request(error, "a worker cannot load the tokenizer")
            raise NotLoadedError(str(refused), code=refused.code) from error
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= _DEATHS * self._share.workers:  # a node that dies takes all of its own along
                raise RequestError(f"workers die while they load the tokenizer ({_reason(error)})") from error
            self._say(
                f"a worker was lost while it loaded the tokenizer ({_reason(error)}); another one takes its place"
            )
            self._replace()
            return
        self._failed_starts = 0
        self._hands.append(hand)
        self._run.host = self._run.host or told.host
        assert isinstance(self._run.journal, Journal)
        self._run.journal.note(told.loaded)

    def _ended(self, hand: _Hand, ref: Any) -> None:
        """A call of a worker has ended, in an answer or otherwise."""
        try:
            answer: Answer = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            if not isinstance(error.cause, self._ray.exceptions.RayError):
                raise _as_request(error, "an image cannot be measured") from error
            self._again(hand.chunks.pop(ref), error.cause)
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.OutOfMemoryError) as error:
            self._died(hand, error)  # Ray ends a worker, too, when the memory of its node runs out
        except self._ray.exceptions.RayError as error:
            self._again(hand.chunks.pop(ref), error)
        else:
            del hand.chunks[ref]
            self._run.take(answer)
            self._count(answer)

    def _count(self, answer: Answer) -> None:
        """Out of memory is an image's outcome; another one stops the run."""
        self._given_up_in_a_row = 0
        if answer.stopped is None:
            self._in_a_row = 0
        elif answer.stopped.status is OutcomeStatus.OOM:
            self._out_of_memory.append(answer.stopped)
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW:
                self._stopped = self._out_of_memory[0]
        else:
            self._stopped = answer.stopped

    def _died(self, hand: _Hand, error: Exception) -> None:
        """What a worker had in hand goes to others, and another worker takes its place."""
        self._hands.remove(hand)
        self._ray.kill(hand.actor)  # one that only did not answer would measure on and hold its GPU
        first, *others = hand.chunks.values()
        self._prepared.extendleft(reversed(others))
        self._again(first, error)
        self._say(f"a worker was lost ({_reason(error)}); its images go to another one")
        if self._stopped is None:
            self._replace()

    def _again(self, chunk: _Chunk, error: Exception) -> None:
        """Prepare the images of ``chunk`` anew, since the failure may be that of their pixels, and measure them."""
        if isinstance(error, self._ray.exceptions.OutOfDiskError) and self._on_their_way:
            self._ahead = self._on_their_way  # no more than these has room where pixels are kept
            self._waiting.appendleft(chunk.entries)
            return
        deaths = chunk.deaths + 1
        if deaths < _DEATHS:
            # The last attempt is each image's own, as with any failure of a batch.
            parts = [chunk.entries] if deaths < _DEATHS - 1 else [[entry] for entry in chunk.entries]
            self._prepared.extendleft(self._chunk(entries, deaths) for entries in reversed(parts))
            return
        self._given_up |= {entry.name: error for entry in chunk.entries}
        self._given_up_in_a_row += 1
        if self._given_up_in_a_row >= _IN_A_ROW:
            self._stopped = self._without_result()

    def _say(self, sentence: str) -> None:
        self._run.log(f"{self._run.request.tokenizer.name}: {sentence}")

    def _look_for_room(self) -> None:
        """Use what nodes have come; where none could hold a worker, the run cannot go on.

        Raises:
            RequestError: that has been so for a minute.
        """
        self._looked = now = time.monotonic()
        if self._stopped is None:
            self._replace()
        if self._hands or self._starting:
            self._without_room = None
            return
        self._without_room = self._without_room or now
        if now - self._without_room > _PATIENCE:
            raise RequestError(
                f"no node of the cluster is left that has the {self._share.cores} CPU cores and {self._share.gpus:g} "
                "GPUs of a worker"
            )

    def _outcome(self) -> Outcome | None:
        memory = self._out_of_memory
        stopped = self._stopped or (memory[0] if memory else None)
        if stopped is None:
            return self._without_result() if self._given_up else None
        said = [stopped.detail]
        if stopped.status is OutcomeStatus.OOM and len(memory) > 1:
            said.append(f"and so did {len(memory) - 1} other images")
        if self._given_up and self._stopped is None:
            said.append(self._without_result().detail)
        return stopped.model_copy(update={"detail": "; ".join(filter(None, said))})

    def _without_result(self) -> Outcome:
        named = "; ".join(f"{name}: {_reason(error)}" for name, error in list(self._given_up.items())[:3])
        count = f"{len(self._given_up)} images have" if len(self._given_up) > 1 else "1 image has"
        detail = f"{count} no result after {_DEATHS} attempts each: {named}"
        memory = all(isinstance(error, self._ray.exceptions.OutOfMemoryError) for error in self._given_up.values())
        return Outcome(status=OutcomeStatus.OOM if memory else OutcomeStatus.ERROR, detail=detail)


def _as_request(error: Any, what: str) -> RequestError:
    """The request error that a worker or task raised; any other error in words."""
    cause = error.cause
    if isinstance(cause, RequestError):
        return cause
    return RequestError(f"{what}: {type(cause).__name__}: {error_text(cause)}")


def _reason(error: Exception) -> str:
    """The first sentence of what Ray says of a failure; it goes on for a page."""
    names = {
        "OutOfDiskError": "the disk of a node is full",
        "OutOfMemoryError": "the memory of its node ran out",
        "NodeDiedError": "its node died",
    }
    known = names.get(type(error).__name__)
    if known is None and "node" in str(error).lower() and "died" in str(error).lower():
        known = "its process or node died"
    return known or f"{type(error).__name__}: {error_text(error).partition('. ')[0][:150]}"
