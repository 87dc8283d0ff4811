"""The audit of all records: what each must hold by itself, and what follows from several of them together.

Each finding is one sentence that names the record. A file that cannot be read is a finding like any other. What the
records of machines must add up to is in :mod:`vitok_lib.check.sums`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vitok_lib.check import sums
from vitok_lib.errors import RequestError
from vitok_lib.metrics.signature import METRICS
from vitok_lib.metrics.statistics import METHOD, mean_interval
from vitok_lib.published.study import PUBLISHED, published_records
from vitok_lib.records.schema import OutcomeStatus, Record, Value
from vitok_lib.records.store import read_record, record_files, results_root, slug

Found = tuple[Path, Record]
_ROUNDING = 1e-9
LARGEST = ("max_difference", "chunked_difference")
"""Quantities that are the largest over single images, and no mean."""


def audit() -> list[str]:
    """Every finding about the records of this results folder, a sentence each.

    Raises:
        RequestError: there is no results folder, or no record in it.
    """
    root = results_root()
    files = record_files()
    if not files:
        raise RequestError(f"there is no record in '{root}'; set VITOK_RESULTS to the folder that holds the studies")
    found: list[Found] = []
    findings: list[str] = []
    for path in files:
        try:
            found.append((path, read_record(path)))
        except RequestError as error:
            findings.append(str(error).replace("\n", " "))
    for path, record in found:
        checks = (_place, _origin, _values, _outcome, _samples, sums.of_one)
        findings += [f"record '{_name(path)}' {told}" for check in checks for told in check(path, record)]
    findings += _equal_n(found)
    findings += [
        f"records '{_name(first)}' and '{_name(second)}' {told}" for first, second, told in sums.of_alike(found)
    ]
    return [*findings, *_left_over(root, found), *_published(root, dict(found))]


def _name(path: Path) -> str:
    return "/".join((*path.parts[-3:-1], path.stem))


def _place(path: Path, record: Record) -> Iterator[str]:
    folder = f"{slug(record.benchmark)}-{record.resolution}"
    if path.parent.name != folder:
        yield f"belongs into '{folder}' by its benchmark and resolution"
    if path.stem.partition("@")[0] != slug(record.tokenizer.name):
        yield f"is of tokenizer '{record.tokenizer.name}', which its file does not name"


def _origin(path: Path, record: Record) -> Iterator[str]:
    study = path.parent.parent.name
    if (record.source is not None) != (study == PUBLISHED):
        yield f"has {'a source' if record.source else 'a provenance'}, which study '{study}' does not take"


def _values(path: Path, record: Record) -> Iterator[str]:
    own = {value.quantity: value for value in record.values}
    for value in (*record.values, *record.smaller_n):
        yield from _value(value, record)
    for value in record.smaller_n:
        whole = own.get(value.quantity)
        if whole is None or value.n is None or whole.n is None or value.n >= whole.n:
            yield f"holds '{value.quantity}' at n = {value.n} beside its own, which should be over more images"


def _value(value: Value, record: Record) -> Iterator[str]:
    if not math.isfinite(value.value):
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
    """Whether the means of a record, and their intervals, are those of the single images that it keeps."""
    if record.samples is None:
        return
    import pandas as pd

    try:
        table = pd.read_parquet(path.parent / record.samples)
    except (OSError, ValueError) as error:
        yield f"names '{record.samples}', which cannot be read: {' '.join(str(error).split())}"
        return
    for value in record.values:
        if value.quantity not in table.columns:
            continue
        column = table[value.quantity].dropna().tolist()
        if len(column) != value.n:
            yield f"holds '{value.quantity}' at n = {value.n}, and {len(column)} single images have one"
            continue
        largest = value.quantity in LARGEST
        found, words = (max(column), "largest") if largest else (math.fsum(column) / len(column), "mean")
        if not math.isclose(found, value.value, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            yield f"holds '{value.quantity}' = {value.value:g}, and the {words} of its single images is {found:g}"
        whole = not largest and all(map(math.isfinite, column))
        yield from _interval(value, mean_interval(column) if whole else None)


def _interval(value: Value, expected: tuple[float, float] | None) -> Iterator[str]:
    """Whether the interval of a mean is that of the single images, by the method that it names."""
    held = value.interval
    if held is None or expected is None:
        if held is not None or expected is not None:
            with_one = "with" if held else "without"
            yield f"holds '{value.quantity}' over n = {value.n} single images {with_one} an interval"
        return
    pairs = zip((held.low, held.high), expected, strict=True)
    close = all(math.isclose(*ends, rel_tol=_ROUNDING, abs_tol=_ROUNDING) for ends in pairs)
    if METHOD not in held.method or not close:
        yield (
            f"holds '{value.quantity}' with the interval [{held.low:g}, {held.high:g}] by {held.method}, and "
            f"that of its single images by {METHOD} is [{expected[0]:g}, {expected[1]:g}]"
        )


def _equal_n(found: Sequence[Found]) -> Iterator[str]:
    """Tokenizers that share a protocol rest on equally many images, or else one of them lost some unseen."""
    groups: dict[tuple[object, ...], dict[int | None, Path]] = defaultdict(dict)
    for path, record in found:
        if record.source is not None or record.outcome.status != OutcomeStatus.OK:
            continue
        for value in record.values:
            if value.quantity in METRICS:
                images = record.images
                place = (path.parent, images.manifest_sha256, images.rule)
                groups[*place, value.quantity, value.signature].setdefault(value.n, path)
    for (*_, quantity, _), by_count in groups.items():
        if len(by_count) > 1:
            told = ", ".join(f"n = {n} in '{_name(path)}'" for n, path in by_count.items())
            yield f"'{quantity}' of one protocol rests on different numbers of images: {told}"


def _left_over(root: Path, found: Sequence[Found]) -> Iterator[str]:
    named = {path.parent / record.samples for path, record in found if record.samples}
    for path in record_files(".parquet"):
        if path not in named:
            yield f"file '{path.relative_to(root)}' belongs to no record"


def _published(root: Path, found: Mapping[Path, Record]) -> Iterator[str]:
    """Whether the published study is what the table of published figures gives."""
    wanted = published_records()
    if not any(path.exists() for path in wanted):
        yield f"study '{PUBLISHED}' is missing from '{root}': python -m vitok_lib.published writes it"
        return
    for path, record in wanted.items():
        if not path.exists():
            yield f"record '{_name(path)}' is missing: python -m vitok_lib.published writes it"
        elif path in found and found[path] != record:
            yield f"record '{_name(path)}' differs from the table of published figures"
    for path in sorted({path for path in record_files() if path.parts[-3] == PUBLISHED} - wanted.keys()):
        yield f"record '{_name(path)}' is in no table of published figures"
