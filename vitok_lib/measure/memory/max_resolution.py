"""The largest square image that a tokenizer takes within a memory, such as that of a 24 GiB card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.random_images import noise_identity
from vitok_lib.measure.memory.peak import answer, command, outcome_of, place
from vitok_lib.measure.memory.probe import Bench, Work
from vitok_lib.measure.memory.worker import Trial
from vitok_lib.records.provenance import provenance
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, Record, Value
from vitok_lib.records.store import LOCAL, write_record
from vitok_lib.tokenizers.registry import describe

BENCHMARK = "capacity"
_FIRST_STEP = 32
"""A first step away from the guess is this part of it: about as far as a prediction is off."""


def measure_capacity(
    name: str,
    *,
    largest: int,
    limit_gib: float | None = None,
    step: int | None = None,
    batch: int = 1,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str | Path = "released",
    options: Mapping[str, Any] | None = None,
    time_limit: float | None = None,
    study: str = LOCAL,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    again: bool = False,
) -> Record:
    """The side of the largest square that ``name`` can be evaluated on within a memory, kept as a record.

    Each try evaluates random images of one size, with PSNR and SSIM, in whatever memory the cap leaves; the first one
    is of the size that is predicted to fit. The record holds the side, which is ``largest`` where that fits, and the
    side predicted. Where a size fails otherwise than for want of memory, that is the outcome.

    Args:
        largest: the upper end of the search in pixels, cut to a multiple of ``step``.
        limit_gib: memory of the card to stand in for, in GiB; None: all of a GPU, which a CPU is not to try.
        step: sizes are multiples of it; itself a multiple of the tokenizer's stride. None: the stride.
        options: arguments of ``load_tokenizer`` beside those here, such as ``{"tiling": True}`` or ``{"chunk": 0}``.
        time_limit: seconds for one try. On a CPU it is ended then. Nowhere is one begun that would take longer if time
            grew with the pixels from the slowest one before. The record then has the outcome timeout, and the largest
            side that did fit.
        study: the folder of ``results`` that the record goes to.
        notebook, parameters: the notebook that asks, for the provenance.
        again: measure even though there is a record of this tokenizer, these settings and this machine.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(largest)
    stride = describe(name).downsampling or 1
    step = stride if step is None else step
    if step < 1 or step % stride:
        raise RequestError(f"step (={step}) must be a multiple of the {stride} pixels that '{name}' makes one of")
    upper = largest // step * step
    if upper == 0:
        raise RequestError(f"largest (={largest}) must be at least one step of {step} pixels")
    work = Work(name, device, dtype, weights, options or {}, batch, limit_gib, time_limit)
    if limit_gib is None and not work.on_a_card:
        raise RequestError("on a CPU the search would take all memory of this machine; give a limit in GiB")
    started = datetime.now(UTC)
    bench = Bench(work)
    images = noise_identity(batch, upper, upper)
    path = place(study, BENCHMARK, upper, bench.identity, bench.settings, work.options)
    kept = None if again else answer(path, bench.identity, bench.settings, images, device)
    if kept is not None:
        bench.close()
        return kept
    predicted = _predicted(work)
    search = Search(bench.attempt, step, time_limit)
    guess = upper // 2 if predicted is None else predicted
    side = search.largest(guess, upper)
    bench.close()
    arguments = {"largest": largest, "limit_gib": limit_gib, "step": step, "batch": batch, "time_limit": time_limit}
    record = Record(
        benchmark=BENCHMARK,
        resolution=upper,
        tokenizer=bench.identity,
        images=images,
        settings=bench.settings,
        outcome=_outcome(search, work, side),
        values=_values(side, predicted, work),
        choices=bench.choices,
        provenance=provenance(
            command(measure_capacity, work, study, arguments),
            notebook,
            parameters or {},
            started,
            device,
        ),
    )
    write_record(record, path)
    return record


class Search:
    """Tries of single sizes, which ``trials`` holds by side."""

    def __init__(self, attempt: Callable[[int, bool], Trial], step: int, time_limit: float | None) -> None:
        self._attempt, self._step, self._time_limit = attempt, step, time_limit
        self.trials: dict[int, Trial] = {}

    def largest(self, guess: int, upper: int) -> int:
        """The largest multiple of the step up to ``upper`` that goes through; 0 where none does."""
        return self._step * largest_fitting(self._fits, guess // self._step, upper // self._step)

    def _fits(self, steps: int) -> bool:
        side = steps * self._step
        self.trials[side] = self._too_slow(side) or self._attempt(side, False)
        return self.trials[side].status is OutcomeStatus.OK

    def _too_slow(self, side: int) -> Trial | None:
        """The trial of a size that is not tried, since the ones before say that it would take too long."""
        ended = [trial.seconds * (side / tried) ** 2 for tried, trial in self.trials.items() if trial.seconds]
        if self._time_limit is None or max(ended, default=0) <= self._time_limit:
            return None
        detail = f"{side} px would take longer than {self._time_limit:g} s"
        return Trial(status=OutcomeStatus.TIMEOUT, detail=detail)


def largest_fitting(fits: Callable[[int], bool], guess: int, most: int) -> int:
    """The largest whole number of 1…``most`` that ``fits``, 0 if none does, where all below one that fits do too.

    From ``guess`` on in steps that double, until one fits and another does not, and then by halving.
    """
    fitting, beyond = 0, most + 1
    at, step = guess, max(1, guess // _FIRST_STEP)
    while beyond - fitting > 1:
        at = min(max(at, fitting + 1), beyond - 1)
        if fits(at):
            fitting, at = at, at + step
        else:
            beyond, at = at, at - step
        step *= 2
        if fitting > 0 and beyond <= most:
            at = (fitting + beyond) // 2
    return fitting


def _predicted(work: Work) -> int | None:
    plan = work.plan(1)
    if plan is None:
        return None
    return plan.largest_resolution if work.limit_bytes is None else plan.largest_within(work.limit_bytes)


def _values(side: int, predicted: int | None, work: Work) -> tuple[Value, ...]:
    signature = f"capacity|encode+decode+psnr+ssim|batch:{work.batch}|v1"
    values = []
    if side > 0:
        values.append(
            Value(quantity="largest_resolution", value=side, unit="px", kind=Kind.MEASURED, signature=signature)
        )
    if predicted is not None:
        values.append(Value(quantity="predicted_largest", value=predicted, unit="px", kind=Kind.DERIVED))
    return tuple(values)


def _outcome(search: Search, work: Work, side: int) -> Outcome:
    """What bounds the search: ok where that is memory or the upper end, else as the next size ended."""
    above = sorted(tried for tried in search.trials if tried > side)
    if not above:
        return Outcome()
    outcome = outcome_of(search.trials[above[0]], work, above[0], side or None)
    found = outcome.status is OutcomeStatus.OOM and side > 0
    return outcome.model_copy(update={"status": OutcomeStatus.OK}) if found else outcome
