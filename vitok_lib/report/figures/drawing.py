"""What the figures share: one palette and style, dots or intervals, and SVG that is the same for the same records."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitok_lib.records.schema import Value
from vitok_lib.report.data import paired
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.rates import places_by_rate, rate_of
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.direct_labels import Label, place
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, digits
from vitok_lib.tokenizers.codec_names import is_codec
from vitok_lib.tokenizers.registry import DIFFUSERS, REGISTRY
from vitok_lib.tokenizers.vitok.variant import looks_like_variant

FAMILY_COLOURS = {
    "vitok": "#0072B2",
    "kl": "#C04F00",
    "diffusers": "#6B6B00",
    "dc-ae": "#AA3377",
    "codec": "#00795A",
    "pca": "#000000",
    "plugin": "#666666",
}
"""Colours that the colour-blind can tell apart and that print can be read in; labels and markers repeat what they say.

Blue, vermilion and green are Okabe and Ito's, the latter two darkened for print; purple and olive are Paul Tol's,
olive darkened too."""
MARKERS = "osD^vPX<>*pdhH8"
LINES = ("-", "--", "-.", ":")
GUIDE_COLOUR = "#555555"
FEW = 8
"""Up to so many images are drawn as a dot each: an interval of so few says less than they do."""
MINIMUM_OF_A_LINE = 3
"""Fewer points are no curve and are not joined."""
STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "vitok",
}


@dataclass(frozen=True)
class Drawing:
    """A figure as SVG; ``alternative`` says in words what it shows, ``caption`` how to read it."""

    svg: str
    alternative: str
    caption: str
    figure: Figure = field(compare=False, repr=False)


Look = dict[str, Any]
"""Colour, marker and line of a tokenizer, as keywords of matplotlib."""

_PLACES = {
    name: place
    for family in {entry.family for entry in REGISTRY.values()}
    for place, name in enumerate(
        sorted(
            (name for name, entry in REGISTRY.items() if entry.family == family),
            # Those that a clone can measure come first, so that the plainest markers are theirs.
            key=lambda name: REGISTRY[name].sha256 is None,
        )
    )
}
_VARIANT = re.compile(r" \(|, |:(?=q=|bpp=)")


def tokenizer_of(name: str) -> str:
    """The tokenizer that the name of a line begins with, without its settings."""
    return _VARIANT.split(name, maxsplit=1)[0]


def family_of(tokenizer: str) -> str:
    """The family of a tokenizer that the registry need not know."""
    if tokenizer in REGISTRY:
        return REGISTRY[tokenizer].family
    if tokenizer.startswith(DIFFUSERS):
        return "diffusers"
    if looks_like_variant(tokenizer):
        return "vitok"
    return "codec" if is_codec(tokenizer) else "plugin"


def looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of each line or mark of a figure: a colour for each family, and in it a marker for each tokenizer.

    It follows from the tokenizer's name and not from what else is drawn; settings of one tokenizer differ in marker and
    line.
    """
    found: dict[str, Look] = {}
    seen: dict[str, int] = {}
    for name in names:
        tokenizer = tokenizer_of(name)
        place_in_family = _PLACES.get(tokenizer, zlib.crc32(tokenizer.encode()))
        variant = seen[tokenizer] = seen.get(tokenizer, -1) + 1
        found[name] = {
            "color": FAMILY_COLOURS[family_of(tokenizer)],
            "marker": MARKERS[(place_in_family + variant) % len(MARKERS)],
            "linestyle": LINES[variant % len(LINES)],
        }
    return found


def mark(look: Look) -> Look:
    """``look`` without its line."""
    return {**look, "linestyle": "none"}


def line_or_marks(axes: Axes, x: Sequence[float], y: Sequence[float], look: Look) -> None:
    """A line through points with a mark each; marks alone where they are too few for a line."""
    axes.plot(x, y, **(look if len(x) >= MINIMUM_OF_A_LINE else mark(look)), markersize=5, linewidth=1.4)


