"""From the timings of a configuration to the values of its record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from vitok_lib.cost.peak_rates import COPY, GIGA, TERA, PeakRates
from vitok_lib.measure.speed.peak_rates import FP8
from vitok_lib.measure.speed.state import BenchmarkState
from vitok_lib.measure.speed.timer import median, median_interval, percentile_95
from vitok_lib.records.schema import Interval, Kind, Settings, Value

STAGES = ("encode", "decode")


def precision_of(settings: Settings) -> str | None:
    """What the products of a tokenizer are taken in; None where it takes none."""
    return FP8 if settings.precision == FP8 else settings.dtype


def per_round(state: BenchmarkState, stages: Sequence[str] = STAGES) -> list[float]:
    """Of each round the median of its calls, in milliseconds for the whole batch, over all of ``stages`` together."""
    rounds: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in state.samples:
        rounds[sample.number][sample.stage].append(sample.milliseconds)
    return [median(_totals(calls, stages)) for _, calls in sorted(rounds.items())]


def _totals(calls: Mapping[str, Sequence[float]], stages: Sequence[str]) -> list[float]:
    return [sum(parts) for parts in zip(*(calls[stage] for stage in stages), strict=True)]


def all_calls(state: BenchmarkState) -> list[float]:
    """Milliseconds of every call, encoding and decoding a batch."""
    calls: dict[str, list[float]] = defaultdict(list)
    for sample in state.samples:
        calls[sample.stage].append(sample.milliseconds)
    return _totals(calls, STAGES)


def speed_values(state: BenchmarkState, measured: Mapping[str, float]) -> list[Value]:
    """All but errors and the chain from files, which are measured apart; nothing for one that was never timed.

    ``measured`` are the peak rates of the run, from :func:`vitok_lib.measure.speed.peak_rates.measure_peak_rates`.
    """
    values: list[Value] = []
    precision, dtype = precision_of(state.settings), str(state.settings.dtype)
    rates = None
    if precision is not None and precision in measured:  # attention multiplies in the dtype whatever the precision
        rates = PeakRates(measured[precision], measured[COPY], measured[dtype])
    if state.samples:
        values = _timings(state) + _ratio(state) + _work(state, rates)
    if rates is not None:
        signature = f"matmul|{precision}|random|before and after|v2"
        values.append(_value("ceiling_matmul", rates.matmul / TERA, "TFLOP/s", signature=signature))
        if precision != dtype:
            signature = f"matmul|{dtype}|random|before and after|v2"
            values.append(_value("ceiling_attention", rates.of_attention / TERA, "TFLOP/s", signature=signature))
    values.append(
        _value("ceiling_copy", measured[COPY] / GIGA, "GB/s", signature="copy|read+write|before and after|v2")
    )
    if state.settings.compile is not None and state.samples:
        values.append(_value("compile_time", state.compile_seconds, "s"))
        values.append(_value("graphs", state.graphs, "count"))
        values.append(_value("recompilations", state.recompilations, "count"))
    if state.peak_bytes is not None:
        values.append(_value("peak_memory", state.peak_bytes / 2**30, "GiB", signature="torch-allocated|model|v1"))
    clocks = [sample.clock_mhz for sample in state.samples if sample.clock_mhz is not None]
    if clocks:
        values.append(_value("clock", median(clocks), "MHz"))
    return values


def _timings(state: BenchmarkState) -> list[Value]:
    batch, values = state.config.batch, []
    for quantity, stages in (("encode_latency", STAGES[:1]), ("decode_latency", STAGES[1:]), ("latency", STAGES)):
        rounds = [milliseconds / batch for milliseconds in per_round(state, stages)]
        signature = f"latency|{'+'.join(stages)}|median|batch:{batch}|v1"
        values.append(
            _value(quantity, median(rounds), "ms", len(rounds), interval=median_interval(rounds), signature=signature)
        )
    calls = [milliseconds / batch for milliseconds in all_calls(state)]
    signature = f"latency|encode+decode|p95|batch:{batch}|v1"
    values.append(_value("latency_p95", percentile_95(calls), "ms", len(calls), signature=signature))
    values.append(_derived("throughput", 1e3 / values[2].value, "img/s", values[2].n))
    return values


def ratio_to(baseline: BenchmarkState, state: BenchmarkState) -> tuple[str, str]:
    """The quantity that compares a configuration with its baseline, and its signature.

    ``speedup`` at one size is how many times as fast it is, ``relative_time`` at another how many times as long it
    takes.
    """
    stem = baseline.record_path.stem
    if state.batch == baseline.batch:
        return "speedup", f"speedup|per-round ratio|median|to:{stem}|v1"
    size = f"{baseline.height}x{baseline.width} px"
    return "relative_time", f"relative-time|per-round ratio|median|to:{stem} at {size}|v1"


def _ratio(state: BenchmarkState) -> list[Value]:
    """Median ratio of the rounds with its own paired interval; nothing where the two were not timed round by round."""
    baseline = state.baseline
    if baseline is None or not baseline.finished:
        return []
    quantity, signature = ratio_to(baseline, state)
    pairs = zip(per_round(state), per_round(baseline), strict=True)
    ratios = [of_baseline / ours if quantity == "speedup" else ours / of_baseline for ours, of_baseline in pairs]
    interval = median_interval(ratios)
    return [_derived(quantity, median(ratios), "×", len(ratios), interval=interval, signature=signature)]


def _work(state: BenchmarkState, rates: PeakRates | None) -> list[Value]:
    """FLOPs of one image by formula, their rate, and the least time at the peak rates over the time taken."""
    work = state.work
    if work is None:
        return []
    linear, attention = (work.encoder.linear + work.decoder.linear), (work.encoder.attention + work.decoder.attention)
    seconds = median(per_round(state)) / state.config.batch * 1e-3
    values = [
        _derived("work", work.total / TERA, "TFLOP"),
        _derived("work_linear", linear / TERA, "TFLOP"),
        _derived("work_attention", attention / TERA, "TFLOP"),
        _derived("rate", work.total / seconds / TERA, "TFLOP/s"),
    ]
    if rates is not None:
        least = linear / rates.matmul + attention / rates.of_attention
        values.append(_derived("utilisation", 100 * least / seconds, "%"))
    return values


def _value(
    quantity: str,
    value: float,
    unit: str,
    n: int | None = None,
    *,
    kind: Kind = Kind.MEASURED,
    interval: Interval | None = None,
    signature: str | None = None,
) -> Value:
    return Value(quantity=quantity, value=value, unit=unit, kind=kind, n=n, interval=interval, signature=signature)


def _derived(
    quantity: str,
    value: float,
    unit: str,
    n: int | None = None,
    *,
    interval: Interval | None = None,
    signature: str | None = None,
) -> Value:
    return _value(quantity, value, unit, n, kind=Kind.DERIVED, interval=interval, signature=signature)
