"""Who takes part in a measurement of speed: a tokenizer on a path, loaded, run, and failing for itself alone."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitok_lib.errors import RequestError, UnsupportedError, unknown
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.outcomes import error_text, is_gpu_lost, is_out_of_memory, requested_bytes
from vitok_lib.measure.common.random_images import NAMED_BY_PATH, noise_identity, settings_text
from vitok_lib.measure.speed.compile_stats import cudagraph_skips_so_far, graphs_so_far
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.schema import ImagesIdentity, Outcome, OutcomeStatus, OutOfMemory, Settings, Value, Weights
from vitok_lib.records.store import record_path
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.presets import REFERENCE, find_preset
from vitok_lib.tokenizers.registry import describe, find
from vitok_lib.tokenizers.vitok.running import CAPTURING_MODES
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

_SETTINGS = ("window", *NAMED_BY_PATH, "tiling", "slicing", "posterior")
OPTIONS = (*_SETTINGS, "dtype", "weights", "seed", "revision")


@dataclass(frozen=True)
class Contender:
    """A tokenizer on a named path; ``options`` are arguments of ``load_tokenizer`` that differ from the path's.

    ``label`` is its name in progress and messages, ``size`` height and width of its images where these are not the
    run's: so that two sizes compare, which come from one run too.

    Raises:
        RequestError: the tokenizer, the path or an option is not known, or the size is none.
    """

    tokenizer: str
    path: str = REFERENCE
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        find(self.tokenizer)
        find_preset(self.path)
        for option in self.options:
            if option not in OPTIONS:
                raise unknown("option of a contender", option, OPTIONS)
        if self.size is not None:
            check_resolution(min(self.size))
            check_resolution(max(self.size))

    def __str__(self) -> str:
        size = "" if self.size is None else f", {self.size[0]} × {self.size[1]} px"
        return self.label or f"{self.tokenizer} ({self.path}{size})"


@dataclass(frozen=True)
class Conditions:
    """What is equal for all contenders of a run; ``dtype``, ``weights`` and the size unless one has its own."""

    benchmark: str
    study: str
    resolution: int
    height: int
    width: int
    batch: int
    device: str
    dtype: str
    weights: str

    @property
    def images(self) -> ImagesIdentity:
        return noise_identity(self.batch, self.height, self.width)


@dataclass(frozen=True)
class Sample:
    """One timed call of the round ``number``; ``clock_mhz`` at the end of the round, while the GPU works."""

    number: int
    stage: str
    milliseconds: float
    clock_mhz: float | None


@dataclass
class Entrant:
    """A contender on its way, and what is known of it so far; ``tokenizer`` is None before and after.

    ``opponent`` is the contender that it is set against, None for one that runs alone; ``finished``
    says that all of its rounds are timed, so that what fails later does not spoil them, unless a ``fault`` is found.
    ``cudagraph_skips`` counts the graphs that torch.compile was to replay as CUDA graphs, and did not.
    """

    contender: Contender
    conditions: Conditions
    opponent: Entrant | None = None
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
    fault: str | None = None
    steady_milliseconds: float = math.inf
    """Of one call after warming up, for the whole batch."""

    def __post_init__(self) -> None:
        if self.contender.size is not None:
            height, width = self.contender.size
            self.conditions = replace(self.conditions, resolution=max(height, width), height=height, width=width)
        name, conditions = self.contender.tokenizer, self.conditions
        entry, self.spec = find(name), describe(name)
        self.variant: Variant | None = parse_variant(entry.architecture) if entry.family == "vitok" else None
        asked: dict[str, Any] = {"device": conditions.device, "dtype": conditions.dtype, "weights": conditions.weights}
        asked |= self.contender.options
        tokens = conditions.batch * (self.variant.tokens(conditions.height, conditions.width) if self.variant else 0)
        self.arguments = asked
        try:
            path = find_preset(self.contender.path)
            window = asked.get("window")
            chosen = path.arguments(
                entry.family, device=asked["device"], dtype=asked["dtype"], window=window, tokens=tokens
            )
            self.arguments = {**chosen, **asked}
        except UnsupportedError as error:
            self._fail(error)
        self.weights = Weights(source=_source(asked, bool(entry.sha256)))
        defaults = (False, "mode")
        named = {
            name: value
            for name, value in self.arguments.items()
            if name in _SETTINGS and not any(value is default for default in defaults)
        }
        self.settings = Settings(
            **named,
            device=asked["device"],
            dtype=asked["dtype"],
            batch=conditions.batch,
            preset=self.contender.path,
        )

    def __str__(self) -> str:
        return str(self.contender)

    @property
    def running(self) -> bool:
        return self.tokenizer is not None

    @property
    def record_path(self) -> Path:
        conditions = self.conditions
        beside = [name for name in self.contender.options if name in NAMED_BY_PATH]
        text = settings_text(self.settings, self.weights, conditions.height, conditions.width, beside)
        return record_path(conditions.study, conditions.benchmark, conditions.resolution, self.spec.name, text)

    def load(self) -> None:
        """Raises RequestError where the request is wrong; any other failure is this contender's outcome."""
        if self.outcome.status is not OutcomeStatus.OK:
            return
        before = allocated_bytes(self.conditions.device)
        with self.trying():
            tokenizer = load_tokenizer(self.contender.tokenizer, **self.arguments)
            self.tokenizer, self.spec, self.weights = tokenizer, tokenizer.spec, tokenizer.weights
            update = {"preset": self.contender.path, "batch": self.conditions.batch}
            self.settings = tokenizer.settings.model_copy(update=update)
            self.choices = getattr(tokenizer, "choices", {})
            self.held_bytes = allocated_bytes(self.conditions.device) - before

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
        _, decoding = clock.time(_call(self.tokenizer.decode, latent))
        self.cudagraph_skips += cudagraph_skips_so_far() - skipped
        return encoding, decoding

    def take_round(self, number: int, images: Tensor, clock: Clock, calls: int) -> None:
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
        return self.conditions.device.startswith("cuda") and self.settings.compile in CAPTURING_MODES

    def judge(self) -> None:
        """Timings of something else than what was asked for are an error, however well they went."""
        if self.finished and self.settings.compile is not None and self.graphs == 0:
            self.fault = f"compile '{self.settings.compile}' was asked for, and nothing was compiled: it ran as it is"
        elif self.recompilations:
            self.fault = f"{self.recompilations} graphs were compiled while it was timed"
        elif self.cudagraph_skips and self.captures:
            asked, count = self.settings.compile, self.cudagraph_skips
            self.fault = f"compile '{asked}' was asked for, and torch skipped its CUDA graphs, {count} in all"
        if self.fault is not None:
            self.outcome = Outcome(status=OutcomeStatus.ERROR, detail=self.fault)

    def drop(self) -> None:
        """Let go of the tokenizer and of its memory."""
        drop([self])

    def _fail(self, error: Exception) -> None:
        self.tokenizer = None
        outcome = self._outcome_of(error)
        if self.finished:
            self.outcome = Outcome(detail=f"timed whole, and then: {outcome.detail}")
        else:
            self.outcome = outcome
            self.samples.clear()

    def _outcome_of(self, error: Exception) -> Outcome:
        conditions, memory = self.conditions, None
        status = OutcomeStatus.UNSUPPORTED if isinstance(error, UnsupportedError) else OutcomeStatus.ERROR
        detail = (
            error_text(error) if status is OutcomeStatus.UNSUPPORTED else f"{type(error).__name__}: {error_text(error)}"
        )
        if is_out_of_memory(error):
            size = f"{conditions.height} × {conditions.width} pixels at batch {conditions.batch}"
            status, detail = OutcomeStatus.OOM, f"out of memory on {size}: {error_text(error) or 'no detail given'}"
            memory = OutOfMemory(
                requested_bytes=requested_bytes(error),
                device=conditions.device,
                batch=conditions.batch,
                height=conditions.height,
                width=conditions.width,
            )
        return Outcome(status=status, detail=detail, memory=memory)


def _call(function: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
    return lambda: function(argument)


def _source(asked: Mapping[str, Any], shipped: bool) -> str:
    """Whence the weights come, of a tokenizer that could not be loaded."""
    if asked["weights"] == "random":
        return f"random:{asked.get('seed', 0)}"
    if asked["weights"] != "released":
        return "file"
    return "shipped" if shipped else "released"


def allocated_bytes(device: str) -> int:
    """Of tensors on ``device`` now; 0 where torch does not count."""
    return torch.cuda.memory_allocated(device) if device.startswith("cuda") else 0


def drop(entrants: Sequence[Entrant]) -> None:
    """Let go of their tokenizers and of the memory that these take."""
    for entrant in entrants:
        entrant.tokenizer = None
    free()


def free() -> None:
    """Give back what nothing holds any more, as far as that can be done."""
    gc.collect()
    if torch.cuda.is_available():
        with suppress(RuntimeError):  # after a kernel's failure all of CUDA fails; that one is told, and this is not
            torch.cuda.empty_cache()
