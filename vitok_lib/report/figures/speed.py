"""The figures of speed and memory: growth with the tokens, the roofline, the time of each type of operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from vitok_lib.report.data import chunking, groups
from vitok_lib.report.data.groups import PROFILE, SETTINGS, Machine
from vitok_lib.report.data.limits import Limits, limits
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.drawing import (
    COLOURS,
    GUIDE_COLOUR,
    STYLE,
    Drawing,
    finished,
    interval_bar,
    legend_of,
    looks,
    mark,
)
from vitok_lib.report.page.labels import TIMES, digits, label, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

HATCHES = ("", "///", "...", "xx", "\\\\\\", "++")
"""A second sign of the type of operation, next to its colour."""
Drawings = list[tuple[Machine, Drawing]]


def by_tokens(
    entries: Sequence[Entry], benchmarks: Sequence[str], quantity: str, where: Mapping[str, str] | None = None
) -> Drawings:
    """``quantity`` over the tokens of an image, both logarithmic, a figure a machine and a line a setting.

    Of the windows of a tokenizer that with the most points is drawn: the figure compares kernels and not radii.
    """
    found: Drawings = []
    for machine, held in groups.by_machine(entries, benchmarks, where).items():
        lines = _lines([entry for entry in held if groups.held(entry, quantity)], benchmarks)
        if lines:
            found.append((machine, _by_tokens(machine, lines, quantity)))
    return found


Lines = dict[str, dict[int, Entry]]


def _lines(held: Sequence[Entry], benchmarks: Sequence[str]) -> Lines:
    """Squares by tokens, a line a tokenizer with its settings; of two at a point that of the benchmark named first."""
    held = [entry for entry in held if len(set(groups.size(entry))) == 1]
    differing = groups.varying(held)
    lines: Lines = {}
    windows: dict[str, dict[int | None, int]] = {}
    for entry in sorted(held, key=lambda entry: list(benchmarks).index(entry.record.benchmark)):
        count = groups.tokens(entry)
        if count:
            points = lines.setdefault(line_name(entry, differing), {})
            points.setdefault(count, entry)
    lines = {name: dict(sorted(points.items())) for name, points in lines.items() if len(points) > 1}
    for points in lines.values():
        record = next(iter(points.values())).record
        counts = windows.setdefault(record.tokenizer.name, {})
        counts[record.settings.window] = counts.get(record.settings.window, 0) + len(points)
    drawn = {
        name: {None, max((window for window in counts if window is not None), key=counts.__getitem__, default=None)}
        for name, counts in windows.items()
    }
    return {
        name: points
        for name, points in lines.items()
        if (record := next(iter(points.values())).record).settings.window in drawn[record.tokenizer.name]
    }


def line_name(entry: Entry, differing: Sequence[str]) -> str:
    """The tokenizer with those of its settings in which a figure's lines differ.

    The line of a ViTok names its window and tokens at once, also where they are the default.
    """
    words, of_a_vitok = [entry.record.tokenizer.name], groups.variant_of(entry) is not None
    for name in differing:
        text = groups.setting(entry, name)
        if name == "window":
            words += [f"radius {text}" if text else "full attention"] if of_a_vitok else []
        elif name == "chunk":
            words += [chunking.chunk_text(entry)] if of_a_vitok else []
        elif text:
            words.append(text if name in ("preset", "dtype") else f"{SETTINGS[name].lower()} {text}")
    return ", ".join(words)


def _by_tokens(machine: Machine, lines: Lines, quantity: str) -> Drawing:
    names = sorted(lines)
    counts = sorted({count for points in lines.values() for count in points})
    unit = next(iter(lines[names[0]].values())).value(quantity).unit
    words, styles = [], looks(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 3.6 + 0.2 * len(names)))
        axes = figure.subplots()
        for name, style in styles.items():
            values = [entry.value(quantity) for entry in lines[name].values()]
            axes.plot(list(lines[name]), [value.value for value in values], **style, markersize=5)
            for count, value in zip(lines[name], values, strict=True):
                interval_bar(axes, count, value, style["color"])
            texts = (f"{digits(quantity, v.value)} at {count:,}" for count, v in zip(lines[name], values, strict=True))
            words.append(f"{name}: {', '.join(texts)}")
        _guide(axes, counts, min(points[min(points)].value(quantity).value for points in lines.values()))
        axes.set_xscale("log", base=2)
        _upwards(axes)
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("tokens of an image")
        axes.set_ylabel(label(quantity, unit))
        axes.set_title(str(machine), fontsize=10)
        legend_of(figure, styles, 2)
        return finished(
            figure,
            f"{label(quantity, unit)} over the tokens of an image on {machine}. {'; '.join(words)}.",
            say.text("by_tokens", quantity=label(quantity, unit)),
        )


def _guide(axes: Axes, counts: Sequence[int], start: float) -> None:
    """Lines of slope one and two, to read others against."""
    at = np.array([counts[0], counts[-1]], dtype=np.float64)
    for power, style in ((1, "--"), (2, ":")):
        axes.plot(at, start * (at / at[0]) ** power, style, color=GUIDE_COLOUR, linewidth=1, alpha=0.7, zorder=1)


def _upwards(axes: Axes) -> None:
    """A logarithmic scale upwards whose ticks are plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def rates_under_peaks(entries: Sequence[Entry]) -> Drawings:
    """The roofline: achieved throughput over arithmetic intensity, under the peaks of the same run."""
    return [(machine, _roofline(machine, held)) for machine, held in limits(entries).items()]


