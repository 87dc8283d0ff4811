"""The configurations of a run: warmed up, timed in interleaved rounds, compared, and taken from files to metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitok_lib.measure.common.context import Log
from vitok_lib.measure.common.device_memory import allocated_bytes
from vitok_lib.measure.common.outcomes import Batch
from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.speed.compile_stats import forget, graphs_so_far
from vitok_lib.measure.speed.numerical_error import (
    EXACT_FAMILIES,
    exact_config,
    exact_reconstruction,
    last_row,
    relative_error,
    small_image,
)
from vitok_lib.measure.speed.pipeline import ChainRequest, measure_chain
from vitok_lib.measure.speed.state import BenchmarkState, drop
from vitok_lib.measure.speed.timer import Clock, median, warm_up
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, Value
from vitok_lib.tokenizers.outputs import non_finite, reconstructed
from vitok_lib.tokenizers.vitok.running import CAPTURING_MODES

Keep = Callable[[BenchmarkState], object]
"""Called with a state whose record is to be written."""


@dataclass(frozen=True)
class Effort:
    """Minimum timing in seconds and minimum rounds per configuration."""

    seconds: float
    iterations: int


class _Images:
    """Fresh images in each round, the same for all configurations of one size.

    They are drawn when the first one asks for them, so that what fails then is its own failure.
    """

    def __init__(self) -> None:
        self._sources: dict[Batch, Iterator[Tensor]] = {}
        self._drawn: dict[Batch, Tensor] = {}

    def to(self, state: BenchmarkState) -> Tensor:
        """What ``state`` sees in this round, in its dtype."""
        asked = state.batch
        if asked not in self._drawn:
            if asked not in self._sources:
                self._sources[asked] = noise(*asked, state.device)
            self._drawn[asked] = next(self._sources[asked])
        return state.cast(self._drawn[asked])

    def renew(self) -> None:
        """The next round begins."""
        self._drawn.clear()


@torch.no_grad()
def measure_interleaved(
    states: Sequence[BenchmarkState], effort: Effort, chain: ChainRequest | None, log: Log, keep: Keep
) -> None:
    """Measure all ``states``, which are loaded, against their baselines, and let go of them.

    ``chain`` is what goes from file to metrics; None: that is not asked for. ``keep`` is called with each whose
    rounds are all timed, before what takes long and may fail: at the end all of them are still to be kept.
    """
    clock, images_of_round = Clock(states[0].device), _Images()
    for state in _running(states):
        log(f"warming up {state}")
        with state.trying():
            _first_calls(state, images_of_round.to(state), clock, effort.seconds)
    for state in _running(states):
        if state.graphs:  # which the configurations after it made torch forget
            log(f"compiling {state} again, next to the others")
            with state.trying():
                _warm(state, images_of_round.to(state), clock, effort.seconds)
    number = 0
    while any(_wants_more(state, number, effort) for state in _running(states)):
        log(f"round {number + 1} of at least {effort.iterations}")
        images_of_round.renew()
        for state in _running(states):
            with state.trying():
                state.time_round(number, images_of_round.to(state), clock, _calls(state, effort))
        number += 1
    for state in _running(states):
        state.finished = True
    _check(states, keep)
    images_of_round.renew()
    _compare_whole(states, images_of_round, log)
    images_of_round.renew()
    if chain is not None:
        _from_files(states, chain, clock, effort, log)
    _check(states, keep)
    _compare_exact(states, log)
    _check(states, lambda state: None)


def _check(states: Sequence[BenchmarkState], keep: Keep) -> None:
    for state in states:
        if state.finished:
            state.check()
            keep(state)


def _running(states: Sequence[BenchmarkState]) -> list[BenchmarkState]:
    return [state for state in states if state.running]


def _warm(state: BenchmarkState, images: Tensor, clock: Clock, seconds: float) -> list[float]:
    return warm_up(lambda: sum(state.timed(images, clock)), seconds)


def _first_calls(state: BenchmarkState, images: Tensor, clock: Clock, seconds: float) -> None:
    """Compile and warm up as if nothing else were in the process, and see what memory that takes."""
    forget()
    device = state.device
    on_gpu, graphs, before = device.startswith("cuda"), graphs_so_far(), allocated_bytes(device)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    timings = _warm(state, images, clock, seconds)
    state.steady_milliseconds = median(timings[-3:])
    state.compile_seconds = max(0.0, timings[0] - state.steady_milliseconds) / 1e3
    state.graphs = graphs_so_far() - graphs
    if on_gpu:
        if not state.replays_graphs and state.settings.compile not in CAPTURING_MODES:
            torch.cuda.reset_peak_memory_stats(device)  # what compiling took is not the model's
            state.timed(images, clock)
        state.peak_bytes = state.held_bytes + torch.cuda.max_memory_allocated(device) - before


def _calls(state: BenchmarkState, effort: Effort) -> int:
    """Calls in a round: many of a fast configuration, so that all spend about the same time."""
    return max(1, math.ceil(effort.seconds * 1e3 / effort.iterations / state.steady_milliseconds))


def _wants_more(state: BenchmarkState, rounds: int, effort: Effort) -> bool:
    taken = sum(sample.milliseconds for sample in state.samples)
    return rounds < effort.iterations or taken < effort.seconds * 1e3


def _compare_whole(states: Sequence[BenchmarkState], images_of_round: _Images, log: Log) -> None:
    """Against the first configuration at the timed size, where both are one tokenizer with the same weights.

    The last row of tokens is compared apart: at a size where 32 bits no longer count all values, it is what goes wrong.
    """
    first, expected = states[0], None
    for state in _running(states):
        one, other = ((held.spec.name, held.weights, held.batch) for held in (state, first))
        if one != other:
            continue
        log(f"comparing {state}")
        with state.trying():
            assert state.tokenizer is not None
            found = reconstructed(state.tokenizer, images_of_round.to(state)).cpu()
            if state is first:
                expected = found
            elif expected is not None:
                _keep_errors(state, "error_reference", found, expected)


def _from_files(states: Sequence[BenchmarkState], asked: ChainRequest, clock: Clock, effort: Effort, log: Log) -> None:
    for state in _running(states):
        log(f"from files to metrics: {state}")
        with state.trying():
            assert state.tokenizer is not None
            chain = measure_chain(
                state.tokenizer,
                asked,
                state.resolution,
                count=effort.iterations * state.config.batch,
                batch=state.config.batch,
                clock=clock,
            )
            state.values += chain.values(asked.signature(state.config.batch))
            none = "there is no single bottleneck: the stage times do not add up to the total"
            bound = f"the bottleneck is {chain.bound}" if chain.bound else none
            state.outcome = Outcome(detail=f"from files to metrics {bound}")


def _compare_exact(states: Sequence[BenchmarkState], log: Log) -> None:
    """Against exact arithmetic at a small size. The exact tokenizers come when all others are gone."""
    found: list[tuple[BenchmarkState, Tensor, Tensor]] = []
    for state in _running(states):
        if state.spec.family in EXACT_FAMILIES and state.spec.downsampling is not None:
            log(f"a small image through {state}")
            with state.trying():
                assert state.tokenizer is not None
                forget()  # so that the small size is compiled as the full one was
                image = small_image(state.spec.downsampling, state.device)
                found.append((state, image, reconstructed(state.tokenizer, state.cast(image)).cpu()))
    drop(states)
    exact: dict[RunConfig, Tensor] = {}
    for state, image, output in found:
        with state.trying():
            key = exact_config(state.config, state.device)
            log(f"exact arithmetic for {state}")
            if key not in exact:
                exact[key] = exact_reconstruction(key, image).cpu()
            _keep_errors(state, "error", output, exact[key])


def _keep_errors(state: BenchmarkState, quantity: str, found: Tensor, expected: Tensor) -> None:
    """Over the whole image, and over the last row of tokens alone."""
    _keep_error(state, quantity, found, expected)
    if (stride := state.spec.downsampling) is not None:
        _keep_error(state, f"{quantity}_last", last_row(found, stride), last_row(expected, stride))


def _keep_error(state: BenchmarkState, quantity: str, found: Tensor, expected: Tensor) -> None:
    value = relative_error(found, expected)
    if not math.isfinite(value):
        detail = non_finite(found) or "what it is compared with holds values that are not finite numbers"
        state.fault = Outcome(status=OutcomeStatus.NON_FINITE, detail=detail)
        return
    signature = f"relative-rms|{found.shape[2]}x{found.shape[3]} px|v1"
    state.values.append(Value(quantity=quantity, value=value, unit="", kind=Kind.MEASURED, signature=signature))
