"""Findings on padding and aspect ratio: what each changes in PSNR, paired by image, over the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.metrics.statistics import leaves_out
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.groups import held
from vitok_lib.report.data.record_view import Entry, natural, of_case
from vitok_lib.report.page.content import Number, Sentence, unclear
from vitok_lib.report.page.templates import sentences

say = sentences("padding")

PADDED = ("padding_change", "border_change", "inside_change", "canvas_change")
SHAPES = {"aspect_3_2_change": "3:2", "aspect_16_9_change": "16:9", "aspect_4_1_change": "4:1"}


@dataclass(frozen=True)
class _Change:
    """A change of PSNR over ``n`` images; ``remark`` where it is not significant, or 0 in every image."""

    number: Number
    n: int
    remark: str


def paddings(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """What its own padding and a square canvas change for each tokenizer of ``case``, and then what its shape does."""
    order = sorted(of_case(entries, case), key=lambda entry: natural(entry.title))
    padded: list[Sentence] = []
    shaped: list[Sentence] = []
    for entry in order:
        about = {"case": case, "tokenizer": entry.title}
        own, border, inside, canvas = (_change(entry, quantity) for quantity in PADDED)
        if own and border and inside:
            changes = {"own": own, "border": border, "inside": inside, "canvas": canvas}
            padded.append(say("padded", **about, n=own.n, **changes, canvas_n=canvas.n if canvas else 0))
        shapes = [(shape, found) for quantity, shape in SHAPES.items() if (found := _change(entry, quantity))]
        if shapes:
            shaped.append(say("shaped", **about, n=shapes[0][1].n, shapes=shapes))
    return padded + shaped


def _change(entry: Entry, quantity: str) -> _Change | None:
    value = held(entry, quantity)
    if value is None or value.n is None:
        return None
    clear = value.interval is not None and leaves_out(0, value.interval.low, value.interval.high)
    none = value.interval is not None and value.interval.low == value.interval.high == 0
    remark = "in every image" if none else unclear(value.interval, clear)
    return _Change(number(entry, value, unit=True), value.n, remark)
