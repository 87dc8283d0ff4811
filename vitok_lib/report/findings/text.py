"""Findings on text: from which height on a tokenizer keeps nearly all lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vitok_lib.records.schema import Kind
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.rates import rate_number, rate_of
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.text import read_from, text_read
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.templates import sentences

say = sentences("text")
SHARE = 0.9
"""Of the lines that count, which have to be read rightly."""


def smallest_height(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """For each tokenizer the least height from which on ``SHARE`` of lines are read rightly, with the share there."""
    read = text_read(entries, case)
    found = []
    for entry in read.entries:
        height = read_from(entry, read.heights, SHARE)
        at = height or read.heights[-1]
        least = Number(f"{at} px", Kind.DERIVED, f"derived: least of the heights {read.heights} px", entry.anchor)
        rate = replace(rate_number([entry]), anchor=entry.anchor) if rate_of(entry) else None
        share = number(entry, entry.value(f"exact-match_{at}"))
        found.append(
            say(
                "smallest",
                tokenizer=entry.title,
                rate=rate,
                script=read.script.name,
                letters=read.script.letters,
                kept=height is not None,
                at=least,
                share=share,
            )
        )
    return found
