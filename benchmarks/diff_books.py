"""The numbers of all tables of two built books, compared; whatever the words around them have become.

``python benchmarks/diff_books.py OLD/_build/html NEW/_build/html`` prints a line for each page, table, column and row
that only one book has, and for each cell with other numbers. It ends with 1 where there is any, and else with 0.

Tables of a page are paired by the rows and numbers that they share. A row is known by what its first link leads to,
or else by the text of its first cell. A column is known by its heading. What both books name otherwise is paired by
its numbers, or in order where there are as many, so that a new word for a heading or a row is no difference.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, TypeVar

from bs4 import BeautifulSoup, Tag

NUMBER = re.compile(r"(?<![\w.])[-+−]?\d+(?:,\d{3})*(?:\.\d+)?")
"""Not the digits of a name, as in ``f16x64``."""
Item = TypeVar("Item")
Matched: TypeAlias = tuple[list[tuple[Item, Item]], list[Item], list[Item]]
"""Pairs, what only the old side has, what only the new one has."""


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a table: what it is known by, and the numbers of each cell."""

    key: str
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a page; ``title`` is the heading of its section."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]

    @cached_property
    def content(self) -> frozenset[Hashable]:
        """What tells this table from another: what its rows are known by, and their numbers."""
        numbers = (tuple(filter(None, row.cells)) for row in self.rows)
        return frozenset((*(row.key for row in self.rows), *filter(None, numbers)))


def tables_of(html: str) -> list[Table]:
    """Every table of a page, in order."""
    return [_table(found) for found in BeautifulSoup(html, "html.parser").find_all("table")]


def _table(found: Tag) -> Table:
    section = found.find_parent("section")
    heading = section.find(re.compile("^h[1-6]$")) if section else None
    head, body = found.find("thead"), found.find("tbody") or found
    top = head.find_all("tr")[-1] if head else None
    return Table(
        title=_text(heading).rstrip("#"),
        heads=tuple(_text(cell) for cell in top.find_all(["th", "td"])) if top else (),
        rows=tuple(_row(row) for row in body.find_all("tr")),
    )


def _row(row: Tag) -> Row:
    cells = row.find_all(["td", "th"])
    link = row.find("a", href=re.compile("."))
    record = str(link["href"]).rpartition("#")[2] if link else ""
    return Row(record or (_text(cells[0]) if cells else ""), tuple(tuple(NUMBER.findall(_text(c))) for c in cells))


def _text(tag: Tag | None) -> str:
    return " ".join(tag.get_text().split()) if tag else ""


def matched(old: Sequence[Item], new: Sequence[Item], key: Callable[[Item], Hashable]) -> Matched[Item]:
    """Pairs of items with the same key, in order, and what of either side has no partner."""
    left, pairs, gone = list(new), [], []
    for item in old:
        partner = next((other for other in left if key(other) == key(item)), None)
        if partner is None:
            gone.append(item)
        else:
            left.remove(partner)
            pairs.append((item, partner))
    return pairs, gone, left


def paired(old: Sequence[Item], new: Sequence[Item], key: Callable[[Item], Hashable]) -> Matched[Item]:
    """As ``matched``, but what is left pairs in order where both sides have as many."""
    pairs, gone, added = matched(old, new, key)
    if len(gone) == len(added):
        return pairs + list(zip(gone, added, strict=True)), [], []
    return pairs, gone, added


def paired_tables(old: Sequence[Table], new: Sequence[Table]) -> Matched[Table]:
    """Tables of one page by the most in common, those of one section first; the rest by section, then in order."""
    scores = [
        (len(one.content & other.content), one.title == other.title, -abs(i - j), i, j)
        for i, one in enumerate(old)
        for j, other in enumerate(new)
        if one.content & other.content
    ]
    match: dict[int, int] = {}
    for *_, i, j in sorted(scores, reverse=True):
        if i not in match and j not in match.values():
            match[i] = j
    rest = [table for i, table in enumerate(old) if i not in match]
    others = [table for j, table in enumerate(new) if j not in match.values()]
    pairs, gone, added = paired(rest, others, lambda table: table.title)
    return [(old[i], new[j]) for i, j in match.items()] + pairs, gone, added


def table_differences(old: Table, new: Table) -> list[str]:
    """A line for each column or row that one of two tables lacks, and each cell with other numbers."""
    columns, gone, added = paired(list(enumerate(old.heads)), list(enumerate(new.heads)), lambda column: column[1])
    lines = [f"- column '{head}'" for _, head in gone] + [f"+ column '{head}'" for _, head in added]
    places = [(i, j, head) for (i, _), (j, head) in columns]

    def numbers(row: Row, side: int) -> list[tuple[str, ...]]:
        return [row.cells[place[side]] for place in places if place[side] < len(row.cells)]

    # Rows that are alike are set aside first, so that of several with one key only those that changed are compared.
    old_rows = [(row, (row.key, *numbers(row, 0))) for row in old.rows]
    new_rows = [(row, (row.key, *numbers(row, 1))) for row in new.rows]
    _, changed, others = matched(old_rows, new_rows, lambda pair: pair[1])
    _, changed, others = matched(changed, others, lambda pair: pair[1][1:])  # the same under another name
    pairs, gone_rows, added_rows = paired([row for row, _ in changed], [row for row, _ in others], lambda row: row.key)
    lines += [f"- row '{row.key}'" for row in gone_rows] + [f"+ row '{row.key}'" for row in added_rows]
    for one, other in pairs:
        cells = zip(places, numbers(one, 0), numbers(other, 1), strict=False)
        lines += [
            f"  row '{other.key}', column '{head}': {' '.join(before) or 'none'} -> {' '.join(after) or 'none'}"
            for (_, _, head), before, after in cells
            if before != after
        ]
    return lines


def book_differences(old: Path, new: Path) -> list[str]:
    """Every difference between the tables of two folders of pages, each line under its page and table."""
    names = [{path.relative_to(book).as_posix() for path in book.glob("*.html")} for book in (old, new)]
    lines = [f"- page {name}" for name in sorted(names[0] - names[1])]
    lines += [f"+ page {name}" for name in sorted(names[1] - names[0])]
    for name in sorted(names[0] & names[1]):
        pairs, gone, added = paired_tables(*(tables_of((book / name).read_text("utf-8")) for book in (old, new)))
        lines += [f"{name}: - table of '{table.title}' ({len(table.rows)} rows)" for table in gone]
        lines += [f"{name}: + table of '{table.title}' ({len(table.rows)} rows)" for table in added]
        lines += [f"{name}: {two.title}: {line}" for one, two in pairs for line in table_differences(one, two)]
    return lines


def main() -> int:
    """Compare the two books that the command line names."""
    old, new = map(Path, sys.argv[1:3])
    for book in (old, new):
        if not (book / "index.html").exists():
            print(f"'{book}' holds no built book: it has no index.html", file=sys.stderr)
            return 2
    lines = book_differences(old, new)
    print("\n".join([*lines, f"{len(lines)} differences"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
