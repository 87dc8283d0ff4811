"""The figure of text that survives: a score over the height of lines, a line a tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.text import text_read
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import STYLE, Drawing, draw_interval, finished, line_or_marks, looks, width
from vitok_lib.report.page.labels import digits, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("text")
_SPREAD = 1.012
"""The factor between neighbours' places at one height, so that no interval hides another."""


def by_height(entries: Sequence[Entry], case: str, quantity: str) -> Drawing:
    """``ned`` or ``exact-match`` of each tokenizer against the height of its letters, with intervals over the images.

    Raises:
        RequestError: nothing was measured in ``case``.
    """
    read = text_read(entries, case)
    look_of = looks([entry.title for entry in read.entries])
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(1) + 2, 4.6))
        axes = figure.subplots()
        for place, entry in enumerate(read.entries):
            values = [entry.value(f"{quantity}_{height}") for height in read.heights]
            moved = [height * _SPREAD ** (place - len(read.entries) / 2) for height in read.heights]
            look = look_of[entry.title]
            line_or_marks(axes, moved, [value.value for value in values], look)
            for at, value in zip(moved, values, strict=True):
                draw_interval(axes, at, value, look["color"])
            said = [
                f"{digits(quantity, value.value)} at {height} px"
                for height, value in zip(read.heights, values, strict=True)
            ]
            words.append(f"{entry.title} " + ", ".join(said))
            labels.append(Label(axes, moved[0], values[0].value, entry.title, look["color"]))
        axes.set_xscale("log", base=2)
        axes.set_xticks(read.heights, [f"{height} px" for height in read.heights])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(read.heights[0] / 1.6, read.heights[-1] * 1.15)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel(f"height of {read.script.letters}")
        axes.set_ylabel(name_of(quantity))
        axes.set_title(f"{case} (study {read.shared.origin}, {read.shared.count})", fontsize=10)
        alternative = f"{name_of(quantity)} against the height of {read.script.letters}. " + "; ".join(words) + "."
        return finished(
            figure, alternative, say.text("by_height", metric=name_of(quantity), letters=read.script.letters), labels
        )
