"""What the report puts on a page, before any markup: numbers with their evidence level, sentences, tables.

Everything here is plain data, so that tests read tables and sentences without a browser.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitok_lib.records.schema import Kind

NOT_MEASURED = "not measured"
NOT_SIGNIFICANT = "not significant"
"""Next to a difference whose interval includes 0."""
UNTESTED = "too few for a test"
"""Next to a difference of one image, or of one seed, which has no interval."""

EQUAL = "equal"
"""Next to two values without a test that are the same in print."""

RUNS_PAGE = "runs"
"""The page with an entry for each record, which every number links to."""

CAVEAT_MARK = "†"
"""Marks a value whose metric is not independent of its tokenizer."""

_AMOUNT = re.compile(r"\+?(-?\d+(?:\.\d+)?)(?:·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?")
_POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@dataclass(frozen=True)
class Number:
    """One value in print: ``kind``, its evidence level, decides the typography; ``anchor`` is its record's entry.

    ``caveat`` discloses why the value does not judge its tokenizer; it gets a mark and is never best. ``ended`` says
    that this is no value but the outcome of a run, such as ``OOM``.
    """

    text: str
    kind: Kind
    tip: str
    anchor: str | None = None
    interval: str | None = None
    best: bool = False
    caveat: str | None = None
    ended: bool = False

    @property
    def without_interval(self) -> Number:
        """For a sentence or a table with no room for the interval; the record's entry shows it."""
        return replace(self, interval=None)

    @property
    def amount(self) -> float | None:
        """The text as a number, to sort and to calculate with; None where it is none."""
        text = self.text.replace(",", "").replace("−", "-")
        if text in ("∞", "-∞"):
            return math.copysign(math.inf, -1 if text == "-∞" else 1)
        found = None if self.ended else _AMOUNT.match(text)
        return float(f"{found[1]}e{(found[2] or '0').translate(_POWERS)}") if found else None


@dataclass(frozen=True)
class Note:
    """A remark in small print, such as a missing measurement."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link to a record's entry on the page of runs."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Code:
    """A command, a hash or a name as it is typed."""

    text: str


@dataclass(frozen=True)
class RecordFile:
    """A link to the record itself, which the site holds a copy of at ``records/<name>.json``."""

    name: str

    @property
    def text(self) -> str:
        return f"{self.name}.json"


@dataclass(frozen=True)
class WebLink:
    """A link to an address outside the report."""

    text: str
    url: str


@dataclass(frozen=True)
class PageLink:
    """A link to an element of another page of the report."""

    text: str
    page: str
    anchor: str


@dataclass(frozen=True)
class Strong:
    """The words of a paragraph that a reader looks for."""

    text: str


def unclear(interval: object | None, clear: bool) -> str:
    """What is said of a difference that is not ``clear``: it was tested where it has an ``interval``."""
    return "" if clear else NOT_SIGNIFICANT if interval else UNTESTED


Part = str | Number | Note | Link | Code | RecordFile | WebLink | PageLink | Strong
Sentence = tuple[Part, ...]


@dataclass(frozen=True)
class Head:
    """A heading cell over ``span`` columns."""

    text: str
    span: int = 1


@dataclass(frozen=True)
class Table:
    """``heads`` holds one row of headings or two; every row has as many cells as there are columns.

    ``anchors`` names each row, where rows can be linked to. ``groups`` holds the first row of each group of rows, which
    a line sets apart. ``notes`` are printed below the table.
    """

    heads: Sequence[Sequence[Head]]
    rows: Sequence[Sequence[Sentence]]
    anchors: Sequence[str] = ()
    groups: Sequence[int] = ()
    notes: Sequence[Sentence] = ()

    @property
    def columns(self) -> int:
        return sum(head.span for head in self.heads[-1])


def plain(sentence: Sequence[Part]) -> str:
    """A sentence as text without typography, for alternative texts and tests."""
    texts = []
    for part in sentence:
        if isinstance(part, Number):
            texts.append(part.text + (f" {part.interval}" if part.interval else ""))
        else:
            texts.append(part if isinstance(part, str) else part.text)
    return "".join(texts)
