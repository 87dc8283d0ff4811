"""What runs in a worker of a cluster: a process that holds one tokenizer and measures the images it is given."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from vitok_lib.errors import RequestError
from vitok_lib.images.ahead import Loaded
from vitok_lib.images.manifest import ManifestEntry
from vitok_lib.measure.quality.evaluate import paired_with
from vitok_lib.measure.quality.journal import Result
from vitok_lib.measure.quality.metric_suite import MetricSuite
from vitok_lib.measure.quality.recording import loaded_of
from vitok_lib.measure.quality.request import Request
from vitok_lib.measure.quality.runner import Limits, Run
from vitok_lib.records.provenance import describe_host
from vitok_lib.records.schema import Host, Outcome
from vitok_lib.tokenizers.load import load


@dataclass(frozen=True)
class Ready:
    """What a worker tells once its tokenizer is loaded: what a record says of it, and of its machine."""

    loaded: dict[str, Any]
    host: Host


@dataclass
class Answer:
    """What became of some images: the result of each that was measured, and what stopped the others."""

    results: dict[str, Result] = field(default_factory=dict)
    seconds: float = 0.0
    batch_limit: int | None = None
    stopped: Outcome | None = None
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass
class _Kept:
    """What a worker has measured: in full until it is sent, and then only how large it was."""

    batch_limit: int | None
    results: dict[str, Result] = field(default_factory=dict)
    unsent: dict[str, Result] = field(default_factory=dict)

    def append(self, results: dict[str, Result], seconds: float = 0.0) -> None:
        self.unsent |= results
        sizes = ("batch", "height", "width")
        fitting = {image: result for image, result in results.items() if "error" not in result}
        self.results |= {image: {name: result[name] for name in sizes} for image, result in fitting.items()}

    def limit_batch(self, size: int) -> None:
        self.batch_limit = size


class Worker:
    """One tokenizer and its metrics, which measure whatever images they are given as a run in one process does."""

    def __init__(self, request: Request, limits: Limits, batch_limit: int | None, threads: int) -> None:
        torch.set_num_threads(threads)
        self._request = request
        self._kept = _Kept(batch_limit)
        self._limits = limits

    def load(self) -> Ready:
        """Load the tokenizer and the metrics.

        Raises:
            RequestError: they cannot be had on this machine, or are others than those that were asked for.
        """
        request = self._request
        tokenizer = load(request.requested)
        settings = tokenizer.settings.model_copy(update={"batch": request.batch})
        here = replace(request, tokenizer=tokenizer.spec.identity(tokenizer.weights), settings=settings)
        if here.key != request.key:
            raise RequestError(
                f"{request.tokenizer.name} on node '{platform.node()}' has other weights, settings or metrics than "
                "here; give every node the same weights and the same version of this library"
            )
        paired = paired_with(tokenizer, request)
        self._run = Run(paired, request, self._kept, self._limits, lambda done, total: None)
        self._suite = MetricSuite(paired, request.metrics, request.lines, request.device)
        return Ready(loaded_of(tokenizer), describe_host(request.device))

    def measure(self, entries: Sequence[ManifestEntry], *pixels: Loaded) -> Answer:
        """Measure images, whose ``pixels`` are ``[H, W, 3]``, or an error where one cannot be read."""
        began = time.monotonic()
        stopped = self._run.measure(self._suite, iter(zip(entries, pixels, strict=True)))
        answer = Answer(
            self._kept.unsent, time.monotonic() - began, self._kept.batch_limit, stopped, self._suite.stages.take()
        )
        self._kept.unsent = {}
        return answer