def _roofline(machine: Machine, held: Sequence[Limits]) -> Drawing:
    differing = [name for name in groups.varying([limit.entry for limit in held]) if name in ("preset", "dtype")]
    lines: dict[str, list[Limits]] = {}
    for limit in held:
        lines.setdefault(line_name(limit.entry, differing), []).append(limit)
    names = sorted(lines)
    ridges = [1e3 * limit.matmul / limit.copy for limit in held]
    spread = np.geomspace(
        min([*ridges, *(limit.intensity for limit in held)]) / 4,
        max([*ridges, *(limit.intensity for limit in held)]) * 4,
        200,
    )
    words, styles = [], looks(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 3.8 + 0.2 * len(names)))
        axes = figure.subplots()
        for matmul, copy in sorted({(limit.matmul, limit.copy) for limit in held}):
            axes.plot(spread, np.minimum(matmul, spread * copy / 1e3), color=GUIDE_COLOUR, linewidth=1, alpha=0.6)
        for name, style in styles.items():
            points = lines[name]
            at, rates = [limit.intensity for limit in points], [limit.rate for limit in points]
            axes.plot(at, rates, **mark(style), markersize=6, markerfacecolor="none")
            texts = (
                f"{digits('rate', limit.rate)} of {digits('rate', limit.matmul)} TFLOP/s at {_place(limit)}"
                for limit in points
            )
            words.append(f"{name}: {', '.join(texts)}")
        axes.set_xscale("log")
        _upwards(axes)
        axes.set_xlabel("arithmetic intensity, FLOP/byte")
        axes.set_ylabel("achieved throughput, TFLOP/s")
        axes.set_title(str(machine), fontsize=10)
        legend_of(figure, styles, 2, hollow=names)
        return finished(
            figure,
            f"Achieved throughput under the peaks of {machine}. {'; '.join(words)}.",
            say.text("roofline"),
        )


def _place(limit: Limits) -> str:
    return f"{groups.size_text(limit.entry)} and {limit.intensity:,.0f} FLOP/byte"


def time_by_operation(entries: Sequence[Entry]) -> Drawings:
    """The share of each type of operation in the time of an image, a bar a record."""
    found: Drawings = []
    for machine, every in groups.by_machine(entries, [PROFILE]).items():
        held = [entry for entry in every if any(_time(entry, name) > 0 for name in TIMES)]
        if held:
            found.append((machine, _bars(machine, held)))
    return found


def _bars(machine: Machine, held: Sequence[Entry]) -> Drawing:
    differing = groups.varying(held)
    titles = [f"{line_name(entry, differing)}, {groups.size_text(entry)}" for entry in held]
    shares = np.array([[_time(entry, name) for name in TIMES] for entry in held])  # [records, types]
    shares = 100 * shares / shares.sum(axis=1, keepdims=True)
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 1.6 + 0.4 * len(held)))
        axes = figure.subplots()
        for column, name in enumerate(TIMES):
            if shares[:, column].any():
                axes.barh(
                    range(len(held)),
                    shares[:, column],
                    left=shares[:, :column].sum(axis=1),
                    color=COLOURS[column],
                    hatch=HATCHES[column],
                    edgecolor="white",
                    label=name_of(name),
                )
        for title, row in zip(titles, shares, strict=True):
            texts = [
                f"{name_of(name).lower()} {digits('share', share)} %" for name, share in zip(TIMES, row, strict=True)
            ]
            words.append(f"{title}: {', '.join(one for one, share in zip(texts, row, strict=True) if share)}")
        axes.set_yticks(range(len(held)), titles)
        axes.invert_yaxis()
        axes.set_axisbelow(True)
        axes.set_xlabel("share of the time of encode and decode, %")
        axes.set_title(str(machine), fontsize=10)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return finished(
            figure,
            f"Share of the time of each type of operation on {machine}. {'; '.join(words)}.",
            say.text("time_by_operation"),
        )


def _time(entry: Entry, name: str) -> float:
    value = entry.record.value(name)
    return value.value if value else 0.0
