"""Speed-ups within one run, next to those that the FLOPs predict and those published.

Two latencies of one run are compared by the ratio of each round and the interval of its median, never by whether their
own intervals overlap: what slowed a whole round is in both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitok_lib.cost.flops import Flops, raster_radius, vitok_flops
from vitok_lib.metrics.statistics import MEDIAN_METHOD, leaves_out, median_interval
from vitok_lib.records.schema import Interval, Kind
from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import NOT_SIGNIFICANT, Number
from vitok_lib.report.page.labels import bracket, digits

DENSE, REFERENCE = "dense", "reference"


def derived(text: str, what: str, entry: Entry | None = None) -> Number:
    """A number that follows from measured values or from an architecture; ``what`` says how."""
    return Number(text, Kind.DERIVED, f"derived: {what}", entry.anchor if entry else None)


def times(value: float, what: str, entry: Entry | None = None) -> Number:
    """A ratio in print."""
    return derived(f"{digits('speedup', value)}×", what, entry)


@dataclass(frozen=True)
class Ratio:
    """How many times as fast ``entry`` is as ``base``, with the 95 % interval over the rounds of their run, if any."""

    entry: Entry
    base: Entry
    value: float
    interval: Interval | None
    n: int | None
    how: str

    @property
    def significant(self) -> bool:
        """Whether there is an interval and it leaves out 1."""
        return self.interval is not None and leaves_out(1, self.interval.low, self.interval.high)

    @property
    def remark(self) -> str:
        """What is said of a ratio that is not significant."""
        return NOT_SIGNIFICANT if self.interval else "too few rounds for an interval"

    @property
    def number(self) -> Number:
        """The ratio in print."""
        facts = [f"derived: {self.how}"]
        facts += [f"n = {self.n:,} rounds"] if self.n is not None else []
        facts += [f"{self.interval.level:.0%} interval, {self.interval.method}"] if self.interval else []
        ends = bracket("speedup", self.interval) if self.interval else None
        text = f"{digits('speedup', self.value)}×"
        return Number(text, Kind.DERIVED, " · ".join(facts), self.entry.anchor, ends)


def speed_ratio(entry: Entry, base: Entry) -> Ratio | None:
    """The ratio of two latencies: as the run recorded it, else from the rounds of both, else of their medians alone.

    None where one of the two ended in an outcome without a value. It has no interval where the two are of two runs,
    their rounds were not kept, or there are fewer than six.
    """
    value, of_base = groups.held(entry, "latency"), groups.held(base, "latency")
    if value is None or of_base is None or not value.value:
        return None
    how = f"latency of {base.name} over that of {entry.name}"
    recorded = groups.held(entry, "speedup")
    if recorded and f"to:{base.stem}" in (recorded.signature or "").split("|"):
        return Ratio(entry, base, recorded.value, recorded.interval, recorded.n, f"{how}, round by round")
    ratios = _ratios_of_rounds(entry, base)
    bounds = median_interval(ratios)
    if bounds is None:
        return Ratio(entry, base, of_base.value / value.value, None, None, how)
    interval = Interval(low=bounds[0], high=bounds[1], method=MEDIAN_METHOD)
    return Ratio(entry, base, float(np.median(ratios)), interval, len(ratios), f"{how}, round by round")


def _ratios_of_rounds(entry: Entry, base: Entry) -> list[float]:
    """Of each round of one run the latency of ``base`` over that of ``entry``; none where they share no rounds."""
    ours, theirs = entry.record.provenance, base.record.provenance
    if ours is None or theirs is None or (ours.started, ours.host) != (theirs.started, theirs.host):
        return []
    one, other = _rounds(entry), _rounds(base)
    return [other[number] / one[number] for number in one if number in other]


def _rounds(entry: Entry) -> dict[int, float]:
    """Of each round the median of its calls, encode and decode together, in milliseconds an image."""
    if entry.samples_path is None:
        return {}
    calls = entry.per_image[["round", "stage", "milliseconds"]]
    calls = calls.assign(call=calls.groupby(["round", "stage"]).cumcount())
    medians = calls.groupby(["round", "call"])["milliseconds"].sum().groupby("round").median()
    batch = entry.record.settings.batch or 1
    return {number: value / batch for number, value in zip(medians.index.tolist(), medians.tolist(), strict=True)}


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
    """In tokens of raster order; of a window of rows and columns that at which a token sees as many."""
    window = entry.record.settings.window
    return math.inf if window is None else raster_radius(window)


def work_of(entry: Entry) -> Flops | None:
    """The FLOPs of one image, of a ViTok, at the entry's size and window."""
    variant = groups.variant_of(entry)
    return vitok_flops(variant, *groups.size(entry), entry.record.settings.window) if variant else None


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
        if entry.published and entry.record.settings.window is not None and entry.record.value("latency"):
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
