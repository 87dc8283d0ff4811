"""Findings on quality: the best tokenizer, the distance to the PCA baseline, bias with n, and what others report.

A conclusion rests on measured and derived values alone. Published and estimated values are reported as what others
say, each with its evidence level.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.formatting import OUTCOMES, caveats, difference_number, number
from vitok_lib.report.data.protocol import Protocol, Ranked, by_protocol, ranked
from vitok_lib.report.data.rates import by_rate, rate_number
from vitok_lib.report.data.record_view import Entry, natural, of_case, preferred
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, digits, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("quality")

LEVEL_TITLES = {
    Kind.MEASURED: "measured by this project",
    Kind.DERIVED: "derived by arithmetic",
    Kind.PUBLISHED: "published by others",
    Kind.ESTIMATED: "estimated by others",
}


def best_measured(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """The best tokenizer of ``case`` at each rate that at least two share.

    A value that is not independent of its tokenizer is set aside, with the reason.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``, or it ranks nothing.
    """
    if quantity not in HIGHER_IS_BETTER:
        known = ", ".join(HIGHER_IS_BETTER)
        raise RequestError(f"'{quantity}' ranks nothing, so no tokenizer is best by it; ask for one of: {known}")
    shared, every = protocol.common(entries, case, quantity)
    order = [candidate for candidate in every if candidate.independent]
    found = [_winner(shared, group) for group in by_rate(order) if len(group) > 1 and shared.n != 1]
    if not found:
        reason = "not independent" if not order else "one image" if shared.n == 1 else "no equal rate"
        found = [say("no_best", case=case, metric=name_of(quantity), reason=reason)]
    return [*found, *_set_aside(every)]


def _set_aside(ranking: Sequence[Ranked]) -> list[Sentence]:
    return caveats((held.value.quantity, held.entry.record.tokenizer.name) for held in ranking)


def _winner(shared: Protocol, order: Sequence[Ranked]) -> Sentence:
    quantity, first, second = shared.quantity, order[0], order[1]
    unit, difference = f" {first.value.unit}" if first.value.unit else "", None
    if all(paired.holds_single_images(held.entry, quantity) for held in (first, second)):
        # Among all of this rate, as for the mark in the table.
        difference = paired.paired(first.entry, second.entry, quantity, comparisons=len(order) - 1)
    return say(
        "best",
        case=shared.case,
        rate=rate_number([held.entry for held in order]),
        origin=shared.origin,
        count=shared.count,
        tokenizers=len(order),
        names=[
            held.entry.title
            for held in order
            if held is first or (not difference and protocol.equal_in_print(held, first))
        ],
        direction="highest mean" if HIGHER_IS_BETTER[quantity] else "lowest",
        metric=name_of(quantity),
        value=number(first.entry, first.value, unit=True),
        next=second.entry.title,
        difference=difference_number(difference, unit=unit) if difference else None,
        significant=difference is not None and difference.clear,
    )


def distance_to_baseline(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """One sentence a tokenizer of its rate: on which side of its PCA baseline it is, and how far from it.

    Raises:
        RequestError: nothing in ``case`` shares protocol and rate with the PCA baseline.
    """
    _, shared = protocol.common(entries, case, quantity)
    held = [candidate.entry for candidate in shared]
    found: list[Sentence] = []
    for entry in sorted(held, key=lambda entry: natural(entry.title)):
        difference = paired.to_baseline(entry, held, quantity)
        if difference is None:
            continue
        unit = entry.value(quantity).unit
        side = "above" if difference.mean > 0 else "below"
        if not difference.clear:
            side = "equal" if difference.interval else "untested"
        shown = difference_number(difference, unit=f" {unit}" if unit else "")
        about = {"name": entry.title, "baseline": difference.other.title, "case": case, "metric": name_of(quantity)}
        found.append(say("to_baseline", side=side, difference=shown, **about))
    if not found:
        raise RequestError(
            f"no record of '{case}' shares protocol and rate with a PCA baseline; measure one, such as pca-f16x64"
        )
    return found


def bias_with_n(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """The largest and the smallest ratio of a distance over few images of ``case`` to that over all.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``, or holds it at one n alone.
    """
    shared, ranking = protocol.common(entries, case, quantity)
    ratios = []
    for candidate in ranking:
        held = {n: value.value for n, value in candidate.entry.by_count(quantity).items() if n is not None}
        few, many = min(held), max(held)
        if few < many and held[many] > 0:
            ratios.append((held[few] / held[many], few, many, candidate.entry))
    if not ratios:
        raise RequestError(f"no record of '{case}' holds '{quantity}' at two numbers of images")
    largest, smallest = (_bias(quantity, *pick(ratios, key=lambda ratio: ratio[0])) for pick in (max, min))
    about = {"case": case, "origin": shared.origin, "metric": name_of(quantity), "tokenizers": len(ratios)}
    return [say("bias", largest=largest, smallest=smallest, **about)]


def _bias(quantity: str, ratio: float, few: int, many: int, entry: Entry) -> dict[str, object]:
    tip = f"derived: {quantity} of {entry.name} over its first {few:,} images over that over {many:,}"
    factor = Number(digits("factor", round(ratio, 2)), Kind.DERIVED, tip, entry.anchor)
    return {"name": entry.title, "few": f"{few:,}", "many": f"{many:,}", "factor": factor}


def published_bests(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """What each source says is best in ``case`` at each rate; not a conclusion of this report.

    Raises:
        RequestError: no source published ``quantity`` for ``case``.
    """
    published = [entry for entry in of_case(entries, case) if entry.published]
    found: list[Sentence] = []
    for group in by_protocol(published, quantity).values():
        independent = ranked([candidate for candidate in group if candidate.independent], quantity)
        for alike in (alike for alike in by_rate(independent) if len(alike) > 1):
            first, rate = alike[0], rate_number([held.entry for held in alike])
            value = number(first.entry, first.value, unit=True)
            about = {"source": first.entry.source_title, "case": case, "metric": name_of(quantity)}
            names = [held.entry.title for held in alike if protocol.equal_in_print(held, first)]
            found.append(say("published_best", rate=rate, tokenizers=len(alike), names=names, value=value, **about))
        found += _set_aside(group)
    if not found:
        raise RequestError(f"no source published '{quantity}' of two tokenizers for '{case}'")
    return found


def estimates_met_by_figures(entries: Sequence[Entry], quantity: str) -> list[Sentence]:
    """Where one source estimated what another later published: both values."""
    published = [entry for entry in preferred(entries) if entry.published and entry.record.value(quantity)]
    found: list[Sentence] = []
    for guess in published:
        if guess.value(quantity).kind != Kind.ESTIMATED:
            continue
        for figure in published:
            if figure.value(quantity).kind == Kind.PUBLISHED and _subject(figure) == _subject(guess):
                guesses = {"guesser": guess.source_title, "guess": number(guess, guess.value(quantity), unit=True)}
                shown = number(figure, figure.value(quantity), unit=True)
                figures = {"publisher": figure.source_title, "figure": shown}
                about = {"tokenizer": guess.record.tokenizer.name, "case": guess.case}
                found.append(say("estimate", **about, **guesses, **figures))
    return found


def _subject(entry: Entry) -> tuple[str, str, str]:
    return entry.case, entry.record.tokenizer.name, entry.variant


def value_counts(entries: Sequence[Entry]) -> list[Sentence]:
    """How many values of each evidence level the report rests on, and how many outcomes were not ok."""
    levels = Counter(value.kind for entry in entries for value in entry.record.values)
    values = [
        (_counted(levels[level], f"{level} values"), f" values {title}")
        for level, title in LEVEL_TITLES.items()
        if levels[level]
    ]
    outcomes = [entry.record.outcome for entry in entries if entry.record.outcome.status != OutcomeStatus.OK]
    failed = sorted(Counter((OUTCOMES[outcome.status], outcome.kind.value) for outcome in outcomes).items())
    failures = [(_counted(count, f"outcomes '{status}' ({level})"), status, level) for (status, level), count in failed]
    return [say("counts", records=f"{len(entries):,}", values=values, failures=failures)]


def _counted(count: int, what: str) -> Number:
    return Number(f"{count:,}", Kind.DERIVED, f"derived: {what}, counted over the records")
