"""The contenders of a run side by side: warmed up, timed in turn, compared, and taken from files to a metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitok_lib.images.sets import ImageSet
from vitok_lib.measure.accuracy import (
    EXACT_FAMILIES,
    exact_reconstruction,
    last_row,
    maths,
    relative_error,
    small_image,
)
from vitok_lib.measure.clock import Clock, median, warm_up
from vitok_lib.measure.compilation import forget, graphs_so_far
from vitok_lib.measure.contender import Entrant, allocated_bytes, drop
from vitok_lib.measure.end_to_end import measure_chain
from vitok_lib.measure.noise import noise
from vitok_lib.records.schema import Kind, Outcome, Value

Told = Callable[[str], None]
"""Called with a few words about what is done now."""

_CAPTURING_MODES = ("reduce-overhead", "max-autotune")
"""Of torch.compile, which replay CUDA graphs: their memory is taken when they are recorded, and not seen later."""


@dataclass(frozen=True)
class Effort:
    """Each contender is timed for at least so many rounds and so many seconds."""

    seconds: float
    iterations: int


@torch.no_grad()
def race(entrants: Sequence[Entrant], effort: Effort, images: ImageSet | None, told: Told) -> None:
    """Measure all ``entrants``, which are loaded, against the first of them, and let go of them.

    ``images`` are those that go from file to metric; None: that is not asked for.
    """
    conditions = entrants[0].conditions
    clock = Clock(conditions.device)
    pixels = noise(conditions.batch, conditions.height, conditions.width, conditions.device)
    for entrant in _running(entrants):
        told(f"warming up {entrant}")
        with entrant.trying():
            _first_calls(entrant, entrant.cast(next(pixels)), clock, effort.seconds)
    for entrant in _running(entrants):
        if entrant.graphs:  # which the contenders after it made torch forget
            told(f"compiling {entrant} again, beside the others")
            with entrant.trying():
                _warm(entrant, entrant.cast(next(pixels)), clock, effort.seconds)
    number = 0
    while any(_wants_more(entrant, number, effort) for entrant in _running(entrants)):
        told(f"round {number + 1} of at least {effort.iterations}")
        shared = next(pixels)
        for entrant in _running(entrants):
            with entrant.trying():
                entrant.take_round(number, entrant.cast(shared), clock, _calls(entrant, effort))
        number += 1
    for entrant in _running(entrants):
        entrant.finished = True
    _compare_whole(entrants, next(pixels), told)
    if images is not None:
        _from_files(entrants, images, clock, effort, told)
    _compare_exact(entrants, told)
    for entrant in entrants:
        entrant.judge()


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
        if not entrant.settings.graphs and entrant.settings.compile not in _CAPTURING_MODES:
            torch.cuda.reset_peak_memory_stats(device)  # what compiling took is not the model's
            entrant.timed(images, clock)
        entrant.peak_bytes = entrant.held_bytes + torch.cuda.max_memory_allocated(device) - before


def _calls(entrant: Entrant, effort: Effort) -> int:
    """Calls in a round: many of a fast contender, so that all spend about the same time."""
    return max(1, math.ceil(effort.seconds * 1e3 / effort.iterations / entrant.steady_milliseconds))


def _wants_more(entrant: Entrant, rounds: int, effort: Effort) -> bool:
    taken = sum(sample.milliseconds for sample in entrant.samples)
    return rounds < effort.iterations or taken < effort.seconds * 1e3


def _compare_whole(entrants: Sequence[Entrant], images: Tensor, told: Told) -> None:
    """Against the first contender at full size, where both are one tokenizer with the same weights."""
    first, expected = entrants[0], None
    for entrant in _running(entrants):
        if (entrant.spec.name, entrant.weights) != (first.spec.name, first.weights):
            continue
        told(f"comparing {entrant}")
        with entrant.trying():
            assert entrant.tokenizer is not None
            found = entrant.tokenizer.reconstruct(entrant.cast(images)).cpu()
            if entrant is first:
                expected = found
            elif expected is not None:
                _keep_error(entrant, "error_reference", found, expected)


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
            entrant.values += chain.values(f"end-to-end|{images.name}|batch:{conditions.batch}|v1")
            entrant.outcome = Outcome(detail=f"from files to a metric the {chain.bound} stage bounds")


def _compare_exact(entrants: Sequence[Entrant], told: Told) -> None:
    """Against exact arithmetic at a small size. The exact tokenizers come when all others are gone."""
    forget()  # so that the small size is compiled as the full one was
    found: list[tuple[Entrant, Tensor, Tensor]] = []
    for entrant in _running(entrants):
        if entrant.spec.family in EXACT_FAMILIES and entrant.spec.downsampling is not None:
            told(f"a small image through {entrant}")
            with entrant.trying():
                assert entrant.tokenizer is not None
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
            stride = entrant.spec.downsampling
            assert stride is not None
            _keep_error(entrant, "error", output, exact[key])
            _keep_error(entrant, "error_last", last_row(output, stride), last_row(exact[key], stride))


def _keep_error(entrant: Entrant, quantity: str, found: Tensor, expected: Tensor) -> None:
    value = relative_error(found, expected)
    if not math.isfinite(value):
        entrant.fault = "its reconstructions hold values that are no finite numbers"
        return
    signature = f"relative-rms|{found.shape[2]}x{found.shape[3]} px|v1"
    entrant.values.append(Value(quantity=quantity, value=value, unit="", kind=Kind.MEASURED, signature=signature))
