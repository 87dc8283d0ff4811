"""What each record must hold by itself: its place, its origin, its values, its outcome and its single images.

Each finding is the end of a sentence that begins with the record's name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from vitok_lib.check import sums
from vitok_lib.errors import RequestError
from vitok_lib.metrics.quantities import bounds_of, interval_over_images, method_of
from vitok_lib.metrics.signature import METRICS
from vitok_lib.metrics.statistics import METHOD, clipped, mean_interval
from vitok_lib.published.study import PUBLISHED
from vitok_lib.records.schema import OutcomeStatus, Record, Value
from vitok_lib.records.store import read_samples, slug

_ROUNDING = 1e-9
LARGEST = ("max_difference", "chunked_difference")
"""Quantities that are the largest over single images, and no mean."""


def of_record(path: Path, record: Record) -> Iterator[str]:
    """Every finding about one record."""
    for check in (_place, _origin, _values, _outcome, _samples, sums.of_one):
        yield from check(path, record)


def _place(path: Path, record: Record) -> Iterator[str]:
    folder = f"{slug(record.benchmark)}-{record.resolution}"
    if path.parent.name != folder:
        yield f"belongs in '{folder}' by its benchmark and resolution"
    if path.stem.partition("@")[0] != slug(record.tokenizer.name):
        yield f"is of tokenizer '{record.tokenizer.name}', which its file does not name"


def _origin(path: Path, record: Record) -> Iterator[str]:
    study = path.parent.parent.name
    if (record.source is not None) != (study == PUBLISHED):
        yield f"has {'a source' if record.source else 'a provenance'}, which study '{study}' does not take"
    source = record.source
    if source is None:
        return
    if not (source.address or source.without_address):
        yield f"has the source '{source.name}' without an address, and without a statement that none is known"
    if source.address and source.read is None:
        yield f"has the source '{source.name}' without the day on which it was read"
    for value in record.values:
        if value.place is None:
            yield f"holds '{value.quantity}' without the table or section of '{source.name}' that prints it"


def _values(path: Path, record: Record) -> Iterator[str]:
    own = {value.quantity: value for value in record.values}
    for value in (*record.values, *record.smaller_n):
        yield from _value(value, record)
    for value in record.smaller_n:
        whole = own.get(value.quantity)
        if whole is None or value.n is None or whole.n is None or value.n >= whole.n:
            yield f"holds '{value.quantity}' at n = {value.n} next to its own, which should be over more images"


def _value(value: Value, record: Record) -> Iterator[str]:
    of_originals = value.quantity == "psnr" and value.value == math.inf and record.tokenizer.family == "folder"
    if not math.isfinite(value.value) and not of_originals:
        yield f"holds '{value.quantity}' = {value.value}, which is not finite"
    if value.n is not None and value.n < 1:
        yield f"holds '{value.quantity}' at n = {value.n}"
    if value.interval is not None:
        low, high = value.interval.low, value.interval.high
        slack = _ROUNDING * max(abs(low), abs(high))
        if not low - slack <= value.value <= high + slack:
            yield f"holds '{value.quantity}' = {value.value:g} outside its interval [{low:g}, {high:g}]"
    metric = METRICS.get(value.quantity)
    if metric is not None and value.unit != metric.unit:
        yield f"gives '{value.quantity}' in '{value.unit}' instead of '{metric.unit}'"
    if metric is not None and record.source is None and value.signature not in (record.metrics or (value.signature,)):
        yield f"holds '{value.quantity}' with the signature '{value.signature}', which it was not asked for"
    if metric is not None and record.source is None and value.signature is None:
        yield f"holds '{value.quantity}' without a signature"


def _outcome(path: Path, record: Record) -> Iterator[str]:
    outcome = record.outcome
    done, failed = outcome.done or 0, outcome.failed or 0
    if outcome.total is not None and done + failed > outcome.total:
        yield f"counts {done} done and {failed} failed of {outcome.total}"
    if outcome.status == OutcomeStatus.OK and outcome.total is not None and done != outcome.total:
        yield f"ended as ok with {done} of {outcome.total} done"
    if outcome.status == OutcomeStatus.OK and not record.values:
        yield "ended as ok and holds no value"


def _samples(path: Path, record: Record) -> Iterator[str]:
    """Whether the means of a record, their intervals and its totals are those of the single images that it keeps."""
    if record.samples is None:
        return
    try:
        table = read_samples(path, record)
    except RequestError as error:
        yield f"names '{record.samples}', which cannot be read: {error}"
        return
    for value in record.values:
        if value.quantity not in table.columns:
            continue
        column = table[value.quantity].dropna().tolist()
        if value.n is None:  # a total, such as a count of lines
            if value.value != sum(column):
                yield f"holds '{value.quantity}' = {value.value:g}, and the single images add up to {sum(column):g}"
            continue
        if len(column) != value.n:
            yield f"holds '{value.quantity}' at n = {value.n}, and {len(column)} single images have one"
            continue
        largest = value.quantity in LARGEST
        found, name = (max(column), "largest") if largest else (math.fsum(column) / len(column), "mean")
        if not math.isclose(found, value.value, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            yield f"holds '{value.quantity}' = {value.value:g}, and the {name} of its single images is {found:g}"
        whole = not largest and all(map(math.isfinite, column))
        yield from _interval(value, column if whole else None)


def _interval(value: Value, column: list[float] | None) -> Iterator[str]:
    """Whether the interval of a mean is that of the single images, by the method that it names.

    Records of before the interval of a share have Student's there; one that is no mean over finite values has none.
    """
    held, method = value.interval, method_of(value.quantity)
    expected = interval_over_images(value.quantity, column) if column is not None else None
    if held is not None and METHOD in held.method and column is not None:
        method, expected = METHOD, clipped(mean_interval(column), bounds_of(value.quantity))
    if held is None or expected is None:
        if held is not None or expected is not None:
            with_one = "with" if held else "without"
            yield f"holds '{value.quantity}' over n = {value.n} single images {with_one} an interval"
        return
    pairs = zip((held.low, held.high), expected, strict=True)
    close = all(math.isclose(*ends, rel_tol=_ROUNDING, abs_tol=_ROUNDING) for ends in pairs)
    if method not in held.method or not close:
        yield (
            f"holds '{value.quantity}' with the interval [{held.low:g}, {held.high:g}] by {held.method}, and "
            f"that of its single images by {method} is [{expected[0]:g}, {expected[1]:g}]"
        )
