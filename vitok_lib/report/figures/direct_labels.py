"""Names next to what they name, so that nobody looks up a legend: at marks, and at the ends of lines.

Labels at marks take the first free place around their mark; those at the ends of lines stand right of the axes, as near
to the height of their line as their neighbours allow. What moved away is joined to its mark by a thin line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, ScaledTranslation

SIZE = 8.5
"""Points of the print of labels."""
_ANGLES = (0, 180, 30, -30, 150, -150, 90, -90, 60, -60, 120, -120)
_DISTANCES = (5, 12, 22, 34, 48, 64)
"""Degrees and points around a mark where its label may stand, the best first."""
_JOINED_FROM = 12
_GAP = 3.0
_INDENT = 12
"""Points between the axes and the labels at ends of lines."""


@dataclass(frozen=True)
class Label:
    """``text`` at the mark ``x``, ``y`` of ``radius`` points; or right of the axes, at the ``end`` of a line."""

    axes: Axes
    x: float
    y: float
    text: str
    colour: str
    radius: float = 4.0
    end: bool = False


def place(figure: Figure, labels: Sequence[Label]) -> None:
    """Put ``labels`` where none overlaps another or a mark, as long as there is room; the layout is then final."""
    ends = [(label, _at_end(label)) for label in labels if label.end]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for _, held in groupby(ends, key=lambda pair: id(pair[0].axes)):
        _apart(figure, list(held))
    for axes in dict.fromkeys(label.axes for label in labels):
        _around_marks(figure, axes, [label for label in labels if label.axes is axes and not label.end])


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Heights at least ``gap`` apart and nearest to the ascending ``wanted`` ones, by the sum of squared distances.

    That is the isotonic regression of ``wanted[i] - i * gap`` (pool adjacent violators).
    """
    pools: list[tuple[float, int]] = []
    for index, height in enumerate(wanted):
        total, count = height - index * gap, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return [level + index * gap for index, level in enumerate(levels)]


def _at_end(label: Label) -> Annotation:
    return label.axes.annotate(
        label.text,
        (1, label.y),
        xycoords=("axes fraction", "data"),
        xytext=(_INDENT, 0),
        textcoords="offset points",
        va="center",
        fontsize=SIZE,
        color=label.colour,
        annotation_clip=False,
    )


def _apart(figure: Figure, ends: list[tuple[Label, Annotation]]) -> None:
    """Move the labels at the right of one panel up and down until none overlaps."""
    ends = sorted(ends, key=lambda pair: pair[0].y)
    axes, points = ends[0][0].axes, 72 / figure.dpi
    near_labels = axes.transAxes + ScaledTranslation((_INDENT - 2) / 72, 0, figure.dpi_scale_trans)
    heights = [float(axes.transData.transform((label.x, label.y))[1]) for label, _ in ends]
    gap = max(text.get_window_extent().height for _, text in ends) + 1
    for (label, text), height, moved in zip(ends, heights, spread(heights, gap), strict=True):
        text.set_position((_INDENT, (moved - height) * points))
        axes.annotate(
            "",
            (label.x, label.y),
            xytext=(1, (moved - axes.bbox.y0) / axes.bbox.height),
            textcoords=near_labels,
            arrowprops={"arrowstyle": "-", "color": label.colour, "linewidth": 0.7, "alpha": 0.5, "shrinkB": 3},
            annotation_clip=False,
        )


def _around_marks(figure: Figure, axes: Axes, labels: Sequence[Label]) -> None:
    scale, inside = figure.dpi / 72, axes.bbox
    marks = [_box(axes, label, scale) for label in labels]
    taken: list[Bbox] = []
    for label, own in zip(labels, marks, strict=True):
        text = axes.annotate(
            label.text, (label.x, label.y), xytext=(0, 0), textcoords="offset points", fontsize=SIZE, color=label.colour
        )
        extent = text.get_window_extent()
        best, offset, least, away = extent, (0.0, 0.0), math.inf, 0
        for distance in _DISTANCES:
            for angle in _ANGLES:
                moved, shift = _moved(label, own, extent, distance, angle, scale)
                cost = sum(_overlap(moved, other) for other in (*taken, *marks)) + _outside(moved, inside)
                if cost < least:
                    best, offset, least, away = moved, shift, cost, distance
            if least == 0:
                break
        text.set_position(offset)
        taken.append(best)
        if away >= _JOINED_FROM:
            _join(axes, label, best)


def _box(axes: Axes, label: Label, scale: float) -> Bbox:
    x, y = axes.transData.transform((label.x, label.y))
    radius = label.radius * scale
    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)


def _moved(
    label: Label, own: Bbox, extent: Bbox, distance: float, angle: float, scale: float
) -> tuple[Bbox, tuple[float, float]]:
    """The box of a label that touches the circle around its mark in a direction, and its offset in points."""
    reach = (label.radius + distance) * scale
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (own.x0 + own.x1) / 2 + reach * cosine, (own.y0 + own.y1) / 2 + reach * sine
    left = x - extent.width * (1 - cosine) / 2
    bottom = y - extent.height * (1 - sine) / 2
    box = Bbox.from_bounds(left, bottom, extent.width, extent.height)
    return box, ((left - extent.x0) / scale, (bottom - extent.y0) / scale)


def _overlap(one: Bbox, other: Bbox) -> float:
    wide = float(min(one.x1, other.x1) - max(one.x0, other.x0)) + _GAP
    high = float(min(one.y1, other.y1) - max(one.y0, other.y0))
    return wide * high if wide > 0 and high > 0 else 0.0


def _outside(box: Bbox, axes: Bbox) -> float:
    wide = max(axes.x0 - box.x0, box.x1 - axes.x1, 0.0)
    high = max(axes.y0 - box.y0, box.y1 - axes.y1, 0.0)
    return float(wide * box.height + high * box.width)


def _join(axes: Axes, label: Label, box: Bbox) -> None:
    from_x, from_y = axes.transData.transform((label.x, label.y))
    near = (min(max(from_x, box.x0), box.x1), min(max(from_y, box.y0), box.y1))
    to_x, to_y = axes.transData.inverted().transform(near)
    x, y = [label.x, to_x], [label.y, to_y]
    axes.plot(x, y, color=label.colour, linewidth=0.6, alpha=0.6, scalex=False, scaley=False)
