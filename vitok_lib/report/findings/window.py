"""Findings on the attention window: what a narrower one gains, against a dense mask, and growth with the tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from vitok_lib.cost.flops import vitok_flops
from vitok_lib.report.data import groups
from vitok_lib.report.data.formatting import held_number, number, outcome
from vitok_lib.report.data.groups import SPEED, WINDOWS, lead
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
    speed_ratio,
    times,
    widest,
    window_runs,
    work_of,
)
from vitok_lib.report.findings.speed import remark_on, runs
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import digits
from vitok_lib.report.page.templates import sentences

say = sentences("window")


def windows_published(entries: Sequence[Entry]) -> list[Sentence]:
    """The speed-up that a source reports for a narrower window, next to that which the FLOPs allow."""
    found: list[Sentence] = []
    for group in published_windows(entries):
        wide, narrow = group[0], group[-1]
        work, predicted = work_of(wide), predicted_speedup(narrow, wide)
        if work is None or predicted is None:
            continue
        linear = work.encoder.linear + work.decoder.linear
        share = f"{digits('share', 100 * (1 - linear / work.total))} %"
        found.append(
            say(
                "published",
                origin=wide.origin,
                tokenizer=wide.record.tokenizer.name,
                case=wide.case,
                wide=number(wide, wide.value("latency"), unit=True),
                wide_radius=_radius_text(wide),
                narrow=number(narrow, narrow.value("latency"), unit=True),
                narrow_radius=_radius_text(narrow),
                ratio=published_ratio(narrow, wide),
                predicted=predicted,
                share=derived(share, "FLOPs of attention over all FLOPs, by formula from the architecture"),
                limit=times(work.total / linear, "all FLOPs over those without attention, by formula"),
            )
        )
    return found


def windows_measured(entries: Sequence[Entry]) -> list[Sentence]:
    """The speed-up of the narrowest window of each run over the widest, next to that which the FLOPs predict."""
    found: list[Sentence] = []
    for run in window_runs(entries):
        wide = widest(run)
        narrow = min((entry for entry in run if groups.held(entry, "latency")), key=radius, default=None)
        if wide is None or narrow is None or narrow is wide:
            continue
        full, gain = wide.record.settings.window is None, speed_ratio(narrow, wide)
        assert gain is not None  # both have a latency
        found.append(
            say(
                "measured",
                lead=lead(narrow, "window"),
                narrow=_radius_text(narrow),
                wide="full attention" if full else f"radius {_radius_text(wide)}",
                gain=gain.number,
                predicted=predicted_speedup(narrow, wide),
                remark=remark_on(gain),
            )
        )
    return found


def _radius_text(entry: Entry) -> str:
    return groups.setting(entry, "window")


def dense_against_windowed(entries: Sequence[Entry]) -> list[Sentence]:
    """The windowed kernel against the dense mask, of one run."""
    found: list[Sentence] = []
    for run in runs(entries, [WINDOWS, SPEED], "preset"):
        by_preset = {entry.record.settings.preset: entry for entry in run}
        dense, windowed = by_preset.get(DENSE), by_preset.get(REFERENCE)
        if dense is None or windowed is None or not groups.held(windowed, "latency"):
            continue
        gain = speed_ratio(windowed, dense)
        found.append(
            say(
                "dense",
                lead=lead(windowed, "preset"),
                windowed=held_number(windowed, "latency", unit=True),
                dense=held_number(dense, "latency", unit=True) if gain else outcome(dense),
                gain=gain.number if gain else None,
                remark=remark_on(gain) if gain else "",
            )
        )
    return found


def growth_with_tokens(entries: Sequence[Entry]) -> list[Sentence]:
    """How latency grows between the two largest sizes of each preset, of one shape and one commit, next to the FLOPs.

    Linear is an exponent of one.
    """
    found: list[Sentence] = []
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
        shown, relation, predicted = _against_flops(entry, larger, exponent, math.log(more / count))
        found.append(
            say(
                "growth",
                lead=lead(larger, "resolution"),
                tokens=f"{count:,}",
                more_tokens=f"{more:,}",
                times_as_many=digits("factor", round(more / count, 2)),
                which=f"{'both' if len(sized) == 2 else 'the two largest'} of {len(sized)} sizes",
                factor=times(factor, f"latency of {larger.name} over that of {entry.name}", larger),
                exponent=shown,
                relation=relation,
                predicted=predicted,
            )
        )
    return found


def _against_flops(entry: Entry, larger: Entry, exponent: float, logarithm: float) -> tuple[Number, str, Number]:
    """An exponent with the interval that those of both latencies leave it, its relation to that of the FLOPs, and this.

    ``logarithm`` is that of the ratio of tokens. The relation is ``unknown`` where a latency has no interval.
    """
    shown = derived(digits("exponent", exponent), "logarithm of one ratio over that of the other", larger)
    of_flops = math.log(_flops(larger) / _flops(entry)) / logarithm
    predicted = derived(digits("exponent", of_flops), "the same of the FLOPs, by formula from the architecture")
    small, large = entry.value("latency").interval, larger.value("latency").interval
    if small is None or large is None:
        return shown, "unknown", predicted
    low, high = math.log(large.low / small.high) / logarithm, math.log(large.high / small.low) / logarithm
    relation = "below" if high < of_flops else "above" if low > of_flops else "equal"
    interval = f"[{digits('exponent', low)}, {digits('exponent', high)}]"
    return replace(shown, interval=interval), relation, predicted


def _flops(entry: Entry) -> float:
    """The FLOPs of one image; a dense mask computes all pairs."""
    variant, settings = groups.variant_of(entry), entry.record.settings
    assert variant is not None  # it has tokens
    return vitok_flops(variant, *groups.size(entry), None if settings.preset == DENSE else settings.window).total


FINDINGS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {
    "windows-published": windows_published,
    "windows": windows_measured,
    "dense": dense_against_windowed,
    "growth": growth_with_tokens,
}
"""The findings by the name that a page uses."""
