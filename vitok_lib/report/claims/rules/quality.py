"""Several measurements of quality: at equal rate, from step to step, over few images, and whether they exist."""

from __future__ import annotations

import itertools
import math
from operator import itemgetter
from typing import Literal

import numpy as np

from vitok_lib.metrics.statistics import leaves_out
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import (
    Figure,
    amount,
    arithmetic,
    document,
    paired_means,
    paired_sentence,
    printed,
    released,
    say,
)
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.data.paired import holds_single_images
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, signed
from vitok_lib.tokenizers.registry import describe

TWO_SIDED = 1.96
"""Standard errors that a mean is off by chance in one of twenty cases."""


class Measured(Rule):
    """Whether all of ``tokenizers`` were run on the case; the document's own images were never released."""

    name: Literal["measured"]
    tokenizers: list[str]
    case: str
    quantity: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        found = {name: released(entries, name, self.case, self.quantity) for name in self.tokenizers}
        evidence = [say("measured", figure=figure) for figure in found.values() if figure is not None]
        missing = [name for name, figure in found.items() if figure is None]
        if missing:
            evidence.append(say("no_released_weights", case=self.case, tokenizers=missing))
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        return decide(claim, Verdict.NOT_COMPARABLE, [*evidence, say("other_images")])


class AtEqualRate(Rule):
    """Whether each of ``better`` beats the one of ``than`` that compresses as much; other pairs do not compare."""

    name: Literal["at-equal-rate"]
    better: list[str]
    than: list[str]
    case: str
    quantity: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        evidence: list[Sentence] = []
        pairs = []
        for names in itertools.product(self.better, self.than):
            rates = [describe(name).compression_ratio or math.nan for name in names]
            shown = [arithmetic(f"{amount(rate)} : 1", "pixel values for each latent value") for rate in rates]
            evidence.append(say("compression", names=names, rates=shown, equal=rates[0] == rates[1]))
            pairs += [names] if rates[0] == rates[1] else []
        sign = 1 if HIGHER_IS_BETTER[self.quantity] else -1
        leads: list[tuple[float, float]] = []
        for pair in pairs:
            own, other = (released(entries, name, self.case, self.quantity) for name in pair)
            if own is not None and other is not None:
                evidence += [say("measured", figure=own), say("measured", figure=other)]
                found = paired_means(own.entry, other.entry, self.quantity)
                if found is not None and found[1] is not None:
                    leads.append((sign * found[1].low, sign * found[1].high))
                    evidence.append(paired_sentence(self.quantity, found, own, other))
        if any(max(lead) < 0 for lead in leads):
            return decide(claim, Verdict.REFUTED, evidence)
        if pairs and len(leads) == len(pairs) and all(min(lead) > 0 for lead in leads):
            return decide(claim, Verdict.CONFIRMED, evidence)
        given = [[printed(entries, name, self.case, self.quantity) for name in pair] for pair in pairs]
        evidence += [say("printed", figure=figure) for pair in given for figure in pair if figure]
        sound = any(all(figure and figure.value.kind == Kind.PUBLISHED for figure in pair) for pair in given)
        return decide(claim, Verdict.NOT_MEASURED if sound else Verdict.NOT_COMPARABLE, evidence)


