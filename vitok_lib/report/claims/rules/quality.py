"""Rules about how quality goes with a window or a resolution, and whether few images explain a drop."""

from __future__ import annotations

import itertools
import math
from operator import itemgetter

import numpy as np

from vitok_lib.metrics.statistics import leaves_out
from vitok_lib.report.claims.evidence import (
    Figure,
    amount,
    arithmetic,
    document,
    ends,
    measures,
    paired_means,
    released,
    says,
)
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, ruling
from vitok_lib.report.data.paired import holds_single_images
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import signed

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
    evidence.append(("From the first to the last: ", shown, f"{ends(quantity, interval)}."))
    if interval is None or not leaves_out(0, interval.low, interval.high):
        return ruling(Verdict.NOT_MEASURED, [*evidence, ("The difference is not significant.",)])
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
) -> Ruling:
    """Whether the mean in ``case`` lies below that of ``over`` because its images are few.

    On the same images that would vanish. Until the released weights are measured in both cases, what they scatter from
    image to image in one of them says whether chance suffices; what others scatter, or on other images, does not.
    """
    few, many = document(entries, tokenizer, case, quantity, window), document(entries, tokenizer, over, quantity)
    drop = few.amount - many.amount
    shown = arithmetic(signed(quantity, drop), f"{few.amount:g} − {many.amount:g}", few, many)
    evidence: list[Sentence] = [says(few), says(many), ("The difference is ", shown, f" {few.value.unit}.")]
    ours = [released(entries, tokenizer, *place) for place in ((case, quantity, window), (over, quantity))]
    count = few.value.n or 1
    if ours[0] is not None and ours[1] is not None:
        pairs = paired_means(ours[0].entry, ours[1].entry, quantity)
        if pairs is not None:
            mean, interval, n = pairs
            same = arithmetic(signed(quantity, mean), f"paired over n = {n:,} images", ours[0], ours[1])
            evidence.append(("On the same images it is ", same, f"{ends(quantity, interval)}."))
            if interval is None or interval.low < 0 <= interval.high:
                return ruling(Verdict.NOT_MEASURED, evidence)
            return ruling(Verdict.REFUTED if interval.high < 0 else Verdict.CONFIRMED, evidence)
    needed = abs(drop) / TWO_SIDED * math.sqrt(count)
    formula = f"{abs(drop):.3g} / {TWO_SIDED} · √{count}"
    bound = arithmetic(amount(needed, few.value.unit, quantity), formula, few, many)
    evidence += [
        (
            "A mean has no bias by its n, it scatters: over images drawn at random it is off by more than "
            f"{TWO_SIDED} standard errors in one of twenty cases. For that to be the difference, single images would "
            "have to have a standard deviation of ",
            bound,
            ".",
        ),
        (
            f"Nothing says that the n = {count:,} were drawn at random; were they chosen, the choice would lower the "
            "mean and not the number.",
        ),
    ]
    spread = max(filter(None, (_spread(figure, quantity, count) for figure in ours)), key=itemgetter(0), default=None)
    if spread is not None:
        deviation, n, figure = spread
        text = amount(deviation, figure.value.unit, quantity)
        scatter = arithmetic(text, f"standard deviation over n = {n:,} images", figure)
        evidence += [measures(figure), (f"Over its n = {n:,} images the standard deviation is ", scatter, ".")]
        if deviation < needed:
            return ruling(Verdict.REFUTED, evidence)
    evidence.append((f"A run of {tokenizer} on the same images of {over} and {case} would settle it.",))
    return ruling(Verdict.NOT_MEASURED, evidence)


def _spread(figure: Figure | None, quantity: str, least: int) -> tuple[float, int, Figure] | None:
    """The standard deviation from image to image over at least so many, its n, and where it was measured."""
    if figure is None or not holds_single_images(figure.entry, quantity):
        return None
    column = figure.entry.per_image[quantity].dropna().to_numpy(np.float64)
    return (float(column.std(ddof=1)), column.size, figure) if column.size >= max(least, 2) else None
