"""Speed-ups within one run, next to those that the FLOPs predict and those published."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitok_lib.cost.flops import Work, vitok_work
from vitok_lib.records.schema import Kind, Value
from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number
from vitok_lib.report.page.formatting import number
from vitok_lib.report.page.labels import digits

DENSE, REFERENCE = "dense", "reference"


def derived(text: str, what: str, entry: Entry | None = None) -> Number:
    """A number that follows from measured values or from an architecture; ``what`` says how."""
    return Number(text, Kind.DERIVED, f"derived: {what}", entry.anchor if entry else None)


def times(value: float, what: str, entry: Entry | None = None) -> Number:
    """A ratio in print."""
    return derived(f"{digits('speedup', value)}×", what, entry)


def speedup(entry: Entry, base: Entry) -> Number | None:
    """How many times as fast ``entry`` is as ``base``, with the interval where the run took it against ``base`` itself.

    None where one of the two ended in an outcome without a value.
    """
    value, of_base = groups.held(entry, "latency"), groups.held(base, "latency")
    if value is None or of_base is None or not value.value:
        return None
    recorded = _paired(entry, base)
    if recorded:
        shown = number(entry, recorded)
        return Number(f"{shown.text}×", shown.kind, shown.tip, shown.anchor, shown.interval)
    return times(of_base.value / value.value, f"latency of {base.name} over that of {entry.name}", entry)


def gain_over(entry: Entry, base: Entry) -> float:
    """How many times as fast ``entry`` is as ``base``, both with a latency: round by round where the run has it so."""
    recorded = _paired(entry, base)
    return recorded.value if recorded else base.value("latency").value / entry.value("latency").value


def beyond_one(entry: Entry, base: Entry) -> bool:
    """Whether all of the interval of the ratio that the run took against ``base``, round by round, lies above 1."""
    recorded = _paired(entry, base)
    return recorded is not None and recorded.interval is not None and recorded.interval.low > 1


def _paired(entry: Entry, base: Entry) -> Value | None:
    recorded = groups.held(entry, "speedup")
    return recorded if recorded and f"to:{base.stem}" in (recorded.signature or "").split("|") else None


def overlap(entry: Entry, other: Entry) -> bool:
    """Whether the intervals of two latencies share a point, so that a ratio of the two settles nothing."""
    one, two = entry.value("latency").interval, other.value("latency").interval
    return one is not None and two is not None and one.low <= two.high and two.low <= one.high


def widest(run: Sequence[Entry]) -> Entry | None:
    """The entry with the widest window that has a latency; full attention is the widest."""
    timed = [entry for entry in run if groups.held(entry, "latency")]
    return max(timed, key=radius, default=None)


def window_runs(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The measurements over the window, a list a run; a dense mask computes all pairs and so saves nothing."""
    return [
        run
        for held in groups.by_machine(entries, [groups.WINDOWS]).values()
        for run in groups.runs_of(held, apart_from="window")
        if run[0].record.settings.preset != DENSE
    ]


def radius(entry: Entry) -> float:
    window = entry.record.settings.window
    return math.inf if window is None else window


def work_of(entry: Entry) -> Work | None:
    """The FLOPs of one image, of a ViTok, at the entry's size and window."""
    variant = groups.variant_of(entry)
    return vitok_work(variant, *groups.size(entry), entry.record.settings.window) if variant else None


def predicted_speedup(entry: Entry, base: Entry) -> Number | None:
    """The ratio of the FLOPs of ``base`` to those of ``entry``; None of what is no ViTok."""
    work, of_base = work_of(entry), work_of(base)
    if work is None or of_base is None:
        return None
    return times(of_base.total / work.total, "FLOPs of one over those of the other, by formula", entry)


def published_windows(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The published latencies over the window: a list for each source, tokenizer and size, the widest window first."""
    by_size: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if not entry.measured and entry.record.settings.window is not None and entry.record.value("latency"):
            by_size.setdefault((entry.origin, entry.record.tokenizer.name, entry.case), []).append(entry)
    return [sorted(group, key=radius, reverse=True) for group in by_size.values() if len(group) > 1]


def published_ratio(entry: Entry, base: Entry) -> Number:
    """The ratio of two published latencies, which is no more than published either."""
    ratio = base.value("latency").value / entry.value("latency").value
    tip = f"published: latency of {base.name} over that of {entry.name}"
    return Number(f"{digits('speedup', ratio)}×", Kind.PUBLISHED, tip, entry.anchor)


def published_speedup(entries: Sequence[Entry], measured: Entry) -> Number | None:
    """The speed-up that a source reports for the window of ``measured``, at its size, over the widest it reports."""
    wanted = (measured.record.tokenizer.name, measured.record.resolution)
    for group in published_windows(entries):
        if (group[0].record.tokenizer.name, group[0].record.resolution) == wanted:
            for entry in group:
                if entry.record.settings.window == measured.record.settings.window:
                    return published_ratio(entry, group[0])
    return None


def growth(entry: Entry, larger: Entry, quantity: str, *, apart_from: str | None = None) -> float | None:
    """The exponent k of value ~ tokens^k between two sizes; the quantity ``apart_from`` is taken off both values first.

    None where a value is missing, or nothing grew.
    """
    values = []
    for held in (entry, larger):
        value, off = groups.held(held, quantity), groups.held(held, apart_from) if apart_from else None
        count = groups.tokens(held)
        if value is None or count is None or (apart_from and off is None):
            return None
        values.append((count, value.value - (off.value if off else 0.0)))
    (tokens, small), (more_tokens, large) = values
    if min(small, large) <= 0 or tokens >= more_tokens:
        return None
    return math.log(large / small) / math.log(more_tokens / tokens)
