"""Whether a built page ranks the quality of tokenizers of different rates; it reads the page, and not what made it.

Three things rank: a difference of two records, a value boxed as best of its column, and a row or sentence whose words
rank the values in it. The rate of a record is that which was measured, or follows from its compression ratio.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vitok_lib.check.statements import BEST, VALUE, Mark, Statement, statements
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Record
from vitok_lib.report.data.record_view import Entry

EQUAL = 1.05
"""The largest rate over the smallest, of rates that count as equal."""
BITS = 3 * 16
"""Of a pixel's three values at 16 bits each, which a latent value takes too."""
QUALITY = {name: metric.title for name, metric in METRICS.items() if metric.ranked and metric.scope != "rate"}
NOT_OURS = ("runs.html", "claims.html")
"""Pages that list records, and statements of others with their verdicts."""
_DIFFERENCE = re.compile(r"(?:^|: )(\S+/\S+/\S+) minus (\S+/\S+/[^\s,]+)")
_SIGNATURE = re.compile(r"\b([a-z][a-z0-9-]*)\|")
_RANKS = re.compile(r"\b(highest|lowest|best|first|beats?|ahead|above|below|better|worse|runner-up|leads?)\b", re.I)
_OWN_RATIO = re.compile(r"\([\d.]+ : 1\)[^.;]*$")
"""Directly before a value: it is given with its own compression, and so is not ranked with those before it."""


def across_rates(site: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """A sentence for each comparison of quality across rates on the pages of ``site``."""
    by_anchor = {entry.anchor: entry for entry in entries}
    by_name = {entry.name: entry for entry in entries}
    for page in sorted(site.glob("*.html")):
        if page.name in NOT_OURS:
            continue
        found = statements(page)
        for one, other in (*_differences(found, by_name), *_boxed(found, by_anchor), *_worded(found, by_anchor)):
            yield (
                f"page '{page.name}' ranks the quality of '{one.name}' ({_rate_text(one)}) against '{other.name}' "
                f"({_rate_text(other)}): compare at equal rate, or not at all"
            )


def rate(record: Record) -> float | None:
    """Bits per pixel, None where they are not known."""
    measured, ratio = record.value("bpp"), record.tokenizer.compression_ratio
    if measured is not None:
        return measured.value
    return BITS / ratio if ratio else None


def _rate_text(entry: Entry) -> str:
    found = rate(entry.record)
    return "rate not known" if found is None else f"{found:.3g} bit/px"


def _equal(one: Entry, other: Entry) -> bool:
    if one.record.tokenizer == other.record.tokenizer:
        return True
    rates = [rate(entry.record) for entry in (one, other)]
    low, high = min(rates, key=lambda found: found or 0), max(rates, key=lambda found: found or 0)
    return bool(low and high and high <= EQUAL * low)


Pairs = Iterator[tuple[Entry, Entry]]


def _differences(found: Sequence[Statement], by_name: Mapping[str, Entry]) -> Pairs:
    for statement in found:
        for mark in statement.marks:
            match = _DIFFERENCE.search(mark.tip)
            pair = [by_name[name] for name in match.groups() if name in by_name] if match else []
            if len(pair) == 2 and not _equal(*pair):
                yield pair[0], pair[1]


def _boxed(found: Sequence[Statement], by_anchor: Mapping[str, Entry]) -> Pairs:
    """A box in a column in which another tokenizer has a value and none has one at the rate of the box."""
    columns: dict[tuple[int, int], list[tuple[Mark, Entry]]] = {}
    for statement in found:
        for mark in statement.marks:
            quantity = _quantity(mark, statement)
            if statement.table is not None and quantity and mark.anchor in by_anchor:
                columns.setdefault((statement.table, mark.column), []).append((mark, by_anchor[mark.anchor]))
    for column in columns.values():
        for mark, entry in column:
            others = [other for _, other in column if other.record.tokenizer != entry.record.tokenizer]
            if BEST in mark.classes and others and not any(_equal(entry, other) for other in others):
                yield entry, others[0]


def _worded(found: Sequence[Statement], by_anchor: Mapping[str, Entry]) -> Pairs:
    """Values of one metric, of tokenizers of different rates, in a row or a sentence that ranks by its words."""
    for statement in found:
        row = statement.table is not None
        if not _RANKS.search(" ".join((*statement.heads, statement.text))):
            continue
        first: dict[str, Entry] = {}
        for mark in statement.marks:
            quantity = _quantity(mark, statement)
            if not quantity or mark.anchor not in by_anchor or (not row and _OWN_RATIO.search(mark.before)):
                continue
            entry = by_anchor[mark.anchor]
            if not _equal(first.setdefault(quantity, entry), entry):
                yield first[quantity], entry


def _quantity(mark: Mark, statement: Statement) -> str | None:
    """The metric of quality that the value is of: as its tooltip signs it, else as its column or sentence says."""
    if VALUE not in mark.classes:
        return None
    signed = _SIGNATURE.search(mark.tip)
    if signed is not None:
        return signed[1] if signed[1] in QUALITY else None
    named = statement.heads[mark.column] if statement.table is not None and len(statement.heads) > mark.column else ""
    text = named if statement.table is not None else statement.text
    return next((name for name, title in QUALITY.items() if re.search(rf"\b{re.escape(title)}\b", text)), None)
