"""The figures of quality over rate: the compression ratio, or bits per pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitok_lib.errors import RequestError
from vitok_lib.report.data import protocol
from vitok_lib.report.data.protocol import Protocol, Ranked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import (
    FAMILY_COLOURS,
    MINIMUM_OF_A_LINE,
    STYLE,
    Drawing,
    draw_spread,
    finished,
    looks,
    panels,
    range_text,
    value_text,
    width,
)
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences

say = sentences("captions")


def rate_and_quality(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Compression ratio against the measured mean, a panel a case; what has no ratio by its architecture is left out.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity`` and has a ratio.
    """
    points = {case: _points(entries, case, quantity, _ratio) for case in cases}
    ratios = sorted({point.rate for _, held in points.values() for point in held})
    return _against_rate(
        points,
        quantity,
        ratios,
        "pixel values for each latent value",
        "Compression ratio",
        say.text("ratio", metric=label(quantity)),
    )


def bits_and_quality(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Bits per pixel against the measured mean, a panel a case: learned tokenizers and codecs.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity`` and a rate.
    """
    points = {case: _points(entries, case, quantity, _bits) for case in cases}
    curves = any(_curves(held) for _, held in points.values())
    return _against_rate(
        points,
        quantity,
        [2.0**power for power in range(-6, 6)],
        "bits per pixel",
        "Bits per pixel",
        say.text("bits", metric=label(quantity), curves=curves),
    )


@dataclass(frozen=True)
class Point:
    """A tokenizer at its rate."""

    rate: float
    candidate: Ranked

    @property
    def codec(self) -> str | None:
        """The codec whose setting this is; None for what has no settings to choose among."""
        tokenizer = self.candidate.entry.record.tokenizer
        return tokenizer.name.partition(":")[0] if tokenizer.family == "codec" else None


def _ratio(entry: Entry) -> float | None:
    return entry.record.tokenizer.compression_ratio


def _bits(entry: Entry) -> float | None:
    rate = entry.record.value("bpp")
    return rate.value if rate else None


def _points(
    entries: Sequence[Entry], case: str, quantity: str, rate_of: Callable[[Entry], float | None]
) -> tuple[Protocol, list[Point]]:
    shared, group = protocol.common(entries, case, quantity)
    found = [Point(rate, candidate) for candidate in group if (rate := rate_of(candidate.entry))]
    if not found:
        raise RequestError(f"nothing measured in '{case}' holds '{quantity}' and has a rate to show it against")
    return shared, found


def _against_rate(
    panels_of: Mapping[str, tuple[Protocol, list[Point]]],
    quantity: str,
    ticks: Sequence[float],
    axis: str,
    title: str,
    caption: str,
) -> Drawing:
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(len(panels_of)), 4.8))
        for axes, (case, (shared, points)) in zip(panels(figure, len(panels_of)), panels_of.items(), strict=True):
            labels += _draw_points(axes, points)
            _scale(axes, [point.rate for point in points], ticks)
            axes.set_xlabel(axis)
            axes.set_ylabel(label(quantity, points[0].candidate.value.unit))
            axes.set_title(f"{case} (study {shared.origin}, {shared.count})", fontsize=10)
            values = ", ".join(f"{value_text(p.candidate)} at {digits('rate', p.rate)}" for p in points)
            words.append(f"{case}: {range_text([point.candidate for point in points])}; all: {values}")
        alternative = f"{title} against mean {label(quantity)}. " + ". ".join(words) + "."
        return finished(figure, alternative, caption, labels)


def _draw_points(axes: Axes, points: Sequence[Point]) -> list[Label]:
    """A mark and a label for each tokenizer; the settings of one codec are joined and share a label."""
    labels, curves = [], _curves(points)
    for codec, curve in curves.items():
        axes.plot(*zip(*curve, strict=True), color=FAMILY_COLOURS["codec"], linewidth=1.4, zorder=1)
        labels.append(Label(axes, *curve[-1], codec, FAMILY_COLOURS["codec"]))
    for point in points:
        title, value = point.candidate.entry.title, point.candidate.value
        look = looks([title])[title]
        draw_spread(axes, point.rate, point.candidate, look["color"], upright=True)
        axes.plot(point.rate, value.value, marker="d", markersize=8, color=look["color"], linestyle="none")
        if point.codec not in curves:
            labels.append(Label(axes, point.rate, value.value, title, look["color"]))
    return labels


def _curves(points: Sequence[Point]) -> dict[str, list[tuple[float, float]]]:
    """Rate and value of each setting of each codec, by growing rate, of those with enough settings for a line."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in sorted(points, key=lambda point: point.rate):
        if point.codec:
            curves.setdefault(point.codec, []).append((point.rate, point.candidate.value.value))
    return {codec: curve for codec, curve in curves.items() if len(curve) >= MINIMUM_OF_A_LINE}


def _scale(axes: Axes, rates: Sequence[float], ticks: Sequence[float]) -> None:
    """Powers of two as equal steps, with those of ``ticks`` that are in sight."""
    low, high = min(rates) / 1.15, max(rates) * 1.15
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_xscale("log", base=2)
    axes.set_xlim(low, high)
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()