def single_values(entry: Entry, quantity: str) -> NDArray[np.float64]:
    """The values of single images that a record keeps, [images]; one too small for a metric has none."""
    values: NDArray[np.float64] = entry.per_image[quantity].to_numpy(dtype=np.float64)
    known: NDArray[np.float64] = values[~np.isnan(values)]
    return known


def draw_spread(axes: Axes, at: float, candidate: Ranked, colour: str, *, upright: bool) -> None:
    """What lies around a mean at the place ``at`` of the other axis: a dot for each of few images, or its interval."""
    value, entry = candidate.value, candidate.entry
    few = value.n is not None and value.n <= FEW and paired.holds_single_images(entry, value.quantity)
    if few:
        values = single_values(entry, value.quantity)
        places = np.full(len(values), at)
        x, y = (places, values) if upright else (values, places)
        axes.plot(x, y, linestyle="none", marker="o", markersize=4.5, color=colour, alpha=0.4, markeredgewidth=0)
    elif value.interval:
        draw_interval(axes, at, value, colour, upright=upright)


def draw_interval(axes: Axes, at: float, value: Value, colour: str, *, upright: bool = True) -> None:
    """The interval of ``value`` as a bar at the place ``at`` of the other axis, where it has one."""
    if value.interval:
        ends = [value.interval.low, value.interval.high]
        x, y = ([at, at], ends) if upright else (ends, [at, at])
        axes.plot(x, y, color=colour, linewidth=2.2, alpha=0.55)


def value_text(candidate: Ranked) -> str:
    """A value in words, with its tokenizer."""
    value = candidate.value
    return f"{candidate.entry.title} {digits(value.quantity, value.value)} {value.unit}".rstrip()


def range_text(group: Sequence[Ranked]) -> str:
    """What to see first of several values: the least and the greatest of them."""
    ordered = sorted(group, key=lambda held: held.value.value)
    return f"lowest {value_text(ordered[0])}, highest {value_text(ordered[-1])}"


def in_rows(groups: Mapping[str, Sequence[Ranked]]) -> dict[str, str]:
    """A row for each entry of ``groups`` from the bottom up, and its label: by rate, within equal rate by the value.

    Of an entry that is in several groups the first counts.
    """
    first: dict[str, Ranked] = {}
    for group in groups.values():
        for held in group:
            first.setdefault(held.entry.title, held)
    best_last = sorted(
        first.values(),
        key=lambda held: held.value.value * (1 if HIGHER_IS_BETTER.get(held.value.quantity, True) else -1),
    )
    rated = [place for group in places_by_rate([rate_of(held.entry) for held in best_last]) for place in group]
    unrated = [place for place in range(len(best_last)) if place not in rated]
    return {best_last[place].entry.title: _row_label(best_last[place].entry) for place in (*unrated, *rated)}


def _row_label(entry: Entry) -> str:
    rate = rate_of(entry)
    return f"{entry.title}, {rate:.2g} bit/px" if rate else entry.title


def row_panels(count: int, labels: Sequence[str], height: float = 0.36) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels that share rows, the first of ``labels`` at the bottom."""
    figure = Figure(figsize=(width(count), 1.1 + height * len(labels)))
    axes = panels(figure, count)
    for each in axes:
        each.set_yticks(range(len(labels)), labels)
        each.set_ylim(-0.6, len(labels) - 0.4)
    return figure, axes


def width(panels: int) -> float:
    """Inches for so many panels; the page has room for about eleven."""
    return min(11.5, 1.6 + 4.6 * panels)


def panels(figure: Figure, count: int, *, share: bool = True) -> list[Axes]:
    """``count`` axes in a row, with one scale upwards if ``share``."""
    return list(figure.subplots(1, count, squeeze=False, sharey=share)[0])


def finished(figure: Figure, alternative: str, caption: str, labels: Sequence[Label] = ()) -> Drawing:
    """``figure`` as a drawing, with ``labels`` next to what they name."""
    place(figure, labels)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return Drawing(file.getvalue(), alternative, caption, figure)
