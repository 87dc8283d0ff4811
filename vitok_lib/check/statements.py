"""What a built page states: its table rows and its paragraphs, each with its values and the records they link to."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag

VALUE, BEST, RECORD_LINK = "vk", "vk-best", "vk-row"
"""Classes of a value, of a value boxed as best, and of a record's name."""


@dataclass
class Mark:
    """A value or the name of a record: ``anchor`` is the record's entry on the page of runs, empty without one.

    ``tip`` is its tooltip and ``before`` the text of its statement since the last mark. ``column`` is that of a row.
    """

    classes: frozenset[str]
    anchor: str
    tip: str
    column: int
    before: str
    text: str = ""


@dataclass
class Statement:
    """A paragraph, or a row with its ``cells`` and its table's headings; ``table`` counts the tables of the page."""

    table: int | None = None
    heads: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    text: str = ""


def statements(page: Path) -> list[Statement]:
    """The rows of every table and the paragraphs outside of tables, in the order of the page."""
    reader = _Reader()
    reader.feed(page.read_text(encoding="utf-8", errors="replace"))
    return [found for found in reader.found if found.text.strip()]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Statement] = []
        self._tables = 0
        self._heads: list[str] = []
        self._in_head = False
        self._statement: Statement | None = None
        self._mark: tuple[str, Mark] | None = None
        self._since = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        row = self._statement is not None and self._statement.table is not None
        if tag == "table":
            self._tables += 1
            self._heads = []
        elif tag == "thead":
            self._in_head = True
        elif tag == "tr" and self._in_head:
            self._heads = []  # of several rows the last has a heading for each column
        elif tag == "th" and self._in_head:
            self._heads.append("")
        elif tag == "tr":
            self._begin(Statement(table=self._tables, heads=self._heads))
        elif tag == "p" and not row and not self._in_head:
            self._begin(Statement())
        elif tag in ("td", "th") and self._statement is not None:
            self._statement.cells.append("")
        classes = frozenset(given.get("class", "").split())
        if self._statement is not None and self._mark is None and classes & {VALUE, RECORD_LINK}:
            anchor = urldefrag(given.get("href", "")).fragment
            column = len(self._statement.cells) - 1
            self._mark = tag, Mark(classes, anchor, given.get("title", ""), column, self._since)
            self._since = ""

    def handle_endtag(self, tag: str) -> None:
        if self._mark is not None and self._mark[0] == tag and self._statement is not None:
            self._statement.marks.append(self._mark[1])
            self._mark = None
        if tag == "thead":
            self._in_head = False
        row = self._statement is not None and self._statement.table is not None
        if tag == ("tr" if row else "p"):
            self._statement = None

    def handle_data(self, data: str) -> None:
        if self._in_head and self._heads:
            self._heads[-1] += data
        if self._statement is None:
            return
        self._statement.text += data
        if self._statement.cells:
            self._statement.cells[-1] += data
        if self._mark is not None:
            self._mark[1].text += data
        else:
            self._since += data

    def _begin(self, statement: Statement) -> None:
        self._statement, self._mark, self._since = statement, None, ""
        self.found.append(statement)
