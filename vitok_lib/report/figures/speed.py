"""The figures of speed and memory: growth with the tokens, the roofline, the time of each type of operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from vitok_lib.report.data import chunking, groups
from vitok_lib.report.data.groups import PROFILE, SETTINGS, Machine
from vitok_lib.report.data.limits import Limits, limits
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import (
    GUIDE_COLOUR,
    MINIMUM_OF_A_LINE,
    STYLE,
    Drawing,
    draw_interval,
    finished,
    line_or_marks,
    looks,
    mark,
)
from vitok_lib.report.page.labels import TIMES, digits, label, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

OPERATION_COLOURS = ("#77AADD", "#EE8866", "#44BB99", "#EEDD88", "#FFAABB", "#DDDDDD")
"""Paul Tol's light colours, on which print is read; no family of tokenizers has one of them."""
LARGEST = "time_attention"
"""The bars are sorted by the share of this type, which grows with the resolution."""
_LABELLED_SHARE = 9.0
"""Per cent of the time below which a segment is too narrow for its name, which then follows the bar."""
_NEAR = 1.15
"""Peaks of runs that differ by less than this factor are one line of the roofline."""
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
    windows: dict[str, dict[int | str | None, int]] = {}
    for entry in sorted(held, key=lambda entry: list(benchmarks).index(entry.record.benchmark)):
        count = groups.tokens(entry)
        if count:
            points = lines.setdefault(line_name(entry, differing), {})
            points.setdefault(count, entry)
    lines = {name: dict(sorted(points.items())) for name, points in lines.items() if len(points) >= MINIMUM_OF_A_LINE}
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
            words.append(
                text if name in ("preset", "dtype") else f"{SETTINGS[name].lower()} {text}".removesuffix(" yes")
            )
    return ", ".join(words)


def short_names(names: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """The settings that all ``names`` of lines share, and each name without them, so that labels stay short."""
    parts = {name: name.split(", ") for name in names}
    settings = [set(held[1:]) for held in parts.values()]
    shared = set.intersection(*settings) if len(settings) > 1 else set()
    kept = {name: ", ".join(part for part in held if part not in shared) for name, held in parts.items()}
    return sorted(shared), kept


def _by_tokens(machine: Machine, lines: Lines, quantity: str) -> Drawing:
    names = sorted(lines)
    counts = sorted({count for points in lines.values() for count in points})
    unit = next(iter(lines[names[0]].values())).value(quantity).unit
    words, labels, styles = [], [], looks(names)
    shared, short = short_names(names)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 4.6))
        axes = figure.subplots()
        for name, style in styles.items():
            values = [entry.value(quantity) for entry in lines[name].values()]
            line_or_marks(axes, list(lines[name]), [value.value for value in values], style)
            for count, value in zip(lines[name], values, strict=True):
                draw_interval(axes, count, value, style["color"])
            last = max(lines[name])
            labels.append(Label(axes, last, values[-1].value, short[name], style["color"], end=last == counts[-1]))
            texts = (f"{digits(quantity, v.value)} at {count:,}" for count, v in zip(lines[name], values, strict=True))
            words.append(f"{name}: {', '.join(texts)}")
        axes.set_xscale("log", base=2)
        _upwards(axes)
        seen = axes.get_ylim()
        _guide(axes, counts, min(points[min(points)].value(quantity).value for points in lines.values()))
        axes.set_ylim(seen)
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("tokens of an image")
        axes.set_ylabel(label(quantity, unit))
        axes.set_title(", ".join([str(machine), *shared]), fontsize=10)
        return finished(
            figure,
            f"{label(quantity, unit)} over the tokens of an image on {machine}. {'; '.join(words)}.",
            say.text("by_tokens", quantity=label(quantity, unit)),
            labels,
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
    shared, short = short_names(sorted(lines))
    at = [limit.intensity for limit in held] + [1e3 * limit.matmul / limit.copy for limit in held]
    spread = np.geomspace(min(at) / 1.5, max(at) * 1.5, 200)
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 5.4))
        axes = figure.subplots()
        for matmul, copy in _distinct(sorted({(limit.matmul, limit.copy) for limit in held})):
            axes.plot(spread, np.minimum(matmul, spread * copy / 1e3), color=GUIDE_COLOUR, linewidth=1, alpha=0.6)
            peak = f"peak {digits('rate', matmul)} TFLOP/s"
            labels.append(Label(axes, spread[-1], matmul, peak, GUIDE_COLOUR, end=True))
        for name, style in looks(sorted(lines)).items():
            for limit in lines[name]:
                axes.plot(limit.intensity, limit.rate, **mark(style), markersize=6)
                text = f"{short[name]}, {groups.size_text(limit.entry)}"
                labels.append(Label(axes, limit.intensity, limit.rate, text, style["color"]))
            texts = (
                f"{digits('rate', limit.rate)} of {digits('rate', limit.matmul)} TFLOP/s at {_place(limit)}"
                for limit in lines[name]
            )
            words.append(f"{name}: {', '.join(texts)}")
        axes.set_xscale("log")
        axes.set_xlim(spread[0], spread[-1])
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        _upwards(axes)
        axes.set_xlabel("arithmetic intensity, FLOP/byte")
        axes.set_ylabel("achieved throughput, TFLOP/s")
        axes.set_title(", ".join([str(machine), *shared]), fontsize=10)
        return finished(
            figure,
            f"Achieved throughput under the peaks of {machine}. {'; '.join(words)}.",
            say.text("roofline"),
            labels,
        )


