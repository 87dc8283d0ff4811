"""What the records of a machine's speed and memory must add up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from vitok_lib.records.schema import OutcomeStatus, Record, Value

CLOSE = 0.01
"""Relative: what is arithmetic on other values of the record may differ from them by rounding alone."""

NOISE = 0.1
"""Relative: two runs of one architecture on one machine are no further apart, beyond their intervals."""

PASSES = 0.25
"""Relative: two passes over a few images, as of the stages and of the whole, are no further apart."""

MILLISECONDS = 1000.0
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
BYTES_IN_FP8 = 1
AFTER_LOADING = ("stage_copy", "stage_encode", "stage_decode", "stage_metric")
TIMES = ("latency", "encode_latency", "decode_latency")
PEAKS = ("model_peak", "evaluation_peak")
"""Neither holds the other: an evaluation is measured apart, and its images wait in 8 bits."""


def of_one(path: Path, record: Record) -> Iterator[str]:
    """What is wrong within a measured record, each as the end of a sentence about it."""
    if record.source is not None:
        return
    held = {value.quantity: value.value for value in record.values}
    yield from _products(held)
    yield from _memory(record, held)
    yield from _chain(held)
    largest = held.get("largest_resolution")
    if largest is not None and largest > record.resolution:
        yield f"holds a largest resolution of {largest:g} px, above the {record.resolution} px that were tried"


def of_alike(found: Sequence[tuple[Path, Record]]) -> Iterator[tuple[Path, Path, str]]:
    """Pairs of one architecture, run alike on one machine, that took different times.

    The channels of the latent hardly change the work, so that ``5B-f16x16`` and ``5B-f16x64`` take the same time.
    """
    groups: dict[tuple[object, ...], list[tuple[Path, Record]]] = defaultdict(list)
    for path, record in found:
        variant, run = record.tokenizer.variant, record.provenance
        if variant is not None and run is not None and record.outcome.status == OutcomeStatus.OK:
            architecture = variant.rpartition("x")[0]
            settings = (record.settings.model_dump_json(), path.stem.partition("@")[2])
            groups[path.parent, architecture, settings, run.host.model_dump_json()].append((path, record))
    for group in groups.values():
        for (first, one), (second, other) in combinations(group, 2):
            for quantity in TIMES:
                values = one.value(quantity), other.value(quantity)
                if values[0] is not None and values[1] is not None and not _alike(values[0], values[1]):
                    times = f"{values[0].value:g} and {values[1].value:g} {values[0].unit}"
                    yield first, second, f"are of one architecture, run alike, and their '{quantity}' is {times}"


def _products(held: dict[str, float]) -> Iterator[str]:
    """Each product of values that another value must equal."""
    latency = held.get("latency")
    linear, attention = held.get("work_linear"), held.get("work_attention")
    expected = {
        "throughput": MILLISECONDS / latency if latency else None,
        "work": linear + attention if linear is not None and attention is not None else None,
        "rate": held["work"] * MILLISECONDS / latency if latency and "work" in held else None,
        "utilisation": _utilisation(held),
        "device_latency": _sum(held, "stage_encode", "stage_decode"),
    }
    whole = held.get("end_to_end_latency")
    expected["end_to_end_throughput"] = MILLISECONDS / whole if whole else None
    for quantity, value in expected.items():
        if value is not None and quantity in held and abs(held[quantity] - value) > CLOSE * abs(value):
            yield f"holds '{quantity}' = {held[quantity]:g}, and its other values give {value:g}"


def _utilisation(held: dict[str, float]) -> float | None:
    """The least time of the matrix products at the peak throughput of their run, in percent of the time taken."""
    linear, attention, latency = (held.get(name) for name in ("work_linear", "work_attention", "latency"))
    rate, ceiling, of_attention = (held.get(name) for name in ("rate", "ceiling_matmul", "ceiling_attention"))
    if of_attention is None:
        return 100 * rate / ceiling if rate is not None and ceiling else None
    if linear is None or attention is None or not latency or not ceiling:
        return None
    return 100 * (linear / ceiling + attention / of_attention) * MILLISECONDS / latency


def _sum(held: dict[str, float], *quantities: str) -> float | None:
    return sum(held[name] for name in quantities) if all(name in held for name in quantities) else None


def _chain(held: dict[str, float]) -> Iterator[str]:
    """Whether the end-to-end time is at least that of all stages after loading."""
    least, whole = _sum(held, *AFTER_LOADING), held.get("end_to_end_latency")
    if least is not None and whole is not None and whole < (1 - PASSES) * least:
        yield f"holds 'end_to_end_latency' = {whole:g}, and its stages after loading take {least:g}"


def _memory(record: Record, held: dict[str, float]) -> Iterator[str]:
    for peak in PEAKS:
        if peak in held and "weights" in held and held[peak] < held["weights"]:
            yield f"holds '{peak}' = {held[peak]:g} GiB below its 'weights' = {held['weights']:g} GiB"
    settings, parameters = record.settings, record.tokenizer.parameters
    size = BYTES_IN_FP8 if settings.precision == "fp8" else BYTES.get(settings.dtype or "")
    if parameters is None or size is None:
        return
    least = parameters * size / 2**30
    for quantity in ("peak_memory", "weights", *PEAKS):
        if quantity in held and held[quantity] < (1 - CLOSE) * least:
            yield f"holds '{quantity}' = {held[quantity]:g} GiB, and its weights alone take {least:.3g} GiB"


def _alike(first: Value, second: Value) -> bool:
    widths = sum(value.interval.high - value.interval.low for value in (first, second) if value.interval is not None)
    return abs(first.value - second.value) <= NOISE * min(first.value, second.value) + widths
