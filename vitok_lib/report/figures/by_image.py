"""The figures of single images: the spread of a tokenizer's values, and the paired differences of two tokenizers."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.paired import Difference
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.drawing import (
    FEW,
    GUIDE_COLOUR,
    STYLE,
    Drawing,
    finished,
    in_rows,
    looks,
    panels,
    row_panels,
    single_values,
    width,
)
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, bracket, digits, label, name_of, signed
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

_SPREAD = 0.3
"""Half of the height over which the marks of a row are spread, of the distance between rows."""


def by_image(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """The value of each single image, a mark each, a row a tokenizer, with the median as a line.

    The bar from the first to the third quartile is drawn for more than ``FEW`` images.

    Raises:
        RequestError: no record of one of ``cases`` keeps the ``quantity`` of single images.
    """
    groups = {case: _with_images(entries, case, quantity) for case in cases}
    rows = in_rows(groups)
    words, places = [], {title: place for place, title in enumerate(rows)}
    with matplotlib.rc_context(STYLE):
        figure, drawn = row_panels(len(cases), list(rows.values()), 0.42)
        for axes, (case, group) in zip(drawn, groups.items(), strict=True):
            for held in group:
                values, title = single_values(held.entry, quantity), held.entry.title
                _row(axes, places[title], values, looks([title])[title]["color"])
                low, middle, high = np.quantile(values, (0.0, 0.5, 1.0))
                texts = f"{digits(quantity, middle)} from {digits(quantity, low)} to {digits(quantity, high)}"
                words.append(f"{case}, {title}: median {texts}, {len(values)} images")
            axes.set_title(f"{case} (study {group[0].entry.origin})", fontsize=10)
            axes.set_xlabel(label(quantity, group[0].value.unit))
        return finished(
            figure,
            f"{label(quantity)} of each single image. " + "; ".join(words) + ".",
            say.text("by_image", metric=label(quantity)),
        )


def _with_images(entries: Sequence[Entry], case: str, quantity: str) -> list[Ranked]:
    _, order = protocol.common(entries, case, quantity)
    found = [held for held in order if paired.holds_single_images(held.entry, quantity)]
    if not found:
        raise RequestError(f"no record of '{case}' keeps the '{quantity}' of single images")
    return found


def _row(axes: Axes, row: int, values: NDArray[np.float64], colour: str) -> None:
    # The order of the set spreads the marks, so an image has one height in every row.
    heights = row + np.linspace(-_SPREAD, _SPREAD, len(values)) if len(values) > 1 else np.full(1, row)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    if len(values) > FEW:
        axes.plot([low, high], [row, row], color=colour, linewidth=9, alpha=0.22, solid_capstyle="butt")
    axes.plot(values, heights, linestyle="none", marker="o", color=colour, markersize=4, alpha=0.6, markeredgewidth=0)
    axes.plot([middle, middle], [row - _SPREAD, row + _SPREAD], color=colour, linewidth=2)


def paired_images(entries: Sequence[Entry], cases: Sequence[str], quantity: str, names: Sequence[str]) -> Drawing:
    """The first of two tokenizers minus the second on each image, sorted, a dot each, a panel a case, and the mean.

    The interval of the mean is drawn for more than ``FEW`` images.

    Raises:
        RequestError: ``names`` are not two, one of them was not measured under the protocol of a case, or its record
            keeps no single images.
    """
    if len(names) != 2:
        raise RequestError(f"a figure of paired differences needs two ':tokenizers:', not {len(names)}")
    found = {case: _pair(entries, case, quantity, names) for case in cases}
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(len(cases)), 3.6))
        for axes, (case, (difference, values)) in zip(panels(figure, len(cases)), found.items(), strict=True):
            _differences(axes, difference, values)
            axes.set_title(f"{case} (study {difference.entry.origin}, n = {len(values)})", fontsize=10)
            axes.set_xlabel("images, by the difference")
            axes.set_ylabel(f"Δ {label(quantity, difference.entry.value(quantity).unit)}")
            words.append(_in_text(case, difference, values))
        title = f"{name_of(quantity)} of {names[0]} minus {names[1]}"
        banded = any(len(values) > FEW for _, values in found.values())
        return finished(
            figure,
            f"{title}, image by image. " + " ".join(words),
            say.text("paired", metric=name_of(quantity), first=names[0], second=names[1], banded=banded),
        )


def _pair(
    entries: Sequence[Entry], case: str, quantity: str, names: Sequence[str]
) -> tuple[Difference, NDArray[np.float64]]:
    held = {candidate.entry.title: candidate.entry for candidate in _with_images(entries, case, quantity)}
    missing = [name for name in names if name not in held]
    if missing:
        raise RequestError(f"no record of {', '.join(missing)} keeps the '{quantity}' of single images in '{case}'")
    first, second = (held[name] for name in names)
    return paired.paired(first, second, quantity), np.sort(paired.by_image(first, second, quantity))


def _differences(axes: Axes, difference: Difference, values: NDArray[np.float64]) -> None:
    sides = [difference.entry.title, difference.other.title]
    first, second = (look["color"] for look in looks(sides).values())
    better = (values > 0) == HIGHER_IS_BETTER.get(difference.quantity, True)
    places = np.arange(len(values))
    axes.vlines(places, 0, values, color="#bbbbbb", linewidth=1)
    for name, colour, shown in ((sides[0], first, better), (sides[1], second, ~better)):
        axes.plot(places[shown], values[shown], linestyle="none", marker="o", markersize=6, color=colour)
        if shown.any():
            last = places[shown][-1] if name == sides[0] else places[shown][0]
            above = values[last] > 0
            axes.annotate(
                f"{name} better",
                (last, values[last]),
                xytext=(0, 8 if above else -8),
                textcoords="offset points",
                ha="right" if last > len(values) / 2 else "left",
                va="bottom" if above else "top",
                fontsize=8.5,
                color=colour,
            )
    if difference.interval and len(values) > FEW:
        axes.axhspan(difference.interval.low, difference.interval.high, color=GUIDE_COLOUR, alpha=0.18, linewidth=0)
    axes.axhline(difference.mean, color=GUIDE_COLOUR, linestyle="--", linewidth=1.2)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks([])
    axes.margins(y=0.18)


def _in_text(case: str, difference: Difference, values: NDArray[np.float64]) -> str:
    higher = int((values > 0).sum())
    ends = f" {bracket(difference.quantity, difference.interval, neutral=0.0)}" if difference.interval else ""
    return (
        f"On {case} the mean difference is {signed(difference.quantity, difference.mean)}{ends}; it is above zero on "
        f"{higher} of {len(values)} images."
    )
