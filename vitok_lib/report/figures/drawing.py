"""What the figures share: SVG with the same bytes for the same records, one style, words for what is drawn."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vitok_lib.records.schema import Value
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.page.labels import digits
from vitok_lib.tokenizers.registry import REGISTRY

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7F7F7F")
"""Okabe and Ito's palette, which the colour-blind can tell apart; markers and labels repeat what colour says."""
MARKERS = "osD^vPX<>*p"
LINES = ("-", "--", "-.", ":")
GUIDE_COLOUR = "#555555"
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


Look = dict[str, Any]
"""Colour, marker and line of a tokenizer, as keywords of matplotlib."""

_PLACES = {
    # Those that a clone can measure come first, so that no two of them share a colour that they need not share.
    entry.name: place
    for place, entry in enumerate(sorted(REGISTRY.values(), key=lambda e: (e.sha256 is None, e.family != "codec")))
}
_VARIANT = re.compile(r" \(|, |:(?=q=|bpp=)")


def tokenizer_of(name: str) -> str:
    """The tokenizer that the name of a line begins with, without its settings."""
    return _VARIANT.split(name, maxsplit=1)[0]


def looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of each line or mark of a figure: a tokenizer has one colour in every chapter.

    It follows from the tokenizer's name and not from what else is drawn; settings of one tokenizer differ in marker and
    line. More tokenizers than colours still differ in the pair of colour and marker.
    """
    found: dict[str, Look] = {}
    seen: dict[str, int] = {}
    for name in names:
        tokenizer = tokenizer_of(name)
        place = _PLACES.get(tokenizer, len(_PLACES) + zlib.crc32(tokenizer.encode()) % (len(COLOURS) * len(MARKERS)))
        variant = seen[tokenizer] = seen.get(tokenizer, -1) + 1
        found[name] = {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[(place + variant) % len(MARKERS)],
            "linestyle": LINES[variant % len(LINES)],
        }
    return found


def mark(look: Look) -> Look:
    """``look`` without its line."""
    return {**look, "linestyle": "none"}


def interval_bar(axes: Axes, x: float, value: Value, colour: str) -> None:
    """The interval of ``value`` as an upright bar at ``x``, where it has one."""
    if value.interval:
        axes.plot([x, x], [value.interval.low, value.interval.high], color=colour, linewidth=2.2, alpha=0.55)


def value_text(candidate: Ranked) -> str:
    """A value in words, with its tokenizer."""
    value = candidate.value
    return f"{candidate.entry.title} {digits(value.quantity, value.value)} {value.unit}".rstrip()


def width(panels: int) -> float:
    """Inches for so many panels; the page has room for about nine before print gets small."""
    return min(9.2, 1.2 + 4.2 * panels)


def panels(figure: Figure, count: int, *, share: bool = True) -> list[Axes]:
    """``count`` axes in a row, with one scale upwards if ``share``."""
    return list(figure.subplots(1, count, squeeze=False, sharey=share)[0])


def legend_of(figure: Figure, styles: Mapping[str, Look], columns: int, *, hollow: Collection[str] = ()) -> None:
    """A legend below the panels: each name with its look, and a line unless its mark is ``hollow``."""
    handles = [
        Line2D([], [], **mark(look), markerfacecolor="none", label=name)
        if name in hollow
        else Line2D([], [], **look, label=name)
        for name, look in styles.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(styles), columns), fontsize=8)


def finished(figure: Figure, alternative: str, caption: str) -> Drawing:
    """``figure`` as a drawing."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return Drawing(file.getvalue(), alternative, caption)
