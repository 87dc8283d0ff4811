"""The table of text that survives: a row a tokenizer, a column a height of lines."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.rates import rate_number, rate_of
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.text import text_read
from vitok_lib.report.page.content import Head, Link, Note, Sentence, Table
from vitok_lib.report.page.labels import name_of
from vitok_lib.report.page.templates import sentences

say = sentences("text")


def text_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """``ned`` or ``exact-match`` by height of capitals, the highest rate first; above, how many lines count.

    Raises:
        RequestError: nothing was measured in ``case``.
    """
    read = text_read(entries, case)
    first = read.entries[0]
    counts: list[Sentence] = [
        (number(first, first.value(f"lines_{height}")), " of ", number(first, first.value(f"drawn_{height}")))
        for height in read.heights
    ]
    rows: list[list[Sentence]] = [[("lines that count",), (Note("–"),), *counts]]
    for entry in read.entries:
        rate: Sentence = (rate_number([entry]),) if rate_of(entry) else (Note("–"),)
        cells: list[Sentence] = [(number(entry, entry.value(f"{quantity}_{height}")),) for height in read.heights]
        rows.append([(Link(entry.title, entry.anchor),), rate, *cells])
    top = [Head("", span=2), Head(f"{name_of(quantity)}, at capitals of", span=len(read.heights))]
    below = [Head("Tokenizer"), Head("Rate"), *(Head(f"{height} px") for height in read.heights)]
    note = say("text_table", shared=read.shared.count, origin=read.shared.origin)
    return Table([top, below], rows, groups=[1], notes=[note])
