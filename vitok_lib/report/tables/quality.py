"""The table of one benchmark: a row a tokenizer, published values next to measured ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.formatting import JOINT, caveats, joined, number, outcome, places
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.rates import places_by_rate, rate_of
from vitok_lib.report.data.record_view import Entry, natural, of_case
from vitok_lib.report.page.content import NOT_MEASURED, Head, Link, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import QUALITY, count_words, digits, in_order, is_distance, label, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

ALL = "all"
"""What a page asks for instead of naming quantities."""

UNKNOWN: Sentence = (Note("–"),)
MEASURED_HERE = "measured here"
PIXEL_BITS = 24


@dataclass(frozen=True)
class Column:
    """Values of one quantity from one origin: a source of published figures, or None for what was measured here.

    ``count`` is the n of every value in it whose record ended well; None where they differ. It is the ``first`` of
    its origin, which also says how a record ended.
    """

    quantity: str
    unit: str
    source: str | None
    count: int | None
    first: bool

    def holds(self, entry: Entry) -> bool:
        return _is_of(entry, self.source)


def _is_of(entry: Entry, source: str | None) -> bool:
    return entry.measured if source is None else entry.origin == source


@dataclass(frozen=True)
class Ranking:
    """For each quantity the best entries, and the entries that are compared at another n than their own."""

    best: Mapping[str, Mapping[str, Ranked]]
    elsewhere: Mapping[str, Mapping[str, Ranked]]


def quality_table(entries: Sequence[Entry], case: str, quantities: Sequence[str]) -> Table:
    """One benchmark and resolution, such as ``div8k-1024``, with ``quantities`` in the order of the catalogue.

    A row is a tokenizer with its settings; rows of one study, and in it of one rate, are together. Each quantity has a
    column for each source that published it and, where a record has it, one for what was measured. The best of each
    protocol at each rate is marked in any column.
    ``quantities`` that read ``all`` are every quality that a record of the case holds.

    Raises:
        RequestError: there is no record of ``case``, or none that holds one of the ``quantities`` that are named.
    """
    found = of_case(entries, case)
    held = {value.quantity for entry in found for value in entry.record.values}
    asked = in_order(held & QUALITY if list(quantities) == [ALL] else quantities)
    missing = [quantity for quantity in asked if quantity not in held]
    if missing or not asked:
        raise RequestError(
            f"no record of '{case}' holds {', '.join(missing) or 'a quality'}; they hold: {', '.join(in_order(held))}"
        )
    columns = _columns(found, asked)
    rows: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(found, key=lambda entry: [natural(part) for part in entry.row]):
        rows.setdefault(entry.row, []).append(entry)
    groups = _groups(list(rows.values()), entries)
    # A record that another study's takes the row of still counts in the ranking of its own study.
    every = [entry for entry in entries if entry.case == case]
    ranking = Ranking(
        {quantity: paired.winners(every, quantity) for quantity in asked},
        {quantity: protocol.at_smaller_n(every, quantity) for quantity in asked},
    )
    measured = any(entry.measured for entry in found)
    printed: list[list[Sentence]] = []
    starts: list[int] = []
    for group in groups:
        start = len(printed)
        for row in group:
            cells = [_cell(row, column, ranking) for column in columns]
            if not any(isinstance(part, Number) for cell in cells for part in cell):
                continue
            study = tuple(joined([Note(entry.study) for entry in row if entry.measured]))
            lead: list[Sentence] = [_title(row[0]), ratio(row), *([study] if measured else [])]
            printed.append([*lead, *cells])
        starts += [start] if start < len(printed) else []
    return Table(
        heads=_heads(columns, measured),
        rows=printed,
        groups=starts,
        notes=[
            *([] if measured or list(quantities) != [ALL] else [say("nothing_measured", case=case)]),
            *_printed_in(found),
            *_apart(every, asked),
            *caveats(_shown(found, asked)),
        ],
    )


def _groups(rows: Sequence[list[Entry]], entries: Sequence[Entry]) -> list[list[list[Entry]]]:
    """``rows`` by study, in the order of ``entries``, and within a study by rate, the lowest first, unknown ones last.

    What was published alone comes last.
    """
    studies = list(dict.fromkeys(entry.study for entry in entries if entry.measured))
    by_study: dict[str | None, list[list[Entry]]] = {study: [] for study in [*studies, None]}
    for row in rows:
        by_study[next((entry.study for entry in row if entry.measured), None)].append(row)
    groups: list[list[list[Entry]]] = []
    for held in by_study.values():
        rates = [rate_of(next((entry for entry in row if entry.measured), row[0])) for row in held]
        groups += [[held[place] for place in places] for places in places_by_rate(rates)]
        groups.append([row for row, rate in zip(held, rates, strict=True) if not rate])
    return groups


def _columns(found: Sequence[Entry], quantities: Sequence[str]) -> list[Column]:
    sources: list[str | None] = [*sorted({entry.origin for entry in found if entry.published})]
    sources += [None] if any(entry.measured for entry in found) else []
    columns: list[Column] = []
    for quantity in quantities:
        holders = [entry for entry in found if entry.record.value(quantity)]
        unit = holders[0].value(quantity).unit
        for source in sources:
            held = [entry for entry in holders if _is_of(entry, source)]
            if held or source is None:
                first = all(column.source != source for column in columns)
                columns.append(Column(quantity, unit, source, _shared_count(held, quantity), first))
    return columns


def _shared_count(held: Sequence[Entry], quantity: str) -> int | None:
    whole = [entry for entry in held if entry.record.outcome.status == OutcomeStatus.OK]
    counts = {entry.value(quantity).n for entry in whole or held}
    return counts.pop() if len(counts) == 1 else None


def _heads(columns: Sequence[Column], measured: bool) -> list[list[Head]]:
    lead = [Head("Tokenizer"), Head("Ratio")]
    lead += [Head("Study")] if measured else []
    if not any(column.source for column in columns):
        return [[*lead, *(Head(label(column.quantity, column.unit) + _counted(column)) for column in columns)]]
    top: list[Head] = [Head("", span=len(lead))]
    for quantity, group in groupby(columns, key=lambda column: column.quantity):
        held = list(group)
        top.append(Head(label(quantity, held[0].unit), span=len(held)))
    below = [*lead, *(Head((column.source or MEASURED_HERE) + _counted(column)) for column in columns)]
    return [top, below]


def _counted(column: Column) -> str:
    return "" if column.count is None else f", {count_words(column.quantity, column.count)}"


def _title(entry: Entry) -> Sentence:
    link = Link(entry.record.tokenizer.name, entry.anchor)
    return (link, Note(f" {entry.variant}")) if entry.variant else (link,)


def ratio(row: Sequence[Entry]) -> Sentence:
    """Pixel values for each latent value, from the architecture; of a codec, pixel bits for each bit of its streams."""
    known = row[0].record.tokenizer.compression_ratio
    if known is not None:
        tip = "derived: pixel values for each latent value, from the architecture"
        return (Number(f"{digits('ratio', known)} : 1", Kind.DERIVED, tip, row[0].anchor),)
    for entry in row:
        rate = entry.record.value("bpp")
        if rate is not None and rate.value > 0:
            tip = (
                f"derived: {PIXEL_BITS} bits of an 8-bit RGB pixel over the mean rate, {digits('bpp', rate.value)} "
                f"{rate.unit}; a ratio of bits, not of numbers"
            )
            shown = Number(f"{digits('ratio', round(PIXEL_BITS / rate.value, 1))} : 1", Kind.DERIVED, tip, entry.anchor)
            return (shown, JOINT, Note("in bits"))
    return UNKNOWN


def _cell(row: Sequence[Entry], column: Column, ranking: Ranking) -> Sentence:
    """What one column says of one row."""
    parts: list[Part] = []
    winners, elsewhere = ranking.best[column.quantity], ranking.elsewhere[column.quantity]
    for entry in filter(column.holds, row):
        value = entry.record.value(column.quantity)
        if value:
            compared = elsewhere.get(entry.name)
            parts.append(number(entry, value, best=compared is None and entry.name in winners))
            said_once = column.count is None and not column.first and not is_distance(column.quantity)
            if value.n is not None and value.n != column.count and not said_once:
                parts.append(Note(count_words(column.quantity, value.n)))
            if compared:
                parts.append(number(entry, compared.value, best=entry.name in winners))
                parts.append(Note(f"compared at {count_words(column.quantity, compared.value.n)}"))
        if entry.record.outcome.status != OutcomeStatus.OK and column.first:
            parts.append(outcome(entry))
    if not parts and column.source is None:
        return (Note(NOT_MEASURED),)
    return tuple(joined(parts))


def _shown(found: Sequence[Entry], quantities: Sequence[str]) -> list[tuple[str, str]]:
    return [
        (quantity, entry.record.tokenizer.name)
        for quantity in quantities
        for entry in found
        if entry.record.value(quantity)
    ]


def _printed_in(found: Sequence[Entry]) -> list[Sentence]:
    """Where the published values of the table can be read."""
    links = places(found)
    return [say("printed_in", places=links)] if links else []


def _apart(every: Sequence[Entry], quantities: Sequence[str]) -> list[Sentence]:
    """What is not ranked because the records hold it at no common n."""
    return [
        say("no_common_n", metric=name_of(quantity), counts=protocol.counts_text(counts))
        for quantity in quantities
        for counts in protocol.without_common_n(every, quantity)
    ]
