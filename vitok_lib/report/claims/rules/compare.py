"""Rules that a measurement of the released weights decides; until there is one, they say so.

A later published figure is shown as what it is and decides nothing.
"""

from __future__ import annotations

import itertools

from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import (
    UNLIKE,
    Figure,
    amount,
    arithmetic,
    document,
    ends,
    later,
    measures,
    paired_means,
    printed,
    quoted,
    released,
    says,
    unlike,
)
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, by_tolerance, ruling
from vitok_lib.report.data.protocol import protocol
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, is_distance, signed
from vitok_lib.tokenizers.registry import describe


def measured_value(
    claim: Claim, entries: Entries, *, tokenizer: str, case: str, quantity: str, window: int | None = None
) -> Ruling:
    """Whether our measurement of the released weights gives the printed number."""
    figure = quoted(claim, document(entries, tokenizer, case, quantity, window))
    evidence = [says(figure), *(later(entries, tokenizer, case, quantity) if window is None else [])]
    ours = released(entries, tokenizer, case, quantity, window, figure.value.n)
    if ours is not None:
        evidence.append(measures(ours))
    if quantity in UNLIKE:
        return ruling(Verdict.NOT_COMPARABLE, [*evidence, *unlike(quantity)])
    if ours is None:
        return ruling(Verdict.NOT_MEASURED, evidence)
    complete = figure.value.n is None or (ours.value.n or 0) >= figure.value.n
    return ruling(by_tolerance(claim, ours.amount, ours.value.interval, complete=complete), evidence)


def lead(
    claim: Claim,
    entries: Entries,
    *,
    tokenizer: str,
    over: str,
    case: str,
    quantity: str,
    relative: bool = False,
) -> Ruling:
    """By how much one tokenizer differs from another, or in percent of it if ``relative``.

    The claim must follow from the document's own figures; our measurement of both then decides, of a quantity that the
    document takes as we do.
    """
    first, second = (document(entries, name, case, quantity) for name in (tokenizer, over))
    stated = _difference(first, second, quantity, relative)
    evidence = [says(first), says(second), ("From these follows ", stated[1], ".")]
    if not claim.near(stated[0]):
        return ruling(Verdict.REFUTED, evidence, contradiction=True)
    own, other = (released(entries, name, case, quantity, n=first.value.n) for name in (tokenizer, over))
    evidence += [measures(figure) for figure in (own, other) if figure is not None]
    if quantity in UNLIKE:
        return ruling(Verdict.NOT_COMPARABLE, [*evidence, *unlike(quantity)])
    if own is None or other is None:
        return ruling(Verdict.NOT_MEASURED, evidence)
    if protocol(own.entry, own.value) != protocol(other.entry, other.value):
        return ruling(Verdict.NOT_COMPARABLE, [*evidence, ("These two were measured under different protocols.",)])
    complete = first.value.n is None or (own.value.n or 0) >= first.value.n
    pairs = None if relative or is_distance(quantity) else paired_means(own.entry, other.entry, quantity)
    if pairs is None:
        found, shown = _difference(own, other, quantity, relative)
        return ruling(by_tolerance(claim, found, complete=complete), [*evidence, ("Our difference is ", shown, ".")])
    mean, interval, n = pairs
    shown = arithmetic(signed(quantity, mean), f"paired over n = {n:,} images", own, other)
    evidence.append(("Our difference is ", shown, f"{ends(quantity, interval)}, paired by image."))
    return ruling(by_tolerance(claim, mean, interval, complete=complete), evidence)


def better_at_equal_rate(
    claim: Claim, entries: Entries, *, better: list[str], than: list[str], case: str, quantity: str
) -> Ruling:
    """Whether each of ``better`` beats the one of ``than`` that compresses as much; others are no comparison."""
    evidence: list[Sentence] = []
    pairs = []
    for name, other in itertools.product(better, than):
        ratios = [_ratio(of) for of in (name, other)]
        shown = [arithmetic(f"{amount(ratio)} : 1", "pixel values for each latent value") for ratio in ratios]
        if ratios[0] == ratios[1]:
            pairs.append((name, other))
            evidence.append((f"{name} and {other} compress alike, ", shown[0], "."))
        else:
            evidence.append((f"{name} compresses ", shown[0], f", {other} ", shown[1], "."))
    sign = 1 if HIGHER_IS_BETTER[quantity] else -1
    leads: list[tuple[float, float]] = []
    for pair in pairs:
        figures = [released(entries, name, case, quantity) for name in pair]
        if figures[0] is not None and figures[1] is not None:
            evidence += [measures(figures[0]), measures(figures[1])]
            found = paired_means(figures[0].entry, figures[1].entry, quantity)
            if found is not None and found[1] is not None:
                leads.append((sign * found[1].low, sign * found[1].high))
                text, formula = signed(quantity, found[0]), f"paired over n = {found[2]:,} images"
                difference = arithmetic(text, formula, figures[0], figures[1])
                evidence.append(("Their difference is ", difference, f"{ends(quantity, found[1])}, paired by image."))
    if any(max(lead) < 0 for lead in leads):
        return ruling(Verdict.REFUTED, evidence)
    if pairs and len(leads) == len(pairs) and all(min(lead) > 0 for lead in leads):
        return ruling(Verdict.CONFIRMED, evidence)
    told = [[printed(entries, name, case, quantity) for name in pair] for pair in pairs]
    sound = [all(figure and figure.value.kind == Kind.PUBLISHED for figure in pair) for pair in told]
    evidence += [says(figure) for pair in told for figure in pair if figure]
    return ruling(Verdict.NOT_MEASURED if any(sound) else Verdict.NOT_COMPARABLE, evidence)


def shown_side_by_side(claim: Claim, entries: Entries, *, tokenizers: list[str], case: str, quantity: str) -> Ruling:
    """Whether all of ``tokenizers`` were run on the case; the document's own images were never released."""
    found = {name: released(entries, name, case, quantity) for name in tokenizers}
    missing = [name for name, figure in found.items() if figure is None]
    evidence = [measures(figure) for figure in found.values() if figure is not None]
    if missing:
        return ruling(Verdict.NOT_MEASURED, [*evidence, (f"No released weights on {case}: {', '.join(missing)}.",)])
    evidence.append(("The document's images were never released; these are this project's own.",))
    return ruling(Verdict.NOT_COMPARABLE, evidence)


def _difference(first: Figure, second: Figure, quantity: str, relative: bool) -> tuple[float, Number]:
    if relative:
        found = 100 * (first.amount / second.amount - 1)
        formula = f"{first.amount:g} / {second.amount:g} − 1"
        return found, arithmetic(f"{signed('', round(found, 1))} %", formula, first, second)
    found = first.amount - second.amount
    text = signed(quantity, found) + (f" {first.value.unit}" if first.value.unit else "")
    return found, arithmetic(text, f"{first.amount:g} − {second.amount:g}", first, second)


def _ratio(tokenizer: str) -> float:
    """Pixel values for each latent value."""
    spec = describe(tokenizer)
    assert spec.downsampling is not None
    assert spec.latent_channels is not None
    return 3 * spec.downsampling**2 / spec.latent_channels
