"""The state of one configuration in a benchmark: loaded, run, timed, and failing for itself alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitok_lib.cost.flops import Flops, vitok_flops
from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.device_memory import allocated_bytes, free
from vitok_lib.measure.common.outcomes import Batch, failure_of, is_gpu_lost, outcome_of
from vitok_lib.measure.common.random_images import noise_identity
from vitok_lib.measure.common.reuse import Asked
from vitok_lib.measure.speed.compile_stats import cudagraph_skips_so_far, graphs_so_far
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import ImagesIdentity, Outcome, OutcomeStatus, Value
from vitok_lib.records.store import record_path
from vitok_lib.tokenizers.identify import unloaded_weights
from vitok_lib.tokenizers.interface import Tokenizer, choices_of
from vitok_lib.tokenizers.load import check_device, checked, load
from vitok_lib.tokenizers.outputs import check_finite, check_latent, check_output
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import check_runs, describe, find
from vitok_lib.tokenizers.tiles import cut
from vitok_lib.tokenizers.vitok.graphs import LAUNCH_BOUND
from vitok_lib.tokenizers.vitok.running import CAPTURING_MODES
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

_UNSAID = ("device", "batch", "weights", "seed")
"""Settings that are the same in a run, or nearly always."""


@dataclass(frozen=True)
class Sample:
    """One timed call of the round ``number``; ``clock_mhz`` at the end of the round, while the GPU works."""

    number: int
    stage: str
    milliseconds: float
    clock_mhz: float | None


def size_of(resolution: int, height: int | None, width: int | None) -> tuple[int, int]:
    """Height and width in pixels, of which None stands for ``resolution``; RequestError if that is not the longer."""
    check_resolution(resolution)
    size = (resolution if height is None else height, resolution if width is None else width)
    if min(size) < 1 or max(size) != resolution:
        raise RequestError(f"resolution (={resolution}) must be the longer side of {size[0]} × {size[1]} pixels")
    return size


@dataclass
class BenchmarkState:
    """A configuration with the batch that it is measured on, and what is known of it so far.

    ``tokenizer`` is None before it is loaded and after it is dropped. ``baseline`` is the configuration that it is
    compared with, None for one that runs alone. ``finished`` says that all of its rounds are timed, so that what fails
    later does not spoil them, unless a ``fault`` is found. ``cudagraph_skips`` counts the graphs that torch.compile was
    to replay as CUDA graphs, and did not.

    Raises:
        RequestError: the tokenizer or its preset is not known, or a setting does not apply to it.
    """

    config: RunConfig
    height: int
    width: int
    benchmark: str
    study: str
    baseline: BenchmarkState | None = None
    tokenizer: Tokenizer | None = None
    finished: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    choices: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    held_bytes: int = 0
    peak_bytes: int | None = None
    compile_seconds: float = 0.0
    graphs: int = 0
    recompilations: int = 0
    cudagraph_skips: int = 0
    fault: Outcome | None = None
    steady_milliseconds: float = math.inf
    """Of one call after warming up, for the whole batch."""

    def __post_init__(self) -> None:
        self.device = self.config.device  # where the images are, also those of a codec, which runs on the CPU
        check_runs(self.config.name)
        self.config = checked(self.config)
        entry, self.spec = find(self.config.name), describe(self.config.name, self.config.blocks)
        self.variant: Variant | None = None
        if entry.family == "vitok":
            self.variant = parse_variant(entry.architecture).truncated(self.config.blocks)
        self.weights = unloaded_weights(self.config)
        self.settings = self.config.settings
        try:
            self.settings = resolve(self.config).settings
        except UnsupportedError as error:
            self._fail(error)

    def __str__(self) -> str:
        named = {name: value for name, value in self.config.options.items() if name not in _UNSAID}
        settings = "".join(f"{value if name == 'preset' else f'{name} {value}'}, " for name, value in named.items())
        return f"{self.config.name} ({settings}{self.height} × {self.width} px)"

    @property
    def running(self) -> bool:
        return self.tokenizer is not None

    @property
    def work(self) -> Flops | None:
        """FLOPs of one image by formula, of one in tiles those of all its tiles; None of what is no ViTok."""
        if self.variant is None:
            return None
        tiles, height, width = cut(self.height, self.width, self.settings.tile, self.variant.patch)
        return vitok_flops(self.variant, height, width, self.settings.window, tiles)

    @property
    def batch(self) -> Batch:
        return Batch(self.config.batch, self.height, self.width)

    @property
    def resolution(self) -> int:
        """The longest side in pixels."""
        return max(self.height, self.width)

    @property
    def images(self) -> ImagesIdentity:
        return noise_identity(*self.batch)

    @property
    def asked(self) -> Asked:
        """What a record must be of to answer."""
        identity = self.spec.identity(self.weights)
        return Asked(self.config, identity, self.settings, self.images, device=self.device)

    @property
    def record_path(self) -> Path:
        size = None if self.height == self.width else f"{self.height}x{self.width}"
        suffix = self.config.suffix(self.weights, size=size)
        return record_path(self.study, self.benchmark, self.resolution, self.spec.name, suffix)

    def load(self) -> None:
        """Raises RequestError where the request is wrong; any other failure is this configuration's outcome."""
        if self.outcome.status is not OutcomeStatus.OK:
            return
        with self.trying():
            check_device(self.device)
            before = allocated_bytes(self.device)
            tokenizer = load(self.config)
            self.tokenizer, self.spec, self.weights = tokenizer, tokenizer.spec, tokenizer.weights
            self.settings = tokenizer.settings.model_copy(update={"batch": self.config.batch})
            self.choices = choices_of(tokenizer)
            self.held_bytes = allocated_bytes(self.device) - before

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Work that may fail: how it did becomes the outcome, and the memory is free again."""
        try:
            yield
        except RequestError as error:
            if not is_gpu_lost():  # of which the device would be the wrong request
                raise
            self._fail(error)
        except Exception as error:  # a model raises what it likes
            self._fail(error)
        else:
            return
        free()  # here, since the error held on to the frames that it came through

    def timed(self, images: Tensor, clock: Clock) -> tuple[float, float]:
        """Milliseconds that encoding and decoding ``images`` take."""
        assert self.tokenizer is not None
        skipped = cudagraph_skips_so_far()
        latent, encoding = clock.time(_call(self.tokenizer.encode, images))
        check_latent(self.tokenizer, latent, images)
        output, decoding = clock.time(_call(self.tokenizer.decode, latent))
        check_output(self.tokenizer, output, images.shape)
        check_finite(output)
        self.cudagraph_skips += cudagraph_skips_so_far() - skipped
        return encoding, decoding

    def time_round(self, number: int, images: Tensor, clock: Clock, calls: int) -> None:
        """Encode and decode ``images`` so many times, each timed; nothing may be compiled meanwhile."""
        before = graphs_so_far()
        taken = [self.timed(images, clock) for _ in range(calls)]
        frequency = self._frequency_at_work(images, clock)
        self.recompilations += graphs_so_far() - before
        self.samples += [
            Sample(number, stage, milliseconds, frequency)
            for pair in taken
            for stage, milliseconds in zip(("encode", "decode"), pair, strict=True)
        ]

    def _frequency_at_work(self, images: Tensor, clock: Clock) -> float | None:
        """MHz while one more call, which is not timed, is queued on the GPU."""
        assert self.tokenizer is not None
        if not clock.on_gpu:
            return None
        self.tokenizer.encode(images)
        return clock.frequency()

    def cast(self, images: Tensor) -> Tensor:
        """The images in the dtype that this tokenizer works in, so that the cast is not timed."""
        return images.to(getattr(torch, self.settings.dtype or "float32"))

    @property
    def captures(self) -> bool:
        """Whether torch.compile is to record CUDA graphs; on a CPU it counts them as skipped, rightly."""
        return self.device.startswith("cuda") and self.settings.compile in CAPTURING_MODES

    @property
    def replays_graphs(self) -> bool:
        """Whether a CUDA graph is replayed, whose memory was taken when it was recorded."""
        if self.variant is None:
            return False
        _, height, width = cut(self.height, self.width, self.settings.tile, self.variant.patch)
        return bool(self.settings.graphs) and self.variant.tokens(height, width) * self.config.batch <= LAUNCH_BOUND

    def check(self) -> None:
        """Timings of something else than what was asked for are an error, however well they went."""
        mode = self.settings.compile
        if self.finished and mode is not None and self.graphs == 0:
            self._found(f"compile '{mode}' was asked for, and nothing was compiled: it ran as it is")
        elif self.recompilations:
            self._found(f"{self.recompilations} graphs were compiled while it was timed")
        elif self.cudagraph_skips and self.captures:
            count = self.cudagraph_skips
            self._found(f"compile '{mode}' was asked for, and torch skipped its CUDA graphs, {count} in all")
        if self.fault is not None:
            self.outcome = self.fault

    def _found(self, detail: str) -> None:
        self.fault = Outcome(status=OutcomeStatus.ERROR, detail=detail)

    def drop(self) -> None:
        """Let go of the tokenizer and of its memory."""
        drop([self])

    def _fail(self, error: Exception) -> None:
        self.tokenizer = None
        outcome = outcome_of(failure_of(error), self.device, self.batch)
        if self.finished:
            self.outcome = Outcome(detail=f"timed whole, and then: {outcome.detail}")
        else:
            self.outcome = outcome
            self.samples.clear()


def _call(function: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
    return lambda: function(argument)


def drop(states: Sequence[BenchmarkState]) -> None:
    """Let go of their tokenizers and of the memory that these take."""
    for state in states:
        state.tokenizer = None
    free()
