"""Reading a table of the report as a reader does: by its headings and by the name of its row."""

from __future__ import annotations

from vitok_lib.report.page.content import Number, Table, plain


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
