"""The largest square image that a tokenizer takes within a memory, such as that of a 24 GiB GPU."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Unpack

from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.outcomes import Failure
from vitok_lib.measure.common.random_images import noise_identity
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.common.reuse import answer
from vitok_lib.measure.memory.peak import outcome_of_probe
from vitok_lib.measure.memory.probe import MemoryProbe, ProbeSpec
from vitok_lib.measure.memory.worker import ProbeResult
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, Record, Value
from vitok_lib.records.store import write_record
from vitok_lib.tokenizers.registry import describe

BENCHMARK = "capacity"
_FIRST_STEP = 32
"""A first step away from the guess is this part of it: about as far as a prediction is off."""


def measure_capacity(
    config: RunConfig,
    *,
    largest: int,
    limit_gib: float | None = None,
    step: int | None = None,
    time_limit: float | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """The side of the largest square that ``config`` can be evaluated on within a memory, kept as a record.

    Each try evaluates random images of one size, with PSNR and SSIM, in whatever memory the cap leaves; the first one
    is of the size that is predicted to fit. The record holds the side, which is ``largest`` where that fits, and the
    side predicted. Where a size fails otherwise than for want of memory, that is the outcome.

    Args:
        largest: the upper end of the search in pixels, cut to a multiple of ``step``.
        limit_gib: memory of the smaller GPU that is emulated, in GiB; None: all of a GPU, which a CPU is not to try.
        step: sizes are multiples of it; itself a multiple of the tokenizer's stride. None: the stride.
        time_limit: seconds for one try. On a CPU it is ended then. Nowhere is one begun that would take longer if time
            grew with the pixels from the slowest one before. The record then has the outcome timeout, and the largest
            side that did fit.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(largest)
    own, started, spec = Context(**context), datetime.now(UTC), ProbeSpec(config, limit_gib, time_limit)
    stride = describe(config.name).downsampling or 1
    steps_of = stride if step is None else step
    if steps_of < 1 or steps_of % stride:
        raise RequestError(f"step (={step}) must be a multiple of the {stride} pixels of '{config.name}' a token")
    upper = largest // steps_of * steps_of
    if upper == 0:
        raise RequestError(f"largest (={largest}) must be at least one step of {steps_of} pixels")
    if limit_gib is None and not spec.on_gpu:
        raise RequestError("on a CPU the search would take all memory of this machine; give a limit in GiB")
    probe = MemoryProbe(spec)
    images = noise_identity(config.batch, upper, upper)
    path = probe.record_path(own.study, BENCHMARK, upper, step=steps_of if steps_of > stride else None)
    kept = answer(path, probe.asked(images), own)
    if kept is not None:
        probe.close()
        return kept
    predicted = _predicted(spec)
    search = Search(probe.attempt, steps_of, time_limit)
    side = search.largest(upper // 2 if predicted is None else predicted, upper)
    probe.close()
    request = {"largest": largest, "limit_gib": limit_gib, "step": step, "time_limit": time_limit, "study": own.study}
    repeated = command(Measurement("measure_capacity", (spec.config,), request))
    record = Record(
        benchmark=BENCHMARK,
        resolution=upper,
        tokenizer=probe.identity,
        images=images,
        requested=spec.config,
        settings=probe.settings,
        outcome=_outcome(search, spec, side),
        values=_values(side, predicted, spec),
        choices=probe.choices,
        provenance=own.provenance(repeated, started, spec.config.device),
    )
    write_record(record, path)
    return record


class Search:
    """Tries of single sizes, which ``results`` holds by side."""

    def __init__(self, attempt: Callable[[int, bool], ProbeResult], step: int, time_limit: float | None) -> None:
        self._attempt, self._step, self._time_limit = attempt, step, time_limit
        self.results: dict[int, ProbeResult] = {}

    def largest(self, guess: int, upper: int) -> int:
        """The largest multiple of the step up to ``upper`` that goes through; 0 where none does."""
        return self._step * largest_fitting(self._fits, guess // self._step, upper // self._step)

    def _fits(self, steps: int) -> bool:
        side = steps * self._step
        self.results[side] = self._too_slow(side) or self._attempt(side, False)
        return self.results[side].fits

    def _too_slow(self, side: int) -> ProbeResult | None:
        """The result of a size that is not tried, since the ones before say that it would take too long."""
        ended = [result.seconds * (side / tried) ** 2 for tried, result in self.results.items() if result.seconds]
        if self._time_limit is None or max(ended, default=0) <= self._time_limit:
            return None
        detail = f"{side} px would take longer than {self._time_limit:g} s"
        return ProbeResult(Failure(OutcomeStatus.TIMEOUT, detail))


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


def _predicted(spec: ProbeSpec) -> int | None:
    plan = spec.plan(1)
    if plan is None:
        return None
    return plan.largest_resolution if spec.limit_bytes is None else plan.largest_within(spec.limit_bytes)


def _values(side: int, predicted: int | None, spec: ProbeSpec) -> tuple[Value, ...]:
    signature = f"capacity|encode+decode+psnr+ssim|batch:{spec.config.batch}|v1"
    values = []
    if side > 0:
        values.append(
            Value(quantity="largest_resolution", value=side, unit="px", kind=Kind.MEASURED, signature=signature)
        )
    if predicted is not None:
        values.append(Value(quantity="predicted_largest", value=predicted, unit="px", kind=Kind.DERIVED))
    return tuple(values)


def _outcome(search: Search, spec: ProbeSpec, side: int) -> Outcome:
    """What bounds the search: ok where that is memory or the upper end, else as the next size ended."""
    above = sorted(tried for tried in search.results if tried > side)
    if not above:
        return Outcome()
    outcome = outcome_of_probe(search.results[above[0]], spec, above[0], side or None)
    found = outcome.status is OutcomeStatus.OOM and side > 0
    return outcome.model_copy(update={"status": OutcomeStatus.OK}) if found else outcome
