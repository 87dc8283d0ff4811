"""The sentences on the attention window: what a narrower one saves, against a mask, and growth with the tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from vitok_lib.cost.flops import vitok_work
from vitok_lib.report.data import groups
from vitok_lib.report.data.groups import SPEED, WINDOWS
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import (
    DENSE,
    REFERENCE,
    derived,
    growth,
    predicted_speedup,
    published_ratio,
    published_windows,
    radius,
    speedup,
    times,
    widest,
    window_runs,
    work_of,
)
from vitok_lib.report.findings.speed import runs, unless_told_apart, where
from vitok_lib.report.page.content import Part, Sentence
from vitok_lib.report.page.formatting import number, outcome
from vitok_lib.report.page.labels import digits


def windows_published(entries: Sequence[Entry]) -> list[Sentence]:
    """What a source prints that a narrower window saves, beside what counting operations allows it to save."""
    sentences: list[Sentence] = []
    for group in published_windows(entries):
        wide, narrow = group[0], group[-1]
        work = work_of(wide)
        counted = predicted_speedup(narrow, wide)
        if work is None or counted is None:
            continue
        linear = work.encoder.linear + work.decoder.linear
        share, limit = 100 * (1 - linear / work.total), work.total / linear
        sentences.append(
            (
                f"{wide.origin} prints for {wide.record.tokenizer.name} on {wide.case} ",
                *_with_radius(wide, " and "),
                *_with_radius(narrow, ": "),
                published_ratio(narrow, wide),
                ". The operations differ by ",
                counted,
                f". At radius {wide.record.settings.window:,} attention takes ",
                derived(f"{digits('share', share)} %", "attention in the work, by formula from the architecture"),
                " of the operations, so that all of them are ",
                times(limit, "all operations over those without attention, by formula"),
                " those without any attention, and no window saves more than that.",
            )
        )
    return sentences


def _with_radius(entry: Entry, after: str) -> list[Part]:
    shown = number(entry, entry.value("latency"), unit=True)
    return [shown, f" at radius {entry.record.settings.window:,}{after}"]


def windows_measured(entries: Sequence[Entry]) -> list[Sentence]:
    """What the narrowest window of each run saves over the widest, beside what counting predicts."""
    sentences: list[Sentence] = []
    for run in window_runs(entries):
        wide = widest(run)
        narrow = min((entry for entry in run if groups.held(entry, "latency")), key=radius, default=None)
        if wide is None or narrow is None or narrow is wide:
            continue
        gain, counted = speedup(narrow, wide), predicted_speedup(narrow, wide)
        assert gain is not None
        parts: list[Part] = [*where(narrow, "window"), f": radius {_radius_words(narrow)} is ", gain, " as fast as "]
        parts.append(f"{'' if wide.record.settings.window is None else 'radius '}{_radius_words(wide)}")
        parts += ["; counting operations predicts ", counted] if counted else []
        sentences.append((*parts, unless_told_apart(narrow, wide)))
    return sentences


def _radius_words(entry: Entry) -> str:
    window = entry.record.settings.window
    return "full attention" if window is None else f"{window:,}"


def dense_against_windowed(entries: Sequence[Entry]) -> list[Sentence]:
    """The kernel that knows the window against the mask over all pairs, of one run."""
    sentences: list[Sentence] = []
    for run in runs(entries, [WINDOWS, SPEED], "preset"):
        by_path = {entry.record.settings.preset: entry for entry in run}
        dense, windowed = by_path.get(DENSE), by_path.get(REFERENCE)
        if dense is None or windowed is None or not groups.held(windowed, "latency"):
            continue
        parts: list[Part] = [*where(windowed, "preset"), ": the windowed kernel takes "]
        parts += [number(windowed, windowed.value("latency"), unit=True), ", the dense mask "]
        gain = speedup(windowed, dense)
        if gain is None:
            sentences.append((*parts, "ended as ", outcome(dense), "."))
            continue
        parts += [number(dense, dense.value("latency"), unit=True), ", that is ", gain, " as fast"]
        sentences.append((*parts, unless_told_apart(windowed, dense)))
    return sentences


def growth_with_tokens(entries: Sequence[Entry]) -> list[Sentence]:
    """How latency grows between the two largest sizes of each path, of one shape and one commit, beside the operations.

    Linear is an exponent of one.
    """
    sentences: list[Sentence] = []
    for line in runs(entries, [WINDOWS, SPEED], "resolution"):
        timed = [entry for entry in line if groups.held(entry, "latency")]
        sized = {count: entry for entry in timed if (count := groups.tokens(entry))}
        if line[0].record.settings.preset not in (DENSE, REFERENCE, None) or len(sized) < 2:
            continue
        (count, entry), (more, larger) = sorted(sized.items())[-2:]
        exponent = growth(entry, larger, "latency")
        if exponent is None:
            continue
        factor = larger.value("latency").value / entry.value("latency").value
        sizes = f"{'both' if len(sized) == 2 else 'the two largest'} of {len(sized)} sizes"
        sentences.append(
            (
                *where(larger, "resolution"),
                f": from {count:,} to {more:,} tokens ({sizes}), {digits('factor', round(more / count, 2))} times as ",
                "many, the latency grows by ",
                times(factor, f"latency of {larger.name} over that of {entry.name}", larger),
                ", an exponent of ",
                *_beside_the_count(entry, larger, exponent),
            )
        )
    return sentences


def _beside_the_count(entry: Entry, larger: Entry, exponent: float) -> list[Part]:
    """An exponent with the ends that the intervals of both latencies leave it, and whether operations grow as fast."""
    logarithm, what = math.log(_tokens(larger) / _tokens(entry)), "logarithm of the one ratio over that of the other"
    small, large = entry.value("latency").interval, larger.value("latency").interval
    counted = math.log(_operations(larger) / _operations(entry)) / logarithm
    by_count = derived(digits("exponent", counted), "the same of the operations, by formula from the architecture")
    if small is None or large is None:
        shown = derived(digits("exponent", exponent), what, larger)
        return [shown, "; that of the operations is ", by_count, "; too few repetitions for an interval."]
    low, high = math.log(large.low / small.high) / logarithm, math.log(large.high / small.low) / logarithm
    ends = f"[{digits('exponent', low)}, {digits('exponent', high)}]"
    shown = replace(derived(digits("exponent", exponent), what, larger), interval=ends)
    relation = "less than" if high < counted else "more than" if low > counted else "not told apart from"
    return [shown, f", {relation} that of the operations, ", by_count, "."]


def _tokens(entry: Entry) -> int:
    count = groups.tokens(entry)
    assert count is not None  # an exponent was taken over them
    return count


def _operations(entry: Entry) -> float:
    """The operations of one image; a mask of all pairs computes them all."""
    variant, settings = groups.variant_of(entry), entry.record.settings
    assert variant is not None  # it has tokens
    return vitok_work(variant, *groups.size(entry), None if settings.preset == DENSE else settings.window).total


CLAIMS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {
    "windows-published": windows_published,
    "windows": windows_measured,
    "dense": dense_against_windowed,
    "growth": growth_with_tokens,
}
"""The sentences by the name that a page uses."""
