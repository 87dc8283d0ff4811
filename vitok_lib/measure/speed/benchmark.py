"""How fast tokenizers are: an interleaved benchmark that times all configurations round by round, on one machine.

Two speeds compare where they come from one run. An error or too little memory is the record of its configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import pandas as pd

from vitok_lib.errors import RequestError, error_text
from vitok_lib.images.prepare import check_resolution
from vitok_lib.images.sets import ImageSet, opened
from vitok_lib.measure.common.context import Context, ContextOptions, Log
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.common.reuse import damage_of, from_record, say_damage
from vitok_lib.measure.quality.request import DEFAULT_METRICS
from vitok_lib.measure.speed.compile_stats import side_by_side
from vitok_lib.measure.speed.interleaved import Effort, measure_interleaved
from vitok_lib.measure.speed.peak_rates import measure_peak_rates
from vitok_lib.measure.speed.pipeline import ChainRequest
from vitok_lib.measure.speed.results import precision_of, ratio_to, speed_values
from vitok_lib.measure.speed.state import BenchmarkState, drop, size_of
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Outcome, OutcomeStatus, Provenance, Record
from vitok_lib.records.store import atomic, check_writable, read_record, write_record
from vitok_lib.tokenizers.load import check_device

BENCHMARK, SECONDS, ITERATIONS = "speed", 2.0, 10
UNCOMPARED = "timed whole; the run ended before what was to follow, so that errors are missing"
"""Of a record that is written when the rounds are done, and written again when the rest is."""


def measure_speed(
    configurations: Sequence[RunConfig],
    *,
    resolution: int,
    height: int | None = None,
    width: int | None = None,
    sizes: Sequence[tuple[int, int] | None] = (),
    seconds: float = SECONDS,
    iterations: int = ITERATIONS,
    benchmark: str = BENCHMARK,
    image_set: str | Path | ImageSet | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    **context: Unpack[ContextOptions],
) -> list[Record]:
    """Time ``configurations`` on random images and keep a record of each; the first is the baseline.

    Weights and images are on the device. Each is compiled and warmed up until it is steady, then all encode and decode
    in interleaved rounds, the same fresh images in a round. The machine's peak rates, before and after, of which the
    larger counts, each configuration's numerical error, and the time from a file to a metric are measured in the same
    run. What does not fit next to the others is
    tried once more alone. Records are written when the rounds are done, and again when all is, so that a run that is
    stopped keeps its timings. A run answers from its records where all are there, of one run on this machine.

    Args:
        resolution: the longest side of the images in pixels.
        height, width: of the images; None: ``resolution``.
        sizes: height and width for each configuration that has a size of its own, None for the others; its record is
            among those of that resolution, and its baseline the same configuration at the size of the run, if any.
        seconds, iterations: minimum timing and minimum rounds per configuration.
        benchmark: the name that the records go by.
        image_set: take images of this set from the file to the metrics too.
        metrics: those metrics, of single images.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Returns:
        The records in the order of the configurations; latencies are those of one image.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    own, effort, started = Context(**context), Effort(seconds, iterations), datetime.now(UTC)
    size = size_of(resolution, height, width)
    _check(configurations, sizes, effort)
    images = None if image_set is None else opened(image_set)
    if images is None and tuple(metrics) != DEFAULT_METRICS:
        raise RequestError(f"metrics (={','.join(metrics)}) are taken of images; name an image set too")
    chain = None if images is None else ChainRequest(images, tuple(metrics))
    states = [
        BenchmarkState(config, *(at or size), benchmark, own.study)
        for config, at in zip(configurations, sizes or [None] * len(configurations), strict=True)
    ]
    for state in states:
        state.baseline = _baseline(state, states, size)
        state.load()
    _check_places(states)
    recorded = None if own.again else _recorded(states, chain)
    if recorded is not None:
        drop(states)
        for record in recorded:
            own.log(from_record(record))
        return recorded

    for state in states:
        say_damage(state.record_path, own)
    check_writable(states[0].record_path)  # a run may take long, and ends with nothing where it cannot be kept
    precisions = {name for state in states for name in (precision_of(state.settings), state.settings.dtype) if name}
    clock, rates = Clock(states[0].device), dict[str, float]()

    def measure_peaks() -> None:
        own.log("measuring the machine's peak rates")
        found = measure_peak_rates(sorted(precisions), clock, seconds / 2, iterations)
        rates.update({name: max(rate, rates.get(name, 0.0)) for name, rate in found.items()})

    def measure_peaks_again() -> None:
        try:
            measure_peaks()
        except Exception as error:  # such as a GPU that was lost on the way: what was timed is kept
            own.log(f"the peak rates are those from before the rounds alone: {error_text(error)}")

    measure_peaks()
    repeated = command(
        Measurement(
            "measure_speed",
            tuple(state.config for state in states),
            {
                "resolution": resolution,
                **({} if size[0] == size[1] else {"height": size[0], "width": size[1]}),
                "sizes": list(sizes) if any(sizes) else None,
                "seconds": seconds if seconds != SECONDS else None,
                "iterations": iterations if iterations != ITERATIONS else None,
                "benchmark": benchmark,
                "image_set": None if images is None else getattr(images, "opened_as", None) or images.name,
                "metrics": None if chain is None or chain.metrics == DEFAULT_METRICS else list(chain.metrics),
                "study": own.study,
            },
        )
    )

    def keep(state: BenchmarkState) -> Record:
        return _write(state, rates, own.provenance(repeated, started, state.device))

    with side_by_side():
        return _measure(states, effort, chain, own.log, keep, measure_peaks_again)


