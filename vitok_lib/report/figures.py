"""The figures, drawn from records at build time as SVG with the same bytes for the same records."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report import comparison
from vitok_lib.report.entries import Entry, natural
from vitok_lib.report.parts import digits, label

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


def by_tokenizer(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Measured means with intervals, a panel a case, the floor as a line.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity``.
    """
    groups = {case: comparison.common(entries, case, quantity) for case in cases}
    names = sorted({entry.title for _, group in groups.values() for entry in group}, key=natural, reverse=True)
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_width(len(cases)), 1.1 + 0.36 * len(names)))
        for axes, (case, (shared, group)) in zip(_panels(figure, len(cases)), groups.items(), strict=True):
            for entry in group:
                value = entry.value(quantity)
                interval = value.interval
                row, floor = names.index(entry.title), entry.record.tokenizer.name == comparison.FLOOR
                colour = FLOOR_COLOUR if floor else COLOURS[0]
                if interval:
                    axes.plot([interval.low, interval.high], [row, row], color=colour, linewidth=2.2, alpha=0.55)
                axes.plot(value.value, row, "s" if floor else "o", color=colour, markersize=6)
                if floor:
                    axes.axvline(value.value, color=FLOOR_COLOUR, linestyle="--", linewidth=1)
            axes.set_title(f"{case} (study {shared.origin}, {shared.count})", fontsize=10)
            axes.set_yticks(range(len(names)), names)
            axes.set_xlabel(label(quantity, group[0].value(quantity).unit))
            words.append(f"{case}: " + ", ".join(_said(entry, quantity) for entry in group))
        return _drawing(
            figure,
            f"Dot plot of the mean {label(quantity)} of each tokenizer. " + ". ".join(words) + ".",
            f"Measured mean {label(quantity)} with its interval (bar). The dashed line is the floor, "
            f"{comparison.FLOOR}, where it was measured.",
        )


def rate_and_quality(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Compression ratio against the measured mean, a panel a case.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity``.
    """
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_width(len(cases)), 3.6))
        for axes, case in zip(_panels(figure, len(cases)), cases, strict=True):
            shared, group = comparison.common(entries, case, quantity)
            known = [entry for entry in group if entry.record.tokenizer.compression_ratio]
            families = sorted({entry.record.tokenizer.family for entry in known})
            for entry in known:
                index = families.index(entry.record.tokenizer.family)
                ratio = entry.record.tokenizer.compression_ratio or 0
                height = entry.value(quantity).value
                axes.plot(ratio, height, MARKERS[index], color=COLOURS[index], markersize=7)
                axes.annotate(entry.title, (ratio, height), (6, 4), textcoords="offset points", fontsize=8)
            ratios = sorted({entry.record.tokenizer.compression_ratio or 0 for entry in known})
            axes.set_xscale("log", base=2)
            axes.set_xlim(ratios[0] / 1.3, ratios[-1] * 2)
            axes.set_xticks(ratios, [digits("ratio", ratio) for ratio in ratios])
            axes.set_xlabel("pixel values for each latent value")
            axes.set_ylabel(label(quantity, group[0].value(quantity).unit))
            axes.set_title(f"{case} (study {shared.origin}, {shared.count})", fontsize=10)
            words.append(f"{case}: " + ", ".join(f"{_said(e, quantity)} at {_ratio(e)} to 1" for e in known))
        return _drawing(
            figure,
            f"Compression ratio against mean {label(quantity)}. " + ". ".join(words) + ".",
            f"Compression ratio and measured mean {label(quantity)}; the marker tells the family. "
            "Further left keeps more numbers, further up is better.",
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
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(_width(len(origins)), 4.4))
        for axes, origin in zip(_panels(figure, len(origins)), origins, strict=True):
            panel = {name: lines[origin, name] for name in names if (origin, name) in lines}
            for name, held in panel.items():
                held.sort(key=lambda entry: entry.record.resolution)
                _line(axes, held, quantity, names.index(name))
                words.append(f"{origin}, {name}: " + ", ".join(_at(entry, quantity) for entry in held))
            sizes = sorted({entry.record.resolution for held in panel.values() for entry in held})
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.minorticks_off()
            axes.set_xlabel("resolution, px")
            axes.set_ylabel(label(quantity, next(iter(panel.values()))[0].value(quantity).unit))
            axes.set_title(f"{benchmark}: {origin}", fontsize=10)
        handles = [Line2D([], [], **_look(index), linestyle="-", label=name) for index, name in enumerate(names)]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(names), 2 + len(origins)), fontsize=8)
        guesses = any(entry.value(quantity).kind == Kind.ESTIMATED for held in lines.values() for entry in held)
        return _drawing(
            figure,
            f"{label(quantity)} over the resolution. " + "; ".join(words) + ".",
            f"{label(quantity)} over the resolution on {benchmark}, for tokenizers that have it at two or more. "
            + ("A panel is a source or a study, and panels are different protocols. " if len(origins) > 1 else "")
            + ("Hollow marks on dotted lines are estimated by the source." if guesses else ""),
        )


def _look(index: int) -> dict[str, Any]:
    """Colour and marker of a tokenizer; more tokenizers than colours still differ in the pair."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def _line(axes: Axes, held: Sequence[Entry], quantity: str, index: int) -> None:
    """One tokenizer's values in the order of the resolution."""
    look = _look(index)
    points = [(entry.record.resolution, entry.value(quantity)) for entry in held]
    for (x, value), (next_x, following) in pairwise(points):
        guess = Kind.ESTIMATED in (value.kind, following.kind)
        axes.plot([x, next_x], [value.value, following.value], ":" if guess else "-", color=look["color"])
    for x, value in points:
        fill = "white" if value.kind == Kind.ESTIMATED else look["color"]
        axes.plot(x, value.value, **look, markerfacecolor=fill, markersize=6)


def _said(entry: Entry, quantity: str) -> str:
    value = entry.value(quantity)
    return f"{entry.title} {digits(quantity, value.value)} {value.unit}".rstrip()


def _ratio(entry: Entry) -> str:
    return digits("ratio", entry.record.tokenizer.compression_ratio or 0)


def _at(entry: Entry, quantity: str) -> str:
    value = entry.value(quantity)
    guess = " (estimated)" if value.kind == Kind.ESTIMATED else ""
    return f"{digits(quantity, value.value)}{guess} at {entry.record.resolution} px"


def _width(panels: int) -> float:
    """Inches for so many panels; the page has room for about nine before print gets small."""
    return min(9.2, 1.2 + 4.2 * panels)


def _panels(figure: Figure, count: int) -> list[Axes]:
    return list(figure.subplots(1, count, squeeze=False, sharey=True)[0])


def _drawing(figure: Figure, alternative: str, caption: str) -> Drawing:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return Drawing(file.getvalue(), alternative, caption)


FIGURES = {"by-tokenizer": by_tokenizer, "rate-and-quality": rate_and_quality}
"""The figures over several cases, by the name that a page uses; ``by_resolution`` takes a benchmark instead."""
