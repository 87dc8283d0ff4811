"""A table as a CSV file: what the page shows, with interval, evidence level, remark and record in separate columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from vitok_lib.report.page.content import RUNS_PAGE, Head, Note, Number, Sentence, Table, plain

FACETS = ("low", "high", "evidence level", "remark", "record")
"""The columns to the right of a column of values, where any cell of it has that."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a formula of a spreadsheet begins; the name of a file may begin so too."""


def csv_text(data: Table) -> str:
    """A table that has rows, with one row of headings; values have the digits of the page, and records have them all.

    A cell without a value holds the words of the page, such as ``OOM`` or ``not measured``.
    """
    columns = list(zip(*([_facets(cell) for cell in row] for row in data.rows), strict=True))
    names = _names(data.heads)
    shown = [[facet for facet in FACETS if any(facet in cell for cell in cells)] for cells in columns]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        [text for name, facets in zip(names, shown, strict=True) for text in (name, *(f"{name}: {f}" for f in facets))]
    )
    for row in zip(*columns, strict=True):
        writer.writerow(
            [
                text
                for cell, facets in zip(row, shown, strict=True)
                for text in (cell["value"], *(cell.get(facet, "") for facet in facets))
            ]
        )
    return file.getvalue()


def write_csv(data: Table, file: Path) -> None:
    """Write :func:`csv_text` to ``file``; an unchanged file keeps its time, or else its page would be out of date."""
    text = csv_text(data)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _names(heads: Sequence[Sequence[Head]]) -> list[str]:
    """One heading a column, from all rows of headings above it."""
    rows = [[head.text for head in row for _ in range(head.span)] for row in heads]
    return [": ".join(filter(None, column)) for column in zip(*rows, strict=True)]


def _facets(cell: Sentence) -> dict[str, str]:
    """What a cell holds, by ``value`` and the names of ``FACETS``."""
    numbers = [part for part in cell if isinstance(part, Number)]
    notes = [part.text.strip() for part in cell if isinstance(part, Note)]
    if not numbers:
        return {"value": _harmless(plain(cell))}
    text = any(isinstance(part, str) and part.strip() for part in cell)
    bounds = [part.interval.strip("[]").split(", ") for part in numbers if part.interval]
    found = {
        "value": _harmless(plain(cell)) if text else "; ".join(map(_value, numbers)),
        "evidence level": "; ".join(dict.fromkeys(part.kind.value for part in numbers)),
        "record": "; ".join(dict.fromkeys(f"{RUNS_PAGE}.html#{part.anchor}" for part in numbers if part.anchor)),
    }
    if not text:
        found["low"], found["high"] = ("; ".join(_ascii(pair[side]) for pair in bounds) for side in (0, 1))
        found["remark"] = "; ".join(notes)
    return {name: facet for name, facet in found.items() if facet or name == "value"}


def _value(shown: Number) -> str:
    return f"{shown.amount:.12g}" if shown.amount is not None else _harmless(shown.text)


def _ascii(text: str) -> str:
    return text.replace("−", "-").replace(",", "")


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
