"""The contenders of a run side by side: warmed up, timed in turn, compared, and taken from files to a metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitok_lib.images.sets import ImageSet
from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.speed.compile_stats import forget, graphs_so_far
from vitok_lib.measure.speed.numerical_error import (
    EXACT_FAMILIES,
    exact_reconstruction,
    last_row,
    maths,
    relative_error,
    small_image,
)
from vitok_lib.measure.speed.pipeline import chain_signature, measure_chain
from vitok_lib.measure.speed.state import Conditions, Entrant, allocated_bytes, drop
from vitok_lib.measure.speed.timer import Clock, median, warm_up
from vitok_lib.records.schema import Kind, Outcome, Value
from vitok_lib.tokenizers.vitok.running import CAPTURING_MODES

Told = Callable[[str], None]
"""Called with a few words about what is done now."""
Keep = Callable[[Entrant], object]
"""Called with a contender whose record is to be written."""


@dataclass(frozen=True)
class Effort:
    """Each contender is timed for at least so many rounds and so many seconds."""

    seconds: float
    iterations: int


class _Shown:
    """Fresh images in each round, the same for all contenders of one size.

    They are drawn when the first contender asks for them, so that what fails then is its own failure.
    """

    def __init__(self) -> None:
        self._sources: dict[Conditions, Iterator[Tensor]] = {}
        self._drawn: dict[Conditions, Tensor] = {}

    def to(self, entrant: Entrant) -> Tensor:
        """What ``entrant`` sees in this round, in its dtype."""
        asked = entrant.conditions
        if asked not in self._drawn:
            if asked not in self._sources:
                self._sources[asked] = noise(asked.batch, asked.height, asked.width, asked.device)
            self._drawn[asked] = next(self._sources[asked])
        return entrant.cast(self._drawn[asked])

    def renew(self) -> None:
        """The next round begins."""
        self._drawn.clear()


@torch.no_grad()
def race(entrants: Sequence[Entrant], effort: Effort, images: ImageSet | None, told: Told, keep: Keep) -> None:
    """Measure all ``entrants``, which are loaded, against the first of them, and let go of them.

    ``images`` are those that go from file to metric; None: that is not asked for. ``keep`` is called with each whose
    rounds are all timed, before what takes long and may fail: at the end all of them are still to be kept.
    """
    clock, shown = Clock(entrants[0].conditions.device), _Shown()
    for entrant in _running(entrants):
        told(f"warming up {entrant}")
        with entrant.trying():
            _first_calls(entrant, shown.to(entrant), clock, effort.seconds)
    for entrant in _running(entrants):
        if entrant.graphs:  # which the contenders after it made torch forget
            told(f"compiling {entrant} again, beside the others")
            with entrant.trying():
                _warm(entrant, shown.to(entrant), clock, effort.seconds)
    number = 0
    while any(_wants_more(entrant, number, effort) for entrant in _running(entrants)):
        told(f"round {number + 1} of at least {effort.iterations}")
        shown.renew()
        for entrant in _running(entrants):
            with entrant.trying():
                entrant.take_round(number, shown.to(entrant), clock, _calls(entrant, effort))
        number += 1
    for entrant in _running(entrants):
        entrant.finished = True
    _judge(entrants, keep)
    shown.renew()
    _compare_whole(entrants, shown, told)
    shown.renew()
    if images is not None:
        _from_files(entrants, images, clock, effort, told)
    _judge(entrants, keep)
    _compare_exact(entrants, told)
    _judge(entrants, lambda entrant: None)


def _judge(entrants: Sequence[Entrant], keep: Keep) -> None:
    for entrant in entrants:
        if entrant.finished:
            entrant.judge()
            keep(entrant)


def _running(entrants: Sequence[Entrant]) -> list[Entrant]:
    return [entrant for entrant in entrants if entrant.running]


def _warm(entrant: Entrant, images: Tensor, clock: Clock, seconds: float) -> list[float]:
    return warm_up(lambda: sum(entrant.timed(images, clock)), seconds)


def _first_calls(entrant: Entrant, images: Tensor, clock: Clock, seconds: float) -> None:
    """Compile and warm up as if nothing else were in the process, and see what memory that takes."""
    forget()
    device = entrant.conditions.device
    on_gpu, graphs, before = device.startswith("cuda"), graphs_so_far(), allocated_bytes(device)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    timings = _warm(entrant, images, clock, seconds)
    entrant.steady_milliseconds = median(timings[-3:])
    entrant.compile_seconds = max(0.0, timings[0] - entrant.steady_milliseconds) / 1e3
    entrant.graphs = graphs_so_far() - graphs
    if on_gpu:
        if not entrant.settings.graphs and entrant.settings.compile not in CAPTURING_MODES:
            torch.cuda.reset_peak_memory_stats(device)  # what compiling took is not the model's
            entrant.timed(images, clock)
        entrant.peak_bytes = entrant.held_bytes + torch.cuda.max_memory_allocated(device) - before


def _calls(entrant: Entrant, effort: Effort) -> int:
    """Calls in a round: many of a fast contender, so that all spend about the same time."""
    return max(1, math.ceil(effort.seconds * 1e3 / effort.iterations / entrant.steady_milliseconds))


def _wants_more(entrant: Entrant, rounds: int, effort: Effort) -> bool:
    taken = sum(sample.milliseconds for sample in entrant.samples)
    return rounds < effort.iterations or taken < effort.seconds * 1e3


def _compare_whole(entrants: Sequence[Entrant], shown: _Shown, told: Told) -> None:
    """Against the first contender at the timed size, where both are one tokenizer with the same weights.

    The last row of tokens stands apart: at a size where 32 bits no longer count all values, it is what goes wrong.
    """
    first, expected = entrants[0], None
    for entrant in _running(entrants):
        one, other = ((held.spec.name, held.weights, held.conditions) for held in (entrant, first))
        if one != other:
            continue
        told(f"comparing {entrant}")
        with entrant.trying():
            assert entrant.tokenizer is not None
            found = entrant.tokenizer.reconstruct(shown.to(entrant)).cpu()
            if entrant is first:
                expected = found
            elif expected is not None:
                _keep_errors(entrant, "error_reference", found, expected)


def _from_files(entrants: Sequence[Entrant], images: ImageSet, clock: Clock, effort: Effort, told: Told) -> None:
    for entrant in _running(entrants):
        told(f"from files to a metric: {entrant}")
        with entrant.trying():
            assert entrant.tokenizer is not None
            conditions = entrant.conditions
            chain = measure_chain(
                entrant.tokenizer,
                images,
                conditions.resolution,
                count=effort.iterations * conditions.batch,
                batch=conditions.batch,
                clock=clock,
            )
            entrant.values += chain.values(chain_signature(images, conditions.batch))
            what = "no stage bounds: what each takes alone does not explain the whole"
            what = f"the {chain.bound} stage bounds" if chain.bound else what
            entrant.outcome = Outcome(detail=f"from files to a metric {what}")


def _compare_exact(entrants: Sequence[Entrant], told: Told) -> None:
    """Against exact arithmetic at a small size. The exact tokenizers come when all others are gone."""
    found: list[tuple[Entrant, Tensor, Tensor]] = []
    for entrant in _running(entrants):
        if entrant.spec.family in EXACT_FAMILIES and entrant.spec.downsampling is not None:
            told(f"a small image through {entrant}")
            with entrant.trying():
                assert entrant.tokenizer is not None
                forget()  # so that the small size is compiled as the full one was
                image = small_image(entrant.spec.downsampling, entrant.conditions.device)
                found.append((entrant, image, entrant.tokenizer.reconstruct(entrant.cast(image)).cpu()))
    drop(entrants)
    exact: dict[str, Tensor] = {}
    for entrant, image, output in found:
        with entrant.trying():
            key = repr((entrant.spec.name, sorted(maths(entrant.arguments).items())))
            told(f"exact arithmetic for {entrant}")
            if key not in exact:
                name, family = entrant.contender.tokenizer, entrant.spec.family
                exact[key] = exact_reconstruction(name, family, entrant.arguments, image).cpu()
            _keep_errors(entrant, "error", output, exact[key])


def _keep_errors(entrant: Entrant, quantity: str, found: Tensor, expected: Tensor) -> None:
    """Over the whole image, and over the last row of tokens alone."""
    _keep_error(entrant, quantity, found, expected)
    if (stride := entrant.spec.downsampling) is not None:
        _keep_error(entrant, f"{quantity}_last", last_row(found, stride), last_row(expected, stride))


def _keep_error(entrant: Entrant, quantity: str, found: Tensor, expected: Tensor) -> None:
    value = relative_error(found, expected)
    if not math.isfinite(value):
        entrant.fault = "its reconstructions hold values that are no finite numbers"
        return
    signature = f"relative-rms|{found.shape[2]}x{found.shape[3]} px|v1"
    entrant.values.append(Value(quantity=quantity, value=value, unit="", kind=Kind.MEASURED, signature=signature))