def _distinct(peaks: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of ``peaks`` by throughput those that differ visibly: of runs within ``_NEAR`` the highest."""
    kept: list[tuple[float, float]] = []
    for peak in reversed(peaks):
        if not kept or kept[-1][0] > peak[0] * _NEAR:
            kept.append(peak)
    return kept


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
    held = sorted(held, key=lambda entry: _time(entry, LARGEST) / sum(_time(entry, name) for name in TIMES))
    titles = [f"{line_name(entry, differing)}, {groups.size_text(entry)}" for entry in held]
    shares = np.array([[_time(entry, name) for name in TIMES] for entry in held])  # [records, types]
    shares = 100 * shares / shares.sum(axis=1, keepdims=True)
    words = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 1.2 + 0.55 * len(held)))
        axes = figure.subplots()
        for column, name in enumerate(TIMES):
            if shares[:, column].any():
                left = shares[:, :column].sum(axis=1)
                axes.barh(
                    range(len(held)),
                    shares[:, column],
                    left=left,
                    color=OPERATION_COLOURS[column],
                    edgecolor="white",
                )
                for row, (start, share) in enumerate(zip(left, shares[:, column], strict=True)):
                    if share >= _LABELLED_SHARE:
                        text = f"{name_of(name)}\n{digits('share', share)} %"
                        axes.text(start + share / 2, row, text, ha="center", va="center", fontsize=8)
        for row, held_shares in enumerate(shares):
            narrow = [
                (name, share) for name, share in zip(TIMES, held_shares, strict=True) if 0 < share < _LABELLED_SHARE
            ]
            text = ", ".join(f"{name_of(name)} {digits('share', share)} %" for name, share in narrow)
            axes.text(101, row, text, va="center", fontsize=8)
        for title, row in zip(titles, shares, strict=True):
            texts = [
                f"{name_of(name).lower()} {digits('share', share)} %" for name, share in zip(TIMES, row, strict=True)
            ]
            words.append(f"{title}: {', '.join(one for one, share in zip(texts, row, strict=True) if share)}")
        axes.set_yticks(range(len(held)), titles)
        axes.set_xlim(0, 100)
        axes.set_xlabel("share of the time of encode and decode, %")
        axes.set_title(str(machine), fontsize=10)
        return finished(
            figure,
            f"Share of the time of each type of operation on {machine}. {'; '.join(words)}.",
            say.text("time_by_operation"),
        )


def _time(entry: Entry, name: str) -> float:
    value = entry.record.value(name)
    return value.value if value else 0.0