class Rises(Rule):
    """Whether ``quantity`` rises from step to step; a step is a case and a window, the two lists in parallel."""

    name: Literal["rises"]
    tokenizer: str
    quantity: str
    cases: list[str]
    windows: list[int | None]

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        steps = list(zip(self.cases, self.windows, strict=True))
        given = [document(entries, self.tokenizer, case, self.quantity, window) for case, window in steps]
        evidence = [say("printed", figure=figure) for figure in given]
        found = [released(entries, self.tokenizer, case, self.quantity, window) for case, window in steps]
        ours = [figure for figure in found if figure is not None]
        if len(ours) < len(steps):
            if len({figure.value.n for figure in given}) > 1:
                return decide(claim, Verdict.NOT_COMPARABLE, [*evidence, say("different_n")])
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        evidence += [say("measured", figure=figure) for figure in ours]
        pairs = paired_means(ours[-1].entry, ours[0].entry, self.quantity)
        if pairs is None:
            return decide(claim, Verdict.NOT_MEASURED, [*evidence, say("no_common_images")])
        mean, interval, _ = pairs
        evidence.append(paired_sentence(self.quantity, pairs, ours[-1], ours[0]))
        if interval is None or not leaves_out(0, interval.low, interval.high):
            return decide(claim, Verdict.NOT_MEASURED, [*evidence, say("not_significant")])
        upward = mean > 0 and all(before.amount <= after.amount for before, after in itertools.pairwise(ours))
        return decide(claim, Verdict.CONFIRMED if upward else Verdict.REFUTED, evidence)


class FewImages(Rule):
    """Whether the mean in ``case`` is below that in ``over`` because its images are few.

    On the same images such a difference would vanish. Until the released weights are measured in both cases, their
    scatter from image to image in one of them says whether chance suffices; that of other tokenizers does not.
    """

    name: Literal["few-images"]
    tokenizer: str
    quantity: str
    case: str
    window: int
    over: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        few = document(entries, self.tokenizer, self.case, self.quantity, self.window)
        many = document(entries, self.tokenizer, self.over, self.quantity)
        drop, count, unit = few.amount - many.amount, few.value.n or 1, few.value.unit
        text = f"{signed(self.quantity, drop)} {unit}".rstrip()
        shown = arithmetic(text, f"{few.amount:g} − {many.amount:g}", few, many)
        evidence = [
            say("printed", figure=few),
            say("printed", figure=many),
            say("result", by="difference", number=shown),
        ]
        places = ((self.case, self.quantity, self.window), (self.over, self.quantity, None))
        ours = [released(entries, self.tokenizer, *place) for place in places]
        if ours[0] is not None and ours[1] is not None:
            pairs = paired_means(ours[0].entry, ours[1].entry, self.quantity)
            if pairs is not None:
                _, interval, _ = pairs
                evidence.append(paired_sentence(self.quantity, pairs, ours[0], ours[1]))
                if interval is None or interval.low < 0 <= interval.high:
                    return decide(claim, Verdict.NOT_MEASURED, evidence)
                return decide(claim, Verdict.REFUTED if interval.high < 0 else Verdict.CONFIRMED, evidence)
        needed = abs(drop) / TWO_SIDED * math.sqrt(count)
        formula = f"{abs(drop):.3g} / {TWO_SIDED} · √{count}"
        bound = arithmetic(amount(needed, unit, self.quantity), formula, few, many)
        evidence += [say("needed_deviation", two_sided=TWO_SIDED, bound=bound), say("not_drawn", n=count)]
        deviations = [_deviation(figure, self.quantity, count) for figure in ours if figure is not None]
        largest = max(filter(None, deviations), key=itemgetter(0), default=None)
        if largest is not None:
            deviation, n, figure = largest
            text = amount(deviation, unit, self.quantity)
            shown = arithmetic(text, f"standard deviation over n = {n:,} images", figure)
            evidence += [say("measured", figure=figure), say("deviation", n=n, deviation=shown)]
            if deviation < needed:
                return decide(claim, Verdict.REFUTED, evidence)
        evidence.append(say("to_decide_drop", rule=self))
        return decide(claim, Verdict.NOT_MEASURED, evidence)


def _deviation(figure: Figure, quantity: str, least: int) -> tuple[float, int, Figure] | None:
    """The standard deviation from image to image over at least ``least``, its n, and where it was measured."""
    if not holds_single_images(figure.entry, quantity):
        return None
    column = figure.entry.per_image[quantity].dropna().to_numpy(np.float64)
    return (float(column.std(ddof=1)), column.size, figure) if column.size >= max(least, 2) else None
