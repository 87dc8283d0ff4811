"""Two tokenizers compared wherever they share a protocol and a rate, with the reason where they do not."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.formatting import caveats, difference_number, number, outcome
from vitok_lib.report.data.protocol import Protocol, Ranked
from vitok_lib.report.data.rates import equal_rates, rate_number
from vitok_lib.report.data.record_view import Entry, natural, preferred
from vitok_lib.report.page.content import EQUAL, Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, in_order, name_of, signed, with_unit
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

NOT_INDEPENDENT = "not independent"
AS_PUBLISHED = "as published"
"""Next to a difference of two values of one source, which no run of this project supports."""


def versus_table(entries: Sequence[Entry], first: str, second: str) -> Table:
    """A row for each case, origin and quantity in which the two share protocol and rate: both values, the difference.

    A measured difference is paired by image; that of two published values is published as well. Notes below the table
    give the rates where they differ, the reason where two values are not compared, and outcomes other than ok.
    """
    rows: list[list[Sentence]] = []
    apart: list[Sentence] = []
    shown: list[tuple[str, str]] = []
    unequal: dict[tuple[Number, Number], dict[str, None]] = {}
    pair = [entry for entry in entries if entry.record.tokenizer.name in (first, second)]
    for case in sorted({entry.case for entry in pair}, key=natural):
        held = [entry for entry in pair if entry.case == case]
        quantities = {value.quantity for entry in held for value in entry.record.values} & HIGHER_IS_BETTER.keys()
        alone: dict[tuple[str, ...], list[str]] = {}
        for quantity in in_order(quantities):
            found = list(_shared(held, quantity, first, second))
            for shared, one, other in found:
                if equal_rates(one.entry, other.entry):
                    rows.append([*_row(shared, one, other), (_origin(one.entry),)])
                    shown += [(quantity, name) for name in (first, second)]
                else:
                    unequal.setdefault((rate_number([one.entry]), rate_number([other.entry])), {})[case] = None
            if not found and _both_have(held, quantity, first, second):
                alone.setdefault(_reasons(held, quantity, first, second), []).append(quantity)
        apart += [_apart(held, of_reason, case, reasons) for reasons, of_reason in alone.items()]
        apart += _ended(preferred(held), case)
    # What names a row comes first and its origin last: on a narrow screen the values are in sight.
    heads = ("Case", "Quantity", first, second, f"{first} minus {second}", "Better", "Origin")
    rates = [
        say("rates_differ", cases=list(cases), first=first, first_rate=one, second=second, second_rate=other)
        for (one, other), cases in unequal.items()
    ]
    return Table(heads=[[Head(text) for text in heads]], rows=rows, notes=[*rates, *caveats(shown), *apart])


def _shared(held: Sequence[Entry], quantity: str, first: str, second: str) -> Sequence[tuple[Protocol, Ranked, Ranked]]:
    """Each two of the named tokenizers in one protocol; of the same two in several studies, those that precede."""
    by_files: dict[tuple[str, str], list[tuple[Protocol, Ranked, Ranked]]] = {}
    for shared, group in protocol.by_protocol(held, quantity).items():
        for one in group:
            for other in group:
                if (one.entry.record.tokenizer.name, other.entry.record.tokenizer.name) == (first, second):
                    by_files.setdefault((one.entry.stem, other.entry.stem), []).append((shared, one, other))
    return [
        found
        for alike in by_files.values()
        for chosen in preferred(one.entry for _, one, _ in alike)
        for found in alike
        if found[1].entry is chosen
    ]


def _both_have(held: Sequence[Entry], quantity: str, first: str, second: str) -> bool:
    return {first, second} <= {entry.record.tokenizer.name for entry in held if entry.record.value(quantity)}


def _row(shared: Protocol, one: Ranked, other: Ranked) -> list[Sentence]:
    cells: list[Sentence] = [
        (f"{shared.case}, {shared.count}",),
        (name_of(shared.quantity), *([Note(f" {one.entry.variant}")] if one.entry.variant else [])),
        (number(one.entry, one.value, unit=True),),
        (number(other.entry, other.value, unit=True),),
    ]
    independent = one.independent and other.independent
    if one.entry.measured and all(paired.holds_single_images(s.entry, shared.quantity) for s in (one, other)):
        found = paired.paired(one.entry, other.entry, shared.quantity)
        better = _better(shared.quantity, found.mean, one, other) if found.clear else Note(found.remark)
        unit = f" {one.value.unit}" if one.value.unit else ""
        return [*cells, (difference_number(found, unit=unit),), (better if independent else Note(NOT_INDEPENDENT),)]
    mean = one.value.value - other.value.value
    kind = Kind.DERIVED if one.entry.measured else Kind.PUBLISHED
    shown = Number(
        with_unit(signed(shared.quantity, mean), one.value.unit),
        kind,
        f"{kind.value}: {one.entry.name} minus {other.entry.name}",
    )
    if not independent or protocol.equal_in_print(one, other):
        return [*cells, (shown,), (Note(EQUAL if independent else NOT_INDEPENDENT),)]
    better = _better(shared.quantity, mean, one, other)
    remark = [] if one.entry.measured else [Note(f" {AS_PUBLISHED}")]
    return [*cells, (shown,), (better, *remark)]


def _better(quantity: str, difference: float, one: Ranked, other: Ranked) -> Part:
    first_wins = (difference > 0) == HIGHER_IS_BETTER[quantity]
    return (one if first_wins else other).entry.record.tokenizer.name


def _reasons(held: Sequence[Entry], quantity: str, first: str, second: str) -> tuple[str, ...]:
    with_value = [entry for entry in held if entry.record.value(quantity)]
    found = [
        why
        for name in (first, second)
        if (why := _out(name, [entry for entry in with_value if entry.record.tokenizer.name == name], quantity))
    ]
    return tuple(found) or ("the two share no protocol",)


def _apart(held: Sequence[Entry], quantities: Sequence[str], case: str, reasons: Sequence[str]) -> Sentence:
    """What is not compared for the same ``reasons``: of each record its values, in the order of the ``quantities``."""
    known = [(entry, [value for name in quantities if (value := entry.record.value(name))]) for entry in held]
    return say(
        "not_compared",
        case=case,
        metrics=[name_of(quantity) for quantity in quantities],
        reasons=list(reasons),
        values=[
            (
                entry.title,
                _origin(entry),
                ", ".join(dict.fromkeys(f"n = {value.n:,}" for value in values if value.n)),
                [number(entry, value, unit=True) for value in values],
            )
            for entry, values in known
            if values
        ],
    )


def _origin(entry: Entry) -> str:
    return f"study {entry.origin}" if entry.measured else entry.origin


def _out(name: str, held: Sequence[Entry], quantity: str) -> str | None:
    """Why no value of a tokenizer takes part in a comparison; None where one does."""
    if all(entry.value(quantity).kind == Kind.ESTIMATED for entry in held):
        return f"{name} has estimates alone, which take no part"
    if all(entry.record.outcome.status != OutcomeStatus.OK for entry in held):
        return f"the run of {name} did not end well"
    return None


def _ended(held: Sequence[Entry], case: str) -> list[Sentence]:
    ended = [entry for entry in held if entry.record.outcome.status != OutcomeStatus.OK]
    return [say("ended", case=case, name=entry.title, origin=_origin(entry), outcome=outcome(entry)) for entry in ended]
