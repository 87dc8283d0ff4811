"""The tables of values: a row a tokenizer, published figures beside measured ones, never ranked across protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report import comparison
from vitok_lib.report.comparison import Difference
from vitok_lib.report.entries import Entry, natural, of_case
from vitok_lib.report.parts import (
    LABELS,
    NOT_MEASURED,
    Head,
    Link,
    Note,
    Number,
    Part,
    Sentence,
    Table,
    bracket,
    digits,
    label,
    number,
    outcome,
    signed,
)

EMPTY: Sentence = ()
JOINT: Part = " "
MEASURED_HERE = "measured here"


@dataclass(frozen=True)
class Column:
    """Values of one quantity from one origin: a source of published figures, or None for what was measured here."""

    quantity: str
    unit: str
    source: str | None

    def holds(self, entry: Entry) -> bool:
        return entry.measured if self.source is None else entry.origin == self.source


def quality_table(entries: Sequence[Entry], case: str, quantities: Sequence[str]) -> Table:
    """One benchmark and resolution, such as ``div8k-1024``.

    A row is a tokenizer with its settings. Under each quantity stands a column for each source that published
    it and one for what was measured; the best of each protocol is marked, whatever column it stands in.

    Raises:
        RequestError: there is no record of ``case``, or none that holds one of ``quantities``.
    """
    found = of_case(entries, case)
    columns = _columns(found, quantities)
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(found, key=lambda entry: [natural(part) for part in entry.row]):
        rows.setdefault(entry.row, []).append(entry)
    if not columns:
        held = sorted({value.quantity for entry in found for value in entry.record.values})
        raise RequestError(f"no record of '{case}' holds {', '.join(quantities)}; they hold: {', '.join(held)}")
    # A record that another study's takes the row of still counts in the ranking of its own study.
    every = [entry for entry in entries if entry.case == case]
    winners = {quantity: comparison.best(every, quantity) for quantity in quantities}
    measured = any(entry.measured for entry in found)
    floors = _floors(found, every) if measured else {}
    printed = []
    for row in rows.values():
        cells = [_cell(row, column, columns, found, winners) for column in columns]
        if not any(isinstance(part, Number) for cell in cells for part in cell):
            continue
        lead: list[Sentence] = [_title(row[0]), _ratio(row[0])]
        if measured:
            lead.append(tuple(_joined([Note(entry.study) for entry in row if entry.measured])))
            lead.append(_floor_cell(row, floors))
        else:
            cells.append((Note(NOT_MEASURED),))
        printed.append([*lead, *cells])
    return Table(heads=_heads(columns, found, measured), rows=printed)


def _columns(found: Sequence[Entry], quantities: Sequence[str]) -> list[Column]:
    sources = sorted({entry.origin for entry in found if not entry.measured})
    columns = []
    for quantity in quantities:
        holders = [entry for entry in found if entry.record.value(quantity)]
        if not holders:
            continue
        unit = holders[0].value(quantity).unit
        origins = [source for source in sources if any(entry.origin == source for entry in holders)]
        columns += [Column(quantity, unit, source) for source in origins]
        if any(entry.measured for entry in found):
            columns.append(Column(quantity, unit, None))
    return columns


def _heads(columns: Sequence[Column], found: Sequence[Entry], measured: bool) -> list[list[Head]]:
    lead = [Head("Tokenizer"), Head("Ratio")]
    if measured:
        lead += [Head("Study"), Head(f"Δ {LABELS['psnr']} to the floor, dB")]
    if not any(column.source for column in columns):
        titles = [(label(column.quantity, column.unit), _shared_count(column, found)) for column in columns]
        return [[*lead, *(Head(title + (f", n = {count:,}" if count else "")) for title, count in titles)]]
    top: list[Head] = [Head("", span=len(lead))]
    for quantity, group in groupby(columns, key=lambda column: column.quantity):
        held = list(group)
        top.append(Head(label(quantity, held[0].unit), span=len(held)))
    below = [*lead, *(Head(_column_title(column, found)) for column in columns)]
    # One column says for all quantities that nothing was measured, so that the table stays narrow.
    return [top, below] if measured else [[*top, Head("")], [*below, Head(MEASURED_HERE)]]


def _column_title(column: Column, found: Sequence[Entry]) -> str:
    count = _shared_count(column, found)
    return (column.source or MEASURED_HERE) + (f", n = {count:,}" if count is not None else "")


def _shared_count(column: Column, found: Sequence[Entry]) -> int | None:
    """The number of images behind every value of a column, or None where it is unknown or differs."""
    values = [entry.record.value(column.quantity) for entry in found if column.holds(entry)]
    counts = {value.n for value in values if value}
    return counts.pop() if len(counts) == 1 else None


def _title(entry: Entry) -> Sentence:
    link = Link(entry.record.tokenizer.name, entry.anchor)
    return (link, Note(f" {entry.variant}")) if entry.variant else (link,)


def _ratio(entry: Entry) -> Sentence:
    ratio = entry.record.tokenizer.compression_ratio
    if ratio is None:
        return EMPTY
    tip = "derived: pixel values for each latent value, from the architecture"
    return (Number(f"{digits('ratio', ratio)} : 1", Kind.DERIVED, tip, entry.anchor),)


def _cell(
    row: Sequence[Entry],
    column: Column,
    columns: Sequence[Column],
    found: Sequence[Entry],
    winners: dict[str, set[str]],
) -> Sentence:
    """What one column says of one row; an outcome stands in the first column of its origin."""
    parts: list[Part] = []
    first = next(other for other in columns if other.source == column.source)
    for entry in filter(column.holds, row):
        value = entry.record.value(column.quantity)
        if value:
            parts.append(number(entry, value, best=entry.name in winners[column.quantity]))
            if value.n is not None and column == first and _shared_count(column, found) is None:
                parts.append(Note(f"n = {value.n:,}"))
        elif entry.record.outcome.status != OutcomeStatus.OK and column == first:
            parts.append(outcome(entry))
    if not parts and column.source is None:
        return (Note(NOT_MEASURED),)
    return tuple(_joined(parts))


def _joined(parts: Sequence[Part]) -> list[Part]:
    joined: list[Part] = []
    for part in parts:
        joined += [JOINT, part] if joined else [part]
    return joined


def _floors(found: Sequence[Entry], every: Sequence[Entry]) -> dict[str, Difference]:
    differences = {entry.name: comparison.to_floor(entry, every, "psnr") for entry in found}
    return {name: difference for name, difference in differences.items() if difference}


def _floor_cell(row: Sequence[Entry], floors: dict[str, Difference]) -> Sentence:
    if any(entry.measured and entry.record.tokenizer.name == comparison.FLOOR for entry in row):
        return (Note("the floor"),)
    return tuple(_joined([difference_number(floors[entry.name]) for entry in row if entry.name in floors]))


def difference_number(difference: Difference, *, unit: str = "") -> Number:
    """A paired difference in print; it is derived from two measured records."""
    tip = (
        f"derived: {difference.entry.name} minus {difference.other.name}, paired by image, n = {difference.n:,} images"
    )
    return Number(
        text=signed(difference.quantity, difference.mean) + unit,
        kind=Kind.DERIVED,
        tip=f"{tip} · {difference.interval.level:.0%} interval, {difference.interval.method}",
        anchor=difference.entry.anchor,
        interval=bracket(difference.quantity, difference.interval),
    )


def image_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """The value of each single image: a row an image, a column a tokenizer.

    Raises:
        RequestError: there is no measured record of ``case`` that keeps single images.
    """
    _, shared = comparison.common(entries, case, quantity)
    found = [entry for entry in shared if entry.samples_path and quantity in entry.per_image.columns]
    if not found:
        raise RequestError(f"no record of '{case}' keeps the '{quantity}' of single images")
    found.sort(key=lambda entry: natural(entry.title))
    images = list(dict.fromkeys(image for entry in found for image in entry.per_image["image"]))
    by_image = [dict(zip(entry.per_image["image"], entry.per_image[quantity], strict=True)) for entry in found]
    rows: list[list[Sentence]] = []
    for image in images:
        cells: list[Sentence] = [(str(image),)]
        for entry, values in zip(found, by_image, strict=True):
            tip = f"measured: {image}, study {entry.study} · {entry.value(quantity).signature or 'no signature'}"
            known = image in values
            text = digits(quantity, float(values[image])) if known else ""
            cells.append((Number(text, Kind.MEASURED, tip, entry.anchor),) if known else (Note(NOT_MEASURED),))
        rows.append(cells)
    unit = found[0].value(quantity).unit
    return Table(heads=[[Head(f"Image: {label(quantity, unit)}"), *(Head(entry.title) for entry in found)]], rows=rows)


def floor_table(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Table:
    """How far each measured tokenizer is from the floor: a row a tokenizer, a column a benchmark.

    Raises:
        RequestError: nothing measured in a case holds ``quantity``, or nothing shares a protocol with the floor.
    """
    rows: dict[str, dict[str, Difference]] = {}
    for case in cases:
        _, found = comparison.common(entries, case, quantity)
        for entry in found:
            difference = comparison.to_floor(entry, found, quantity)
            if difference:
                rows.setdefault(entry.title, {})[case] = difference
    printed: list[list[Sentence]] = []
    for title in sorted(rows, key=natural):
        by_case = rows[title]
        first = next(iter(by_case.values())).entry
        cells = [(difference_number(by_case[case]) if case in by_case else Note(NOT_MEASURED),) for case in cases]
        printed.append([(Link(title, first.anchor),), _ratio(first), *cells])
    if not printed:
        raise RequestError(f"no record of {', '.join(cases)} shares a protocol with the floor '{comparison.FLOOR}'")
    return Table(heads=[[Head("Tokenizer"), Head("Ratio"), *(Head(case) for case in cases)]], rows=printed)
