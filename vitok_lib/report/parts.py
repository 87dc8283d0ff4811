"""What the report puts on a page, before any markup: numbers that carry their kind, sentences, tables.

Everything here is plain data, so that tests read tables and sentences without a browser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.records.schema import Interval, Kind, OutcomeStatus, Value
from vitok_lib.report.entries import Entry

LABELS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "fid": "FID",
    "fdd": "FDD",
    "throughput": "Throughput",
    "peak_memory": "Peak memory",
    "latency": "Latency",
    "latency_max_autotune": "Latency, max-autotune",
    "decoder_work": "Work of the decoder",
    "encoder_work": "Work of the encoder",
}

DECIMALS = {"psnr": 2, "ssim": 3, "fid": 2, "fdd": 2}

OUTCOMES = {
    OutcomeStatus.OOM: "OOM",
    OutcomeStatus.TIMEOUT: "timeout",
    OutcomeStatus.ERROR: "error",
    OutcomeStatus.UNSUPPORTED: "unsupported",
}

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Number:
    """One value in print: its ``kind`` decides the typography, ``tip`` says more, ``anchor`` is its record's entry."""

    text: str
    kind: Kind
    tip: str
    anchor: str | None = None
    interval: str | None = None
    best: bool = False


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


Part = str | Number | Note | Link | Code | RecordFile
Sentence = tuple[Part, ...]


@dataclass(frozen=True)
class Head:
    """A heading cell over ``span`` columns."""

    text: str
    span: int = 1


@dataclass(frozen=True)
class Table:
    """``heads`` holds one row of headings or two; every row has as many cells as there are columns.

    ``anchors`` names each row, where rows can be linked to.
    """

    heads: Sequence[Sequence[Head]]
    rows: Sequence[Sequence[Sentence]]
    anchors: Sequence[str] = ()

    @property
    def columns(self) -> int:
        return sum(head.span for head in self.heads[-1])


def plain(sentence: Sequence[Part]) -> str:
    """A sentence as text without typography, for alternative texts and tests."""
    words = []
    for part in sentence:
        if isinstance(part, Number):
            words.append(part.text + (f" {part.interval}" if part.interval else ""))
        else:
            words.append(part if isinstance(part, str) else part.text)
    return "".join(words)


def label(quantity: str, unit: str = "") -> str:
    """The name of a quantity with its unit, as a heading."""
    name = LABELS.get(quantity, quantity.replace("_", " "))
    return f"{name}, {unit}" if unit else name


def digits(quantity: str, value: float) -> str:
    """A value to the decimals that its quantity is given in, or else to four significant digits."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "undefined")
    if quantity in DECIMALS:
        text = f"{value:,.{DECIMALS[quantity]}f}"
    else:
        decimals = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def signed(quantity: str, value: float) -> str:
    return ("+" if value > 0 else "") + digits(quantity, value)


def bracket(quantity: str, interval: Interval) -> str:
    return f"[{digits(quantity, interval.low)}, {digits(quantity, interval.high)}]"


def number(entry: Entry, value: Value, *, unit: bool = False, best: bool = False) -> Number:
    """One value of a record, ready for print."""
    facts = [f"{value.kind.value}: {entry.record.source.title if entry.record.source else 'study ' + entry.study}"]
    if value.n is not None:
        facts.append(f"n = {value.n:,} images")
    if value.interval:
        facts.append(f"{value.interval.level:.0%} interval, {value.interval.method}")
    if value.signature:
        facts.append(value.signature)
    if best:
        facts.append("best of its protocol")
    return Number(
        text=digits(value.quantity, value.value) + (f" {value.unit}" if unit and value.unit else ""),
        kind=value.kind,
        tip=" · ".join(facts),
        anchor=entry.anchor,
        interval=bracket(value.quantity, value.interval) if value.interval else None,
        best=best,
    )


def outcome(entry: Entry) -> Number:
    """How a record ended, where it did not end well, ready for print as a value of its kind."""
    found = entry.record.outcome
    tip = f"{found.kind.value}: {entry.origin}" + (f" · {found.detail}" if found.detail else "")
    return Number(text=OUTCOMES[found.status], kind=found.kind, tip=tip, anchor=entry.anchor)
