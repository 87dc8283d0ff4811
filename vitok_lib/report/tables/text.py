"""The tables of text that survives: a column a height of lines; by tokenizer, by ground, by script, and of pairs."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.metrics.quantities import SHARES
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.formatting import difference_number, number
from vitok_lib.report.data.rates import rate_number, rate_of
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.text import OnGround, TextRead, grounds_of, on_ground, text_pairs, text_read
from vitok_lib.report.page.content import Head, Link, Note, Number, Sentence, Table
from vitok_lib.report.page.labels import name_of
from vitok_lib.report.page.templates import listed, sentences

say = sentences("text")
_LINES: Sentence = ("lines that count",)


def text_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """``ned`` or ``exact-match`` by height of lines, the highest rate first; above, how many lines count.

    Raises:
        RequestError: nothing was measured in ``case``.
    """
    read = text_read(entries, case)
    first = read.entries[0]
    counts: list[Sentence] = [
        (number(first, first.value(f"lines_{height}")), " of ", number(first, first.value(f"drawn_{height}")))
        for height in read.heights
    ]
    rows: list[list[Sentence]] = [[_LINES, (Note("–"),), *counts]]
    for entry in read.entries:
        rate: Sentence = (rate_number([entry]),) if rate_of(entry) else (Note("–"),)
        cells: list[Sentence] = [(number(entry, entry.value(f"{quantity}_{height}")),) for height in read.heights]
        rows.append([(Link(entry.title, entry.anchor),), rate, *cells])
    pages = sorted({entry.value(f"{quantity}_{height}").n or 0 for entry in read.entries for height in read.heights})
    count = f"n = {pages[0]:,}" + (f" to {pages[-1]:,} pages, by height" if len(pages) > 1 else " pages")
    note = say("text_table", count=count, origin=read.shared.origin, share=quantity in SHARES)
    return Table(_heads_of(read, name_of(quantity), "Tokenizer", "Rate"), rows, groups=[1], notes=[note])


def ground_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """``ned`` or ``exact-match`` by ground and height of lines; above each ground, how many lines count on it.

    Raises:
        RequestError: nothing was measured in ``case``, or not on pages with grounds.
    """
    read = text_read(entries, case)
    rows: list[list[Sentence]] = []
    groups = []
    for ground in grounds_of(read):
        groups.append(len(rows))
        words: Sentence = (ground.replace("-", " "),)
        by_entry = [[on_ground(entry, quantity, height, ground) for height in read.heights] for entry in read.entries]
        rows.append([words, _LINES, *(_counts(read.entries[0], found) for found in by_entry[0])])
        for entry, by_height in zip(read.entries, by_entry, strict=True):
            cells: list[Sentence] = [(number(entry, each.value) if each.value else Note("–"),) for each in by_height]
            rows.append([words, (Link(entry.title, entry.anchor),), *cells])
    note = say("ground_table", origin=read.shared.origin, share=quantity in SHARES)
    return Table(_heads_of(read, name_of(quantity), "Ground", "Tokenizer"), rows, groups=groups[1:], notes=[note])


def script_table(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Table:
    """``ned`` or ``exact-match`` by script, which is that of a case, and height of lines; above each, how many count.

    Raises:
        RequestError: nothing was measured in one of ``cases``.
    """
    reads = [text_read(entries, case) for case in cases]
    heights = sorted({height for read in reads for height in read.drawn})
    rows: list[list[Sentence]] = []
    groups = []
    for read in reads:
        groups.append(len(rows))
        script, first = (read.script.name,), read.entries[0]
        counts = ((_shown(first, f"{what}_{height}") for what in ("lines", "drawn")) for height in heights)
        rows.append([script, _LINES, *((*counted, " of ", *drawn) for counted, drawn in counts)])
        for entry in read.entries:
            cells = [_shown(entry, f"{quantity}_{height}") for height in heights]
            rows.append([script, (Link(entry.title, entry.anchor),), *cells])
    origins = listed([*dict.fromkeys(read.shared.origin for read in reads)])
    note = say("script_table", origins=origins, share=quantity in SHARES)
    heads = _heads(heights, f"{name_of(quantity)}, at a height of", "Script", "Tokenizer")
    return Table(heads, rows, groups=groups[1:], notes=[note])


def _shown(entry: Entry, quantity: str) -> Sentence:
    """Its value, or a dash where it has none."""
    value = entry.record.value(quantity)
    return (Note("–"),) if value is None else (number(entry, value),)


def text_pairs_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """A row two tokenizers of equal rate: the first minus the second at each height, on the same lines.

    Raises:
        RequestError: nothing was measured in ``case``, or no two of equal rate.
    """
    read = text_read(entries, case)
    pairs = text_pairs(read, quantity)
    rows: list[list[Sentence]] = []
    for differences in pairs:
        both = (differences[0].entry, differences[0].other)
        links: list[Sentence] = [(Link(entry.title, entry.anchor),) for entry in both]
        rows.append([*links, (rate_number(both),), *((difference_number(found),) for found in differences)])
    clear = sum(found.clear for differences in pairs for found in differences)
    note = say(
        "text_pairs",
        quantity=name_of(quantity).lower(),
        fewer_is_better=not METRICS[quantity].higher_is_better,
        pages=f"{max(found.n for differences in pairs for found in differences):,}",
        count=f"{len(pairs) * len(read.heights):,}",
        clear=Number(f"{clear:,}", Kind.DERIVED, "derived: intervals that exclude 0"),
        origin=read.shared.origin,
    )
    return Table(_heads_of(read, f"Δ {name_of(quantity)}", "Tokenizer", "Compared with", "Rate"), rows, notes=[note])


def _heads_of(read: TextRead, over: str, *first: str) -> list[list[Head]]:
    return _heads(read.heights, f"{over}, at {read.script.letters} of", *first)


def _heads(heights: Sequence[int], over: str, *first: str) -> list[list[Head]]:
    top = [Head("", span=len(first)), Head(over, span=len(heights))]
    return [top, [*(Head(text) for text in first), *(Head(f"{height} px") for height in heights)]]


def _counts(entry: Entry, found: OnGround) -> Sentence:
    tip = f"derived: lines of study {entry.study} that the recogniser reads rightly in the original, over these pages"
    return (Number(f"{found.counted:,}", Kind.DERIVED, tip, entry.anchor), f" of {found.drawn:,}")
