"""Rules about how quality goes with a window or a resolution, and whether few images explain a drop."""

from __future__ import annotations

import itertools
import math

import numpy as np

from vitok_lib.report.claim_evidence import (
    Figure,
    amount,
    arithmetic,
    document,
    measures,
    paired_means,
    released,
    says,
)
from vitok_lib.report.differences import holds_single_images
from vitok_lib.report.parts import Sentence
from vitok_lib.report.quantities import bracket, signed
from vitok_lib.report.rulings import Claim, Entries, Ruling, Verdict, ruling

TWO_SIDED = 1.96
"""Standard errors that a mean is off by chance in one of twenty cases."""


def rises(
    claim: Claim,
    entries: Entries,
    *,
    tokenizer: str,
    quantity: str,
    cases: list[str],
    windows: list[int | None],
) -> Ruling:
    """Whether ``quantity`` rises from step to step; a step is a case and a window, the two lists side by side."""
    steps = list(zip(cases, windows, strict=True))
    told = [document(entries, tokenizer, case, quantity, window) for case, window in steps]
    evidence = [says(figure) for figure in told]
    ours = [released(entries, tokenizer, case, quantity, window) for case, window in steps]
    held = [figure for figure in ours if figure is not None]
    if len(held) == len(steps):
        return _rises_as_measured(held, evidence, quantity)
    if len({figure.value.n for figure in told}) > 1:
        evidence.append(("The document's figures rest on different images: their n differ.",))
        return ruling(Verdict.NOT_COMPARABLE, evidence)
    return ruling(Verdict.NOT_MEASURED, evidence)


def _rises_as_measured(held: list[Figure], evidence: list[Sentence], quantity: str) -> Ruling:
    evidence = [*evidence, *(measures(figure) for figure in held)]
    whole = paired_means(held[-1].entry, held[0].entry, quantity)
    if whole is None:
        evidence.append(("They have no images in common, so nothing tells the steps apart.",))
        return ruling(Verdict.NOT_MEASURED, evidence)
    mean, interval, n = whole
    shown = arithmetic(signed(quantity, mean), f"paired over n = {n:,} images", held[-1], held[0])
    evidence.append(("From the first to the last: ", shown, f" {bracket(quantity, interval)}."))
    if interval.low <= 0 <= interval.high:
        return ruling(Verdict.NOT_MEASURED, [*evidence, ("These images do not tell the two apart.",)])
    upward = all(before.amount <= after.amount for before, after in itertools.pairwise(held))
    return ruling(Verdict.CONFIRMED if upward and mean > 0 else Verdict.REFUTED, evidence)


def few_images_lower_it(
    claim: Claim,
    entries: Entries,
    *,
    tokenizer: str,
    quantity: str,
    case: str,
    window: int,
    over: str,
    spread_of: list[str],
) -> Ruling:
    """Whether the mean in ``case`` lies below that of ``over`` because its images are few.

    On the same images that would vanish. Until the released weights are measured in both cases, the spread from image
    to image that was measured on the photographs of the benchmarks ``spread_of`` stands in for their own.
    """
    few, many = document(entries, tokenizer, case, quantity, window), document(entries, tokenizer, over, quantity)
    drop = few.amount - many.amount
    shown = arithmetic(signed(quantity, drop), f"{few.amount:g} − {many.amount:g}", few, many)
    evidence: list[Sentence] = [says(few), says(many), ("The difference is ", shown, f" {few.value.unit}.")]
    ours = [released(entries, tokenizer, *place) for place in ((case, quantity, window), (over, quantity))]
    if ours[0] is not None and ours[1] is not None:
        pairs = paired_means(ours[0].entry, ours[1].entry, quantity)
        if pairs is not None:
            mean, interval, n = pairs
            same = arithmetic(signed(quantity, mean), f"paired over n = {n:,} images", ours[0], ours[1])
            evidence.append(("On the same images it is ", same, f" {bracket(quantity, interval)}."))
            if interval.low < 0 <= interval.high:
                return ruling(Verdict.NOT_MEASURED, evidence)
            return ruling(Verdict.REFUTED if interval.high < 0 else Verdict.CONFIRMED, evidence)
    needed = abs(drop) / TWO_SIDED * math.sqrt(few.value.n or 1)
    formula = f"{abs(drop):.3g} / {TWO_SIDED} · √{few.value.n}"
    bound = arithmetic(amount(needed, few.value.unit, quantity), formula, few, many)
    start = "A mean has no bias by its n, it scatters. To be off by that much by chance, single images would have to "
    evidence.append((f"{start}scatter by ", bound, "."))
    spread = _largest_spread(entries, quantity, spread_of)
    if spread is None:
        return ruling(Verdict.NOT_MEASURED, evidence)
    deviation, n, figure = spread
    scatter = arithmetic(
        amount(deviation, figure.value.unit, quantity), f"standard deviation over n = {n:,} images", figure
    )
    named = f"{figure.entry.title} on {figure.entry.case}"
    evidence.append((f"The largest scatter of photographs that was measured here is that of {named}: ", scatter, "."))
    return ruling(Verdict.REFUTED if deviation < needed else Verdict.NOT_MEASURED, evidence)


def _largest_spread(entries: Entries, quantity: str, benchmarks: list[str]) -> tuple[float, int, Figure] | None:
    """The largest standard deviation from image to image in ``benchmarks``, its n, and where it was measured."""
    found = []
    for entry in entries:
        value = entry.record.value(quantity)
        if entry.record.benchmark in benchmarks and value is not None and holds_single_images(entry, quantity):
            column = entry.per_image[quantity].dropna().to_numpy(np.float64)
            if column.size > 1:
                found.append((float(column.std(ddof=1)), column.size, Figure(entry, value)))
    return max(found, key=lambda spread: spread[0], default=None)
