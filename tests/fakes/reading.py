"""Reading a table of the report as a reader does: by its headings and by the name of its row."""

from __future__ import annotations

from vitok_lib.records.schema import Kind
from vitok_lib.report.page.content import Number, Sentence, Table, plain


def heads(table: Table) -> list[str]:
    """The last row of headings, each under its quantity where there are two rows."""
    if len(table.heads) == 1:
        return [head.text for head in table.heads[0]]
    top = [head.text for head in table.heads[0] for _ in range(head.span)]
    return [f"{above}|{below.text}".strip("|") for above, below in zip(top, table.heads[1], strict=True)]


def row(table: Table, title: str) -> dict[str, str]:
    (found,) = [cells for cells in table.rows if plain(cells[0]) == title]
    return dict(zip(heads(table), map(plain, found), strict=True))


def numbers(table: Table) -> list[Number]:
    return [part for cells in table.rows for cell in cells for part in cell if isinstance(part, Number)]


def numbers_in(sentence: Sentence, level: Kind | None = None) -> list[float]:
    """The numbers of a sentence, those of one evidence level if ``level`` is given."""
    parts = [part for part in sentence if isinstance(part, Number) and level in (None, part.kind)]
    return [part.amount for part in parts if part.amount is not None]


def intervals_in(sentence: Sentence) -> list[str | None]:
    """The interval of each number of a sentence; None of one without."""
    return [part.interval for part in sentence if isinstance(part, Number)]


def text_of(sentence: Sentence) -> str:
    """A sentence as text with plain spaces."""
    return plain(sentence).replace("\N{NO-BREAK SPACE}", " ")
