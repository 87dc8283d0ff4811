"""What the figures share: SVG with the same bytes for the same records, one style, words for what is drawn."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vitok_lib.records.schema import Value
from vitok_lib.report.comparison import Standing
from vitok_lib.report.quantities import digits

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7F7F7F")
"""Okabe and Ito's palette, which the colour-blind can tell apart; markers and labels repeat what colour says."""
MARKERS = "osD^vPX<>*p"
FLOOR_COLOUR = "#555555"
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "vitok",
}


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG; ``alternative`` says in words what it shows, ``caption`` how to read it."""

    svg: str
    alternative: str
    caption: str


def look(index: int) -> dict[str, Any]:
    """Colour and marker of a tokenizer; more tokenizers than colours still differ in the pair."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def interval_bar(axes: Axes, x: float, value: Value, colour: str) -> None:
    """The interval of ``value`` as an upright bar at ``x``, where it has one."""
    if value.interval:
        axes.plot([x, x], [value.interval.low, value.interval.high], color=colour, linewidth=2.2, alpha=0.55)


def said(standing: Standing) -> str:
    """A value in words, with its tokenizer."""
    value = standing.value
    return f"{standing.entry.title} {digits(value.quantity, value.value)} {value.unit}".rstrip()


def width(panels: int) -> float:
    """Inches for so many panels; the page has room for about nine before print gets small."""
    return min(9.2, 1.2 + 4.2 * panels)


def panels(figure: Figure, count: int, *, share: bool = True) -> list[Axes]:
    """``count`` axes beside one another, with one scale upwards if ``share``."""
    return list(figure.subplots(1, count, squeeze=False, sharey=share)[0])


def legend_of(figure: Figure, names: list[str], columns: int, *, hollow: Collection[str] = ()) -> None:
    """A legend below the panels: each of ``names`` with its look, and a line unless its mark is ``hollow``."""
    handles = [
        Line2D([], [], **look(index), linestyle="", markerfacecolor="none", label=name)
        if name in hollow
        else Line2D([], [], **look(index), linestyle="-", label=name)
        for index, name in enumerate(names)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(names), columns), fontsize=8)


def finished(figure: Figure, alternative: str, caption: str) -> Drawing:
    """``figure`` as a drawing."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return Drawing(file.getvalue(), alternative, caption)
