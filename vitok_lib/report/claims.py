"""The sentences of the report, computed from records.

A conclusion rests on measured values, or on arithmetic over them, and on nothing else. Published and estimated
values are reported as what others say, each with its kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report import comparison
from vitok_lib.report.comparison import Protocol, by_protocol, paired, ranked
from vitok_lib.report.entries import Entry, natural, of_case, preferred
from vitok_lib.report.parts import LABELS, Number, Part, Sentence, digits, number
from vitok_lib.report.tables import difference_number

KIND_TITLES = {
    Kind.MEASURED: "measured by this project",
    Kind.DERIVED: "derived by arithmetic",
    Kind.PUBLISHED: "published by others",
    Kind.ESTIMATED: "estimated by others",
}


def best_measured(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """Who reconstructs best in ``case``, over all and at the floor's compression ratio.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``.
    """
    shared, order = comparison.common(entries, case, quantity)
    sentences = [_winner(shared, order, f"On {case}")]
    floor = next((entry for entry in order if entry.record.tokenizer.name == comparison.FLOOR), None)
    if floor is not None:
        ratio = floor.record.tokenizer.compression_ratio
        alike = [entry for entry in order if entry.record.tokenizer.compression_ratio == ratio]
        if ratio is not None and len(alike) > 1 and alike[:2] != order[:2]:
            sentences.append(_winner(shared, alike, f"On {case}, among those at {digits('ratio', ratio)} : 1"))
    return sentences


def _winner(shared: Protocol, order: Sequence[Entry], where: str) -> Sentence:
    quantity = shared.quantity
    first = order[0]
    unit = first.value(quantity).unit
    parts: list[Part] = [
        f"{where} (study {shared.origin}, {shared.count}, {len(order)} tokenizers), {first.title} has the ",
        f"highest mean {LABELS[quantity]}: "
        if comparison.HIGHER_IS_BETTER[quantity]
        else f"lowest {LABELS[quantity]}: ",
        number(first, first.value(quantity), unit=True, best=len(order) > 1),
        ".",
    ]
    if len(order) > 1 and all(entry.samples_path for entry in order[:2]):
        difference = paired(first, order[1], quantity)
        parts += [f" Its difference to {order[1].title}, the next, is "]
        parts += [difference_number(difference, unit=f" {unit}" if unit else ""), ", paired by image"]
        parts += ["." if difference.clear else "; the interval holds zero, so these images do not tell the two apart."]
    return tuple(parts)


def distance_to_floor(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """One sentence a tokenizer: how far it is from the floor, and on which side.

    Raises:
        RequestError: nothing in ``case`` shares a protocol with the floor.
    """
    _, found = comparison.common(entries, case, quantity)
    sentences: list[Sentence] = []
    for entry in sorted(found, key=lambda entry: natural(entry.title)):
        difference = comparison.to_floor(entry, found, quantity)
        if difference is None:
            continue
        unit = entry.value(quantity).unit
        verdict = "cannot be told from"
        if difference.clear:
            verdict = "lies above" if difference.mean > 0 else "lies below"
        shown = difference_number(difference, unit=f" {unit}" if unit else "")
        sentences.append((f"{entry.title} {verdict} the floor on {case}: ", shown, f" {LABELS[quantity]}."))
    if not sentences:
        raise RequestError(f"no record of '{case}' shares a protocol with the floor '{comparison.FLOOR}'")
    return sentences


def published_bests(entries: Sequence[Entry], case: str, quantity: str) -> list[Sentence]:
    """What each source says is best in ``case``; not a conclusion of this report.

    Raises:
        RequestError: no source published ``quantity`` for ``case``.
    """
    published = [entry for entry in of_case(entries, case) if not entry.measured]
    sentences: list[Sentence] = []
    for shared, group in by_protocol(published, quantity).items():
        if len(group) < comparison.MINIMUM_TO_RANK:
            continue
        first = ranked(group, quantity)[0]
        title = first.record.source.title if first.record.source else shared.origin
        shown = number(first, first.value(quantity), unit=True)
        sentences.append(
            (
                f"{title}, {case}, {len(group)} tokenizers: best {LABELS[quantity]} is that of {first.title}, ",
                shown,
                ".",
            )
        )
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
