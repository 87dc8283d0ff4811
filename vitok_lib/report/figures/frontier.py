"""The figures that combine measurements: quality over latency, and memory against memory limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from vitok_lib.records.schema import OutcomeStatus, Settings, Value
from vitok_lib.report.data import groups, protocol
from vitok_lib.report.data.groups import CAPACITY, MEMORY, SPEED, Machine
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import (
    GUIDE_COLOUR,
    STYLE,
    Drawing,
    draw_interval,
    draw_spread,
    finished,
    line_or_marks,
    looks,
    range_text,
    value_text,
)
from vitok_lib.report.figures.speed import Drawings, line_name, short_names
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences

say = sentences("captions")

OOM_MARK = "X"
ALIKE = ("window", "blocks", "tile", "tiling", "precision")
"""Settings that change what a tokenizer gives: those of a quality are those of the latency it is drawn with."""


@dataclass(frozen=True)
class Point:
    """A tokenizer's quality and its latency, on one machine in one study at one resolution."""

    quality: Ranked
    latency: Value
    preset: str


def quality_and_speed(entries: Sequence[Entry], case: str, quantity: str) -> Drawings:
    """Quality over the latency of one image, a figure a machine that measured both of at least two tokenizers.

    Latency and quality are of the same study, machine, tokenizer, resolution, dtype and :data:`ALIKE`; the
    latency is that of the fastest preset at a batch of one, which the alternative text names.
    """
    measured = [entry for entry in entries if entry.case == case and entry.measured]
    found: Drawings = []
    for machine, timed in groups.by_machine(entries, [SPEED]).items():
        group: list[Ranked] = []
        for shared, ranking in protocol.by_protocol(measured, quantity).items():
            if shared.origin == machine.study and len(ranking) > len(group):
                group = ranking
        joined = [point for held in protocol.ranked(group, quantity) if (point := _join(held, timed, machine))]
        if len(joined) >= protocol.MINIMUM_TO_RANK:
            found.append((machine, _quality_and_speed(machine, case, quantity, joined)))
    return found


def _join(held: Ranked, timed: Sequence[Entry], machine: Machine) -> Point | None:
    wanted = held.entry.record
    if groups.machine_of(held.entry) != machine:
        return None
    fitting = [
        entry
        for entry in timed
        if entry.record.tokenizer.name == wanted.tokenizer.name
        and groups.size(entry) == (wanted.resolution, wanted.resolution)
        and entry.record.settings.batch in (None, 1)
        and entry.record.settings.dtype in (None, wanted.settings.dtype)
        and _alike(entry.record.settings) == _alike(wanted.settings)
        and groups.held(entry, "latency")
    ]
    if not fitting:
        return None
    best = min(fitting, key=lambda entry: entry.value("latency").value)
    return Point(held, best.value("latency"), best.record.settings.preset or "reference")


def _alike(settings: Settings) -> list[object]:
    return [getattr(settings, name) or None for name in ALIKE]


def _quality_and_speed(machine: Machine, case: str, quantity: str, joined: Sequence[Point]) -> Drawing:
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.8))
        axes = figure.subplots()
        for point in joined:
            title, value = point.quality.entry.title, point.quality.value
            colour = looks([title])[title]["color"]
            draw_spread(axes, point.latency.value, point.quality, colour, upright=True)
            draw_interval(axes, value.value, point.latency, colour, upright=False)
            axes.plot(point.latency.value, value.value, marker="d", markersize=8, color=colour, linestyle="none")
            labels.append(Label(axes, point.latency.value, value.value, title, colour, radius=8))
            texts = f"{digits('latency', point.latency.value)} {point.latency.unit}, preset {point.preset}"
            words.append(f"{value_text(point.quality)} at {texts}")
        times = [point.latency.value for point in joined]
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 1.3, max(times) * 1.3)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("encode and decode of an image, ms")
        axes.set_ylabel(label(quantity, joined[0].quality.value.unit))
        axes.set_title(f"{case}, {machine}", fontsize=10)
        return finished(
            figure,
            f"{label(quantity)} on {case} against the latency of an image on {machine}: "
            f"{range_text([point.quality for point in joined])}. {'; '.join(words)}.",
            say.text("quality_and_speed", metric=label(quantity), case=case),
            labels,
        )


def memory_frontier(entries: Sequence[Entry]) -> Drawings:
    """The model's peak over the resolution, a figure a machine and a line a setting; memory limits are level lines.

    The limits are those within which the largest size was searched. OOM is a cross at the top. A machine with one
    record alone has no figure.
    """
    found: Drawings = []
    for machine, held in groups.by_machine(entries, [MEMORY]).items():
        capped = groups.by_machine(entries, [CAPACITY]).get(machine, [])
        limits = {entry.record.settings.memory_limit_gib for entry in capped}
        drawn = [entry for entry in held if groups.held(entry, "model_peak") or _oom(entry)]
        if len(drawn) > 1 and any(groups.held(entry, "model_peak") for entry in drawn):
            found.append((machine, _memory(machine, drawn, sorted(limit for limit in limits if limit))))
    return found


def _oom(entry: Entry) -> bool:
    return entry.record.outcome.status == OutcomeStatus.OOM


def _memory(machine: Machine, held: Sequence[Entry], limits: Sequence[float]) -> Drawing:
    differing = groups.varying(held)
    lines: dict[str, dict[int, Entry]] = {}
    for entry in held:
        lines.setdefault(line_name(entry, differing), {})[entry.record.resolution] = entry
    styles, words = looks(sorted(lines, key=natural)), []
    shared, short = short_names(styles)
    sizes = sorted({entry.record.resolution for entry in held})
    top = max(*limits, *(value.value for entry in held if (value := groups.held(entry, "model_peak"))), 0.0) * 1.25
    labels = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 4.6))
        axes = figure.subplots()
        for name, style in styles.items():
            points = dict(sorted(lines[name].items()))
            peaks = {size: value.value for size, e in points.items() if (value := groups.held(e, "model_peak"))}
            line_or_marks(axes, list(peaks), list(peaks.values()), style)
            ended = [size for size, entry in points.items() if _oom(entry)]
            axes.plot(ended, [top] * len(ended), linestyle="none", marker=OOM_MARK, color=style["color"], markersize=8)
            labels += [Label(axes, size, top, f"{short[name]}: OOM", style["color"]) for size in ended]
            if peaks:
                last = max(peaks)
                labels.append(Label(axes, last, peaks[last], short[name], style["color"], end=last == sizes[-1]))
            texts = [f"{digits('model_peak', peak)} GiB at {size} px" for size, peak in peaks.items()]
            words.append(f"{name}: {', '.join([*texts, *(f'OOM at {size} px' for size in ended)])}")
        for limit in limits:
            axes.axhline(limit, color=GUIDE_COLOUR, linestyle="--", linewidth=1)
            axes.annotate(f"{limit:g} GiB", (sizes[0], limit), va="bottom", fontsize=8, color=GUIDE_COLOUR)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("longest side, px")
        axes.set_ylabel(label("model_peak", "GiB"))
        axes.set_title(", ".join([str(machine), *shared]), fontsize=10)
        bounds = f" Memory limits: {', '.join(f'{limit:g} GiB' for limit in limits)}." if limits else ""
        return finished(
            figure,
            f"Peak memory of the model over the resolution on {machine}. {'; '.join(words)}.{bounds}",
            say.text("memory_frontier", limits=bool(limits), ooms=any(map(_oom, held))),
            labels,
        )
