"""The sentences of the report, computed from records.

A conclusion rests on measured values, or on arithmetic over them, and on nothing else. Published and estimated
values are reported as what others say, each with its kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.protocol import Protocol, Standing, by_protocol, ranked
from vitok_lib.report.data.record_view import Entry, natural, of_case, preferred
from vitok_lib.report.page.content import Number, Part, Sentence
from vitok_lib.report.page.formatting import caveats, difference_number, number
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, digits, name_of

KIND_TITLES = {
    Kind.MEASURED: "measured by this project",
    Kind.DERIVED: "derived by arithmetic",
    Kind.PUBLISHED: "published by others",
    Kind.ESTIMATED: "estimated by others",
}


def best_measured(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """Who reconstructs best in ``case``, over all and at the floor's compression ratio.

    A value that is not independent of its tokenizer is set aside, and it is said which and why.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``, or it ranks nothing.
    """
    if quantity not in HIGHER_IS_BETTER:
        raise RequestError(f"'{quantity}' ranks nothing, so nobody is best by it; ask for one of: {_rankable()}")
    shared, every = protocol.common(entries, case, quantity)
    order = [standing for standing in every if standing.independent]
    if not order:
        return [(f"On {case}, nobody is named best by {name_of(quantity)}.",), *_set_aside(every)]
    sentences = [_winner(shared, order, f"On {case}")]
    floor = next((held for held in order if held.entry.record.tokenizer.name == paired.FLOOR), None)
    if floor is not None:
        ratio = floor.entry.record.tokenizer.compression_ratio
        alike = [held for held in order if held.entry.record.tokenizer.compression_ratio == ratio]
        if ratio is not None and len(alike) > 1 and alike[:2] != order[:2]:
            sentences.append(_winner(shared, alike, f"On {case}, among those at {digits('ratio', ratio)} : 1"))
    return [*sentences, *_set_aside(every)]


def _rankable() -> str:
    return ", ".join(HIGHER_IS_BETTER)


def _set_aside(standings: Sequence[Standing]) -> list[Sentence]:
    return caveats((held.value.quantity, held.entry.record.tokenizer.name) for held in standings)


def _winner(shared: Protocol, order: Sequence[Standing], where: str) -> Sentence:
    quantity = shared.quantity
    first, unit = order[0], order[0].value.unit
    parts: list[Part] = [
        f"{where} (study {shared.origin}, {shared.count}, {len(order)} tokenizers), {first.entry.title} has the ",
        "highest mean " if HIGHER_IS_BETTER[quantity] else "lowest ",
        f"{name_of(quantity)}: ",
        number(first.entry, first.value, unit=True, best=len(order) > 1),
    ]
    rate = first.entry.record.value("bpp")
    parts += [" at ", number(first.entry, rate, unit=True), "."] if rate else ["."]
    if len(order) > 1 and all(paired.holds_single_images(held.entry, quantity) for held in order[:2]):
        difference = paired.paired(first.entry, order[1].entry, quantity)
        of_next = order[1].entry.record.value("bpp")
        parts += [f" Its difference to {order[1].entry.title}, the next"]
        parts += [" at ", number(order[1].entry, of_next, unit=True)] if of_next else []
        parts += [", is "]
        parts += [difference_number(difference, unit=f" {unit}" if unit else ""), ", paired by image"]
        parts += ["." if difference.clear else "; the interval holds zero, so these images do not tell the two apart."]
    return tuple(parts)


def distance_to_floor(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """One sentence a tokenizer: how far it is from the floor, and on which side.

    Raises:
        RequestError: nothing in ``case`` shares a protocol with the floor.
    """
    _, shared = protocol.common(entries, case, quantity)
    found = [standing.entry for standing in shared]
    sentences: list[Sentence] = []
    for entry in sorted(found, key=lambda entry: natural(entry.title)):
        difference = paired.to_floor(entry, found, quantity)
        if difference is None:
            continue
        unit = entry.value(quantity).unit
        verdict = "cannot be told from"
        if difference.clear:
            verdict = "lies above" if difference.mean > 0 else "lies below"
        shown = difference_number(difference, unit=f" {unit}" if unit else "")
        sentences.append((f"{entry.title} {verdict} the floor on {case}: ", shown, f" {name_of(quantity)}."))
    if not sentences:
        raise RequestError(f"no record of '{case}' shares a protocol with the floor '{paired.FLOOR}'")
    return sentences


def bias_with_n(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """How many times a distance over few images of ``case`` is that over all, of each tokenizer: the extremes.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``, or holds it at one n alone.
    """
    shared, standings = protocol.common(entries, case, quantity)
    factors = []
    for standing in standings:
        held = {n: value.value for n, value in standing.entry.by_count(quantity).items() if n is not None}
        few, many = min(held), max(held)
        if few < many and held[many] > 0:
            factors.append((held[few] / held[many], few, many, standing))
    if not factors:
        raise RequestError(f"no record of '{case}' holds '{quantity}' at two numbers of images")
    largest, least = (pick(factors, key=lambda found: found[0]) for pick in (max, min))
    parts: list[Part] = [f"On {case} (study {shared.origin}), the {name_of(quantity)} of {largest[3].entry.title} at "]
    parts += [f"n = {largest[1]:,} is ", _factor(quantity, *largest), f" times that at n = {largest[2]:,}"]
    if len(factors) > 1:
        parts += [f", the most of {len(factors)} tokenizers; the least is that of {least[3].entry.title}, "]
        parts += [_factor(quantity, *least), " times"]
        parts += [f" from n = {least[1]:,} to n = {least[2]:,}"] if least[1:3] != largest[1:3] else []
    return [(*parts, ". Images and reconstructions are the same at each n.")]


def _factor(quantity: str, factor: float, few: int, many: int, standing: Standing) -> Number:
    tip = f"derived: {quantity} of {standing.entry.name} over its first {few:,} images over that over {many:,}"
    return Number(digits("factor", round(factor, 2)), Kind.DERIVED, tip, standing.entry.anchor)


def published_bests(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """What each source says is best in ``case``; not a conclusion of this report.

    Raises:
        RequestError: no source published ``quantity`` for ``case``.
    """
    published = [entry for entry in of_case(entries, case) if not entry.measured]
    sentences: list[Sentence] = []
    for shared, group in by_protocol(published, quantity).items():
        independent = [standing for standing in group if standing.independent]
        if len(independent) < protocol.MINIMUM_TO_RANK:
            continue
        first = ranked(independent, quantity)[0]
        source = first.entry.record.source
        title = source.title if source else shared.origin
        before = f"{title}, {case}, {len(independent)} tokenizers: best {name_of(quantity)} is that of "
        sentences.append((f"{before}{first.entry.title}, ", number(first.entry, first.value, unit=True), "."))
        sentences += _set_aside(group)
    if not sentences:
        raise RequestError(f"no source published '{quantity}' of two tokenizers for '{case}'")
    return sentences


def estimates_met_by_figures(entries: Sequence[Entry], quantity: str) -> list[Sentence]:
    """Where one source estimated what another published: both, side by side."""
    published = [entry for entry in preferred(entries) if not entry.measured and entry.record.value(quantity)]
    sentences: list[Sentence] = []
    for guess in published:
        if guess.value(quantity).kind != Kind.ESTIMATED:
            continue
        for figure in published:
            same = (figure.case, figure.record.tokenizer.name, figure.variant)
            if figure.value(quantity).kind == Kind.PUBLISHED and same == (
                guess.case,
                guess.record.tokenizer.name,
                guess.variant,
            ):
                before = f"{guess.record.tokenizer.name} on {guess.case}: {guess.origin} estimated "
                between = f", {figure.origin} later published "
                shown = number(guess, guess.value(quantity), unit=True)
                sentences.append((before, shown, between, number(figure, figure.value(quantity), unit=True), "."))
    return sentences


def value_counts(entries: Sequence[Entry]) -> list[Sentence]:
    """How many values of each kind the report rests on, and how many outcomes were not ok."""
    kinds = Counter(value.kind for entry in entries for value in entry.record.values)
    parts: list[Part] = [f"The report reads {len(entries):,} records. They hold "]
    held = [kind for kind in KIND_TITLES if kinds[kind]]
    for index, kind in enumerate(held):
        joint = "" if index == 0 else (" and " if index == len(held) - 1 else ", ")
        tip = f"derived: values of kind {kind.value}, counted over the records"
        parts += [joint, Number(f"{kinds[kind]:,}", Kind.DERIVED, tip), f" values {KIND_TITLES[kind]}"]
    failed = Counter(
        (entry.record.outcome.status.value, entry.record.outcome.kind.value)
        for entry in entries
        if entry.record.outcome.status != OutcomeStatus.OK
    )
    parts.append(".")
    for (status, kind_name), count in sorted(failed.items()):
        tip = f"derived: outcomes '{status}' of kind {kind_name}, counted over the records"
        parts += [" ", Number(f"{count:,}", Kind.DERIVED, tip), f" ended as {status} ({kind_name})."]
    return [tuple(parts)]
