"""The figures of measured and published quality."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.figures.bias import distance_by_n
from vitok_lib.report.figures.by_image import by_image
from vitok_lib.report.figures.drawing import (
    GUIDE_COLOUR,
    STYLE,
    Drawing,
    Look,
    finished,
    legend_of,
    looks,
    mark,
    panels,
    value_text,
    width,
)
from vitok_lib.report.figures.rate import bits_and_quality, rate_and_quality
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences

say = sentences("captions")


def by_tokenizer(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Measured means with intervals, a panel a case, the PCA baseline as a line.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity``.
    """
    groups = {case: protocol.common(entries, case, quantity) for case in cases}
    names = sorted({held.entry.title for _, group in groups.values() for held in group}, key=natural, reverse=True)
    words, styles = [], looks(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(len(cases)), 1.1 + 0.36 * len(names)))
        for axes, (case, (shared, group)) in zip(panels(figure, len(cases)), groups.items(), strict=True):
            for held in group:
                interval = held.value.interval
                row, is_baseline = (
                    names.index(held.entry.title),
                    paired.is_baseline(held.entry),
                )
                style = styles[held.entry.title]
                if interval:
                    axes.plot(
                        [interval.low, interval.high], [row, row], color=style["color"], linewidth=2.2, alpha=0.55
                    )
                axes.plot(held.value.value, row, **mark(style), markersize=6)
                if is_baseline:
                    axes.axvline(held.value.value, color=GUIDE_COLOUR, linestyle="--", linewidth=1)
            axes.set_title(f"{case} (study {shared.origin}, {shared.count})", fontsize=10)
            axes.set_yticks(range(len(names)), names)
            axes.set_xlabel(label(quantity, group[0].value.unit))
            words.append(f"{case}: " + ", ".join(value_text(held) for held in group))
        return finished(
            figure,
            f"Dot plot of the mean {label(quantity)} of each tokenizer. " + ". ".join(words) + ".",
            say.text("by_tokenizer", metric=label(quantity)),
        )


def by_resolution(entries: Sequence[Entry], benchmark: str, quantity: str) -> Drawing:
    """Values over the resolution, a panel a source, and one for the study with the most lines.

    Estimated values are hollow and dotted.

    Raises:
        RequestError: no tokenizer has ``quantity`` at two resolutions of ``benchmark``.
    """
    lines: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        if entry.record.benchmark == benchmark and entry.record.value(quantity):
            lines.setdefault((entry.origin, entry.title), []).append(entry)
    lines = {key: held for key, held in lines.items() if len({entry.record.resolution for entry in held}) > 1}
    if not lines:
        raise RequestError(f"no tokenizer has '{quantity}' at two resolutions of '{benchmark}'")
    studies = Counter(origin for origin, name in lines if lines[origin, name][0].measured)
    origins = sorted(
        {origin for origin, _ in lines if origin not in studies} | {study for study, _ in studies.most_common(1)}
    )
    lines = {key: held for key, held in lines.items() if key[0] in origins}
    names = sorted({name for _, name in lines}, key=natural)
    words, styles = [], looks(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width(len(origins)), 4.4))
        for axes, origin in zip(panels(figure, len(origins)), origins, strict=True):
            panel = {name: lines[origin, name] for name in names if (origin, name) in lines}
            for name, held in panel.items():
                held.sort(key=lambda entry: entry.record.resolution)
                _line(axes, held, quantity, styles[name])
                words.append(f"{origin}, {name}: " + ", ".join(_at(entry, quantity) for entry in held))
            sizes = sorted({entry.record.resolution for held in panel.values() for entry in held})
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.minorticks_off()
            axes.set_xlabel("resolution, px")
            axes.set_ylabel(label(quantity, next(iter(panel.values()))[0].value(quantity).unit))
            axes.set_title(f"{benchmark}: {origin}", fontsize=10)
        legend_of(figure, styles, 2 + len(origins))
        guesses = any(entry.value(quantity).kind == Kind.ESTIMATED for held in lines.values() for entry in held)
        return finished(
            figure,
            f"{label(quantity)} over the resolution. " + "; ".join(words) + ".",
            say.text(
                "by_resolution", metric=label(quantity), benchmark=benchmark, panels=len(origins), estimates=guesses
            ),
        )


def _line(axes: Axes, held: Sequence[Entry], quantity: str, look: Look) -> None:
    """One tokenizer's values in the order of the resolution."""
    points = [(entry.record.resolution, entry.value(quantity)) for entry in held]
    for (x, value), (next_x, following) in pairwise(points):
        guess = Kind.ESTIMATED in (value.kind, following.kind)
        axes.plot([x, next_x], [value.value, following.value], ":" if guess else "-", color=look["color"])
    for x, value in points:
        fill = "white" if value.kind == Kind.ESTIMATED else look["color"]
        axes.plot(x, value.value, **look, markerfacecolor=fill, markersize=6)


def _at(entry: Entry, quantity: str) -> str:
    value = entry.value(quantity)
    guess = " (estimated)" if value.kind == Kind.ESTIMATED else ""
    return f"{digits(quantity, value.value)}{guess} at {entry.record.resolution} px"


FIGURES = {
    "by-tokenizer": by_tokenizer,
    "rate-and-quality": rate_and_quality,
    "bits-and-quality": bits_and_quality,
    "distance-by-n": distance_by_n,
    "by-image": by_image,
}
"""The figures over several cases, by the name that a page uses; ``by_resolution`` takes a benchmark instead."""
