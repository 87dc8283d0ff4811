"""The best tokenizer per question, each with its interval, its protocol and the runner-up.

A best is named only among at least two tokenizers that share a protocol; speed and memory only within one run on one
machine, at one size and with one setting of everything but the tokenizer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vitok_lib.records.schema import Kind, Value
from vitok_lib.report import comparison, differences, machines
from vitok_lib.report.comparison import Standing
from vitok_lib.report.entries import Entry, natural
from vitok_lib.report.machines import CAPACITY, MEMORY, SPEED
from vitok_lib.report.parts import NOT_MEASURED, Head, Link, Note, Number, Part, Sentence, Table
from vitok_lib.report.printing import difference_number, number
from vitok_lib.report.quantities import HIGHER_IS_BETTER, digits, name_of
from vitok_lib.report.ratios import times
from vitok_lib.report.rulings import Judged
from vitok_lib.report.verdicts import counts

MACHINE_QUESTIONS = (
    ("Shortest latency", SPEED, "latency", False),
    ("Least memory of the model", MEMORY, "model_peak", False),
    ("Largest square that fits", CAPACITY, "largest_resolution", True),
)
"""What is asked, of which benchmark and quantity, and whether the highest is best."""
HEADS = ("Question", "Best", "Its value", "Runner-up", "Its value", "Difference", "Protocol")
NOT_TOLD_APART = "not told apart"
_SHOWN_SIGNATURE = 2


def best_table(entries: Sequence[Entry], benchmarks: Sequence[str], quantities: Sequence[str]) -> Table:
    """A row a question: quality at each ratio that two tokenizers share, then speed, memory and the largest size.

    A question that nothing measured answers has a row at the end that says so.
    """
    rows: list[list[Sentence]] = []
    unanswered: list[str] = []
    for benchmark in benchmarks:
        resolutions = sorted(
            {entry.record.resolution for entry in entries if entry.record.benchmark == benchmark and entry.measured}
        )
        rows += [
            row
            for resolution in resolutions
            for quantity in quantities
            for row in _quality_rows(entries, f"{benchmark}-{resolution}", quantity)
        ]
        if not resolutions:
            unanswered.append(f"Quality on {benchmark}")
    for question, benchmark, quantity, highest in MACHINE_QUESTIONS:
        found = _machine_rows(entries, question, benchmark, quantity, highest)
        rows += found
        unanswered += [] if found else [question]
    rows += [_unanswered(question) for question in unanswered]
    return Table(heads=[[Head(text) for text in HEADS]], rows=rows)


def _unanswered(question: str) -> list[Sentence]:
    return [(question,), (Note(NOT_MEASURED),), *[()] * (len(HEADS) - 2)]


def _quality_rows(entries: Sequence[Entry], case: str, quantity: str) -> list[list[Sentence]]:
    """A row for each ratio of numbers at which two tokenizers or more were measured in the widest protocol."""
    held = [entry for entry in entries if entry.case == case and entry.measured]
    if quantity not in HIGHER_IS_BETTER or not comparison.by_protocol(held, quantity):
        return []
    shared, order = comparison.common(entries, case, quantity)
    judged = [standing for standing in order if standing.independent]
    by_ratio: dict[float, list[Standing]] = {}
    for standing in judged:
        known = standing.entry.record.tokenizer.compression_ratio
        if known is not None:
            by_ratio.setdefault(known, []).append(standing)
    direction = "Highest" if HIGHER_IS_BETTER[quantity] else "Lowest"
    protocol = f"study {shared.origin}, {shared.count}, {_short(shared.signature)}"
    rows: list[list[Sentence]] = []
    for ratio, group in sorted(by_ratio.items()):
        if len(group) >= comparison.MINIMUM_TO_RANK:
            question: list[Part] = [f"{direction} {name_of(quantity)} on {case} at "]
            tip = "derived: pixel values for each latent value, from the architecture"
            question.append(Number(f"{digits('ratio', ratio)} : 1", Kind.DERIVED, tip))
            rows.append([tuple(question), *_podium(group[0], group[1], _paired(group[0], group[1])), (protocol,)])
    return rows


def _short(signature: str | None) -> str:
    """The beginning of a signature; the page of the case shows all of it."""
    return "|".join((signature or "no signature").split("|")[:_SHOWN_SIGNATURE])


def _paired(first: Standing, second: Standing) -> Sentence:
    quantity = first.value.quantity
    if not all(differences.holds_single_images(held.entry, quantity) for held in (first, second)):
        return (Note("no values of single images"),)
    found = differences.paired(first.entry, second.entry, quantity)
    shown = difference_number(found, unit=f" {first.value.unit}" if first.value.unit else "")
    return (shown,) if found.clear else (shown, " ", Note(NOT_TOLD_APART))


def _machine_rows(
    entries: Sequence[Entry], question: str, benchmark: str, quantity: str, highest: bool
) -> list[list[Sentence]]:
    """A row for each run in which two tokenizers differ in nothing else and both have the quantity."""
    rows: list[list[Sentence]] = []
    for machine, found in machines.by_machine(entries, [benchmark]).items():
        for run in machines.runs_of(found, apart_from="tokenizer"):
            standings = [Standing(entry, value) for entry in run if (value := machines.held(entry, quantity))]
            if len(standings) < comparison.MINIMUM_TO_RANK:
                continue
            first, second, *_ = sorted(standings, key=lambda held: held.value.value * (-1 if highest else 1))
            settings = ", ".join(_settings(first.entry))
            asked = question if benchmark == CAPACITY else f"{question} at {machines.size_text(first.entry)}"
            protocol = f"{machine}" + (f", {settings}" if settings else "")
            rows.append([(asked,), *_podium(first, second, _ratio(first, second)), (protocol,)])
    return sorted(rows, key=lambda row: natural(str(row[0][0])))


def _settings(entry: Entry) -> list[str]:
    said = [(name, machines.asked(entry, name)) for name in machines.SETTINGS]
    return [f"{machines.SETTINGS[name].lower()} {text}" for name, text in said if text]


def _ratio(first: Standing, second: Standing) -> Sentence:
    small, large = sorted((first.value.value, second.value.value))
    if not small:
        return ()
    shown = times(large / small, f"{first.entry.name} and {second.entry.name}, the larger over the smaller")
    return (shown, " ", Note(NOT_TOLD_APART)) if _overlap(first.value, second.value) else (shown,)


def _overlap(one: Value, other: Value) -> bool:
    if one.value == other.value:
        return True
    if one.interval is None or other.interval is None:
        return False
    return one.interval.low <= other.interval.high and other.interval.low <= one.interval.high


def _podium(first: Standing, second: Standing, between: Sentence) -> list[Sentence]:
    cells: list[Sentence] = []
    for standing, best in ((first, True), (second, False)):
        entry = standing.entry
        cells.append((Link(entry.record.tokenizer.name, entry.anchor),))
        cells.append((number(entry, standing.value, unit=True, best=best),))
    return [*cells, between]


def verdict_sentence(judged: Sequence[Judged]) -> Sentence:
    """How many claims of the published document got which verdict."""
    parts: list[Part] = [f"Of {len(judged):,} claims of the published document, "]
    found = {verdict: count for verdict, count in counts(judged).items() if count}
    for index, (verdict, count) in enumerate(found.items()):
        joint = "" if index == 0 else (" and " if index == len(found) - 1 else ", ")
        tip = f"derived: claims with the verdict '{verdict.value}', counted"
        parts += [joint, Number(f"{count:,}", Kind.DERIVED, tip), f" {'is' if count == 1 else 'are'} {verdict.value}"]
    return (*parts, ".")


def outcomes_sentence(entries: Sequence[Entry]) -> list[Sentence]:
    """How many measurements ended in another outcome than a value; nothing where all ended well."""
    ended = Counter(entry.record.outcome.status.value for entry in entries if entry.measured)
    total = sum(ended.values())
    bad = {status: count for status, count in sorted(ended.items()) if status != "ok"}
    if not bad:
        return []
    parts: list[Part] = [f"Of {total:,} measurements, "]
    for index, (status, count) in enumerate(bad.items()):
        tip = f"derived: measured records that ended as '{status}', counted"
        parts += [", " if index else "", Number(f"{count:,}", Kind.DERIVED, tip), f" ended as {status}"]
    return [(*parts, "; each is shown as a result where its value would stand.")]
