"""Findings to plan an evaluation with: how many images tell two tokenizers apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from vitok_lib.metrics.statistics import images_needed
from vitok_lib.records.schema import Kind, Value
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry, natural, of_case
from vitok_lib.report.data.spreads import Spread, spreads
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import in_order, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("planning")

DIFFERENCES = (0.5, 0.1)
"""Differences to tell apart, in the unit of the quantity."""


def images_to_tell_apart(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """The images that leave 0 out of the interval of a paired difference of each of ``DIFFERENCES``, and of two means.

    Fewest and most are those of the pairs with a PCA baseline that spread least and most.
    """
    found = spreads(entries, case, quantity)
    pairs = sorted((spread for spread in found if spread.paired), key=lambda spread: spread.deviation)
    means = sorted((spread for spread in found if not spread.paired), key=lambda spread: spread.deviation)
    if not pairs:
        return []
    return [
        say(
            "images_needed",
            case=case,
            metric=name_of(quantity),
            difference=f"{difference:g} {pairs[0].unit}",
            fewest=_needed(pairs[0], difference, quantity),
            narrow=pairs[0].title,
            most=_needed(pairs[-1], difference, quantity) if len(pairs) > 1 else None,
            wide=pairs[-1].title,
            mean=_needed(means[0], difference, quantity),
        )
        for difference in DIFFERENCES
    ]


def _needed(spread: Spread, margin: float, quantity: str) -> Number:
    needed, *ends = (images_needed(size, margin) for size in (spread.deviation, *spread.deviation_interval))
    tip = f"derived: images for ±{margin:g} of {quantity}, {spread.title}, from {len(spread.values)} · 95 % by χ²"
    shown = f"[{', '.join(f'{end:,}' for end in ends)}]"
    return Number(f"{needed:,}", Kind.DERIVED, tip, spread.entry.anchor, interval=shown)


def distances_told_apart(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """For each distance and pair of tokenizers of ``case``, the least n at which their subsets' intervals part."""
    held = sorted(of_case(entries, case), key=lambda entry: natural(entry.title))
    points = [value.quantity.partition(":n=") for entry in held for value in entry.record.values if value.interval]
    found: list[Sentence] = []
    for metric in in_order(name for name, _, n in points if n):
        for one, other in combinations(held, 2):
            if one.record.images != other.record.images:
                continue
            known = [_at(entry, metric) for entry in (one, other)]
            shared = sorted(set(known[0]) & set(known[1]))
            if not shared:
                continue
            parted = next((n for n in shared if _apart(known[0][n], known[1][n])), None)
            n = parted or shared[-1]
            values = [number(entry, values[n]) for entry, values in zip((one, other), known, strict=True)]
            about = {"case": case, "metric": name_of(metric), "one": one.title, "other": other.title}
            found.append(say("told_apart", **about, n=f"{n:,}", parted=parted is not None, values=values))
    return found


def _at(entry: Entry, metric: str) -> dict[int, Value]:
    """The distance at each n that has an interval over subsets."""
    points = [(value, *value.quantity.partition(":n=")) for value in entry.record.values if value.interval]
    return {int(n): value for value, name, _, n in points if name == metric and n}


def _apart(one: Value, other: Value) -> bool:
    assert one.interval is not None
    assert other.interval is not None
    return one.interval.high < other.interval.low or other.interval.high < one.interval.low
