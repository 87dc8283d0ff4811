"""The rate of a tokenizer in bits per pixel, and who may be ranked: quality compares at equal rate alone."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.records.schema import Kind
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number
from vitok_lib.report.page.labels import digits

TOLERANCE = 0.05
"""Rates are equal where the largest exceeds the smallest by no more than this share."""
_CHANNELS = 3
_LATENT_BITS = 16


def rate_of(entry: Entry) -> float | None:
    """Bits per pixel: the mean over the images of the record, else those of the architecture at 16 bits a latent value.

    None of a codec whose streams were not counted.
    """
    measured, ratio = entry.record.value("bpp"), entry.record.tokenizer.compression_ratio
    if measured is not None:
        return measured.value
    return _CHANNELS * _LATENT_BITS / ratio if ratio else None


def equal_rates(*entries: Entry) -> bool:
    """Whether all rates are known and equal within ``TOLERANCE``."""
    rates = [rate for entry in entries if (rate := rate_of(entry))]
    return len(rates) == len(entries) and _equal(min(rates), max(rates))


def _equal(low: float, high: float) -> bool:
    return high <= (1 + TOLERANCE) * low


def places_by_rate(rates: Sequence[float | None]) -> list[list[int]]:
    """The places of equal ``rates``, the lowest rate first; what is not known is left out.

    A group begins at the lowest rate that is in none yet, so all of its rates are equal.
    """
    groups: list[list[int]] = []
    lowest = 0.0
    for rate, place in sorted((rate, place) for place, rate in enumerate(rates) if rate):
        if not groups or not _equal(lowest, rate):
            groups.append([])
            lowest = rate
        groups[-1].append(place)
    return [sorted(group) for group in groups]


def by_rate(ranking: Sequence[Ranked]) -> list[list[Ranked]]:
    """``ranking`` in groups of equal rate, the lowest rate first, each in the order of ``ranking``."""
    groups = places_by_rate([rate_of(held.entry) for held in ranking])
    return [[ranking[place] for place in group] for group in groups]


def rate_number(entries: Sequence[Entry]) -> Number:
    """The rates of ``entries`` in print, from the lowest to the highest, with the compression ratio that all share."""
    rates = [rate for entry in entries if (rate := rate_of(entry))]
    if not rates:
        return Number("unknown rate", Kind.DERIVED, "derived: no bits of its streams were counted")
    ends = dict.fromkeys(f"{rate:.3g}" for rate in (min(rates), max(rates)))
    ratios = {entry.record.tokenizer.compression_ratio for entry in entries}
    ratio = ratios.pop() if len(ratios) == 1 else None
    shared = f" ({digits('ratio', ratio)} : 1)" if ratio else ""
    tip = (
        "derived: mean bits per pixel, of a codec's streams or of latent values at 16 bits each; "
        "in brackets pixel values for each latent value"
    )
    return Number(f"{'–'.join(ends)} bit/px{shared}", Kind.DERIVED, tip)