def _measure(
    states: Sequence[BenchmarkState],
    effort: Effort,
    chain: ChainRequest | None,
    log: Log,
    keep: Callable[[BenchmarkState], Record],
    finish: Callable[[], None],
) -> list[Record]:
    """All together, then ``finish``, and then alone whichever did not fit next to the others; a record of each."""
    measure_interleaved(states, effort, chain, log, keep)
    finish()
    records: list[Record | None] = []
    for state in states:
        crowded = len(states) > 1 and state.outcome.status is OutcomeStatus.OOM
        records.append(None if crowded else keep(state))

    def again(state: BenchmarkState) -> Record:
        alone = BenchmarkState(state.config, state.height, state.width, state.benchmark, state.study)
        alone.load()
        measure_interleaved([alone], effort, chain, log, keep)
        return keep(alone)

    return [record or again(state) for state, record in zip(states, records, strict=True)]


def _check(
    configurations: Sequence[RunConfig],
    sizes: Sequence[tuple[int, int] | None],
    effort: Effort,
) -> None:
    if not configurations:
        raise RequestError("nothing to measure: name at least one tokenizer")
    if sizes and len(sizes) != len(configurations):
        raise RequestError(f"sizes ({len(sizes)}) must be one for each of {len(configurations)} configurations")
    for side in (side for at in sizes if at is not None for side in at):
        check_resolution(side)
    for field in ("device", "batch"):
        values = list(dict.fromkeys(getattr(config, field) for config in configurations))
        if len(values) > 1:
            raise RequestError(
                f"{field} must be one in a run, not {' and '.join(map(str, values))}; measure them apart"
            )
    check_device(configurations[0].device)
    if effort.iterations < 1:
        raise RequestError(f"iterations (={effort.iterations}) must be at least 1 round")
    if not 0 <= effort.seconds < math.inf:
        raise RequestError(f"seconds (={effort.seconds}) must be 0 or more, and finite")


def _check_places(states: Sequence[BenchmarkState]) -> None:
    places = [state.record_path for state in states]
    for state, place in zip(states, places, strict=True):
        if places.count(place) > 1:
            raise RequestError(f"{state} is there twice and would have one record, '{place.name}'; leave one out")


def _baseline(state: BenchmarkState, states: Sequence[BenchmarkState], size: tuple[int, int]) -> BenchmarkState:
    """Of one with a size of its own the same configuration at the run's size, where there is one; else the first."""
    if (state.height, state.width) != size:
        for other in states:
            if other.config == state.config and (other.height, other.width) == size:
                return other
    return states[0]


def _recorded(states: Sequence[BenchmarkState], chain: ChainRequest | None) -> list[Record] | None:
    """The records of all ``states`` where each is there and whole and all are of one run: no others compare."""
    records = []
    for state in states:
        record = read_record(state.record_path) if state.record_path.exists() else None
        if record is None or not state.asked.is_answered_by(record) or not _is_whole(record, state, chain):
            return None
        if damage_of(state.record_path, record) is not None:
            return None
        records.append(record)
    runs = {record.provenance.started for record in records if record.provenance is not None}
    return records if len(runs) == 1 else None


def _is_whole(record: Record, state: BenchmarkState, asked: ChainRequest | None) -> bool:
    """Whether it holds all that would be measured now, against the same baseline."""
    assert state.baseline is not None
    quantity, signature = ratio_to(state.baseline, state)
    ratio, chain = record.value(quantity), record.value("end_to_end_latency")
    if record.outcome.detail == UNCOMPARED or (ratio is not None and ratio.signature != signature):
        return False
    chained = chain.signature if chain is not None else None
    wanted = asked.signature(state.config.batch) if asked is not None else chained
    return chained == wanted or record.outcome.status is not OutcomeStatus.OK


def _write(state: BenchmarkState, rates: Mapping[str, float], origin: Provenance) -> Record:
    path, outcome = state.record_path, state.outcome
    if state.running and outcome.status is OutcomeStatus.OK:
        outcome = Outcome(detail=UNCOMPARED)
    samples = path.with_suffix(".parquet") if state.samples else None
    record = Record(
        benchmark=state.benchmark,
        resolution=state.resolution,
        tokenizer=state.spec.identity(state.weights),
        images=state.images,
        requested=state.config,
        settings=state.settings,
        outcome=outcome,
        values=(*speed_values(state, rates), *state.values),
        choices=state.choices,
        samples=samples.name if samples else None,
        provenance=origin,
    )
    if samples is not None:
        columns = ["round", "stage", "milliseconds", "clock_mhz"]
        rows = [(sample.number, sample.stage, sample.milliseconds, sample.clock_mhz) for sample in state.samples]
        table = pd.DataFrame(rows, columns=columns).astype({"clock_mhz": "float64"})
        with atomic(samples) as temporary:
            table.to_parquet(temporary, index=False)
    write_record(record, path)
    return record
