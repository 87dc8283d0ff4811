"""The figure of a distance over the number of images: its measured bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from vitok_lib.errors import RequestError
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Value
from vitok_lib.report.data import protocol
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import (
    STYLE,
    Drawing,
    Look,
    draw_interval,
    finished,
    line_or_marks,
    looks,
    panels,
    width,
)
from vitok_lib.report.page.labels import digits, label, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

_EDGE = 1.6  # the place of the value for infinitely many images, as a factor of the largest n


@dataclass(frozen=True)
class Line:
    """An entry's distances by growing n, and its value for infinitely many images where it holds one."""

    entry: Entry
    points: Sequence[Value]
    limit: Value | None


def distance_by_n(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """A Fréchet distance over the first n images, for growing n, a panel a case; at the edge what n = ∞ would give.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity`` at two numbers of images.
    """
    at_infinity = _at_infinity(quantity)
    lines = {case: _lines(entries, case, quantity, at_infinity) for case in cases}
    extrapolated = any(line.limit for held in lines.values() for line in held)
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(len(cases)) + 1, 4.6))
        for axes, case in zip(panels(figure, len(cases), share=False), cases, strict=True):
            edge = max(line.points[-1].n or 0 for line in lines[case]) * _EDGE
            for line in lines[case]:
                look, last = looks([line.entry.title])[line.entry.title], line.limit or line.points[-1]
                _draw(axes, line, edge, look)
                at = edge if line.limit else line.points[-1].n or 0
                labels.append(Label(axes, at, last.value, line.entry.title, look["color"], end=True))
            _finish(axes, lines[case], edge)
            axes.set_ylabel(label(quantity))
            axes.set_title(f"{case} (study {lines[case][0].entry.origin})", fontsize=10)
            words.append(f"{case}: " + "; ".join(_said(line) for line in lines[case]))
        return finished(
            figure,
            f"{label(quantity)} over the first n images against n. " + ". ".join(words) + ".",
            say.text(
                "distance_by_n",
                metric=label(quantity),
                extrapolated=name_of(at_infinity) if at_infinity and extrapolated else None,
            ),
            labels,
        )


def _lines(entries: Sequence[Entry], case: str, quantity: str, at_infinity: str | None) -> list[Line]:
    _, ranking = protocol.common(entries, case, quantity)
    found = []
    for candidate in sorted(ranking, key=lambda candidate: natural(candidate.entry.title)):
        held = candidate.entry.by_count(quantity)
        counts = sorted(n for n in held if n is not None)
        if len(counts) > 1:
            limit = candidate.entry.record.value(at_infinity) if at_infinity else None
            found.append(Line(candidate.entry, [held[n] for n in counts], limit))
    if not found:
        raise RequestError(f"nothing measured in '{case}' holds '{quantity}' at two numbers of images")
    return found


def _at_infinity(quantity: str) -> str | None:
    """The metric that extrapolates ``quantity``, over the same extractor."""
    extractor = METRICS[quantity].extractor if quantity in METRICS else None
    return next(
        (
            name
            for name, metric in METRICS.items()
            if (metric.statistic, metric.extractor) == ("fd-infinity", extractor)
        ),
        None,
    )


def _finish(axes: Axes, lines: Sequence[Line], edge: float) -> None:
    """Ticks at the counts that were taken; the distance on a logarithmic scale where every value allows it."""
    counts = sorted({value.n or 0 for line in lines for value in line.points})
    limits = [line.limit for line in lines if line.limit is not None]
    axes.set_xscale("log", base=2)
    axes.set_xticks([*map(float, counts), *([edge] if limits else [])], [*map(str, counts), *(["∞"] if limits else [])])
    if all(value.value > 0 for line in lines for value in line.points) and all(limit.value > 0 for limit in limits):
        axes.set_yscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("n, images")


def _draw(axes: Axes, line: Line, edge: float, look: Look) -> None:
    counts, distances = [value.n or 0 for value in line.points], [value.value for value in line.points]
    line_or_marks(axes, counts, distances, look)
    if line.limit is not None:
        draw_interval(axes, edge, line.limit, look["color"])
        axes.plot(edge, line.limit.value, **look, markersize=6, markerfacecolor="white")


def _said(line: Line) -> str:
    texts = [f"{digits(value.quantity, value.value)} at n = {value.n:,}" for value in line.points]
    texts += [f"{digits(line.limit.quantity, line.limit.value)} extrapolated"] if line.limit else []
    return f"{line.entry.title} " + ", ".join(texts)
