"""The best tokenizer per question, each with its interval, its protocol and the runner-up.

A best is named only among at least two tokenizers that share a protocol. Quality is ranked at equal rate. Speed and
memory are ranked within one run on one machine, at one size and with equal settings, except those that not every family
of tokenizers has.
"""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.records.schema import Kind
from vitok_lib.report.data import chunking, groups, paired, protocol
from vitok_lib.report.data.formatting import difference_number, number, significance
from vitok_lib.report.data.groups import CAPACITY, MEMORY, SPEED
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.rates import by_rate, rate_number
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.data.speedups import speed_ratio, times
from vitok_lib.report.page.content import EQUAL, NOT_MEASURED, Head, Link, Note, Number, Sentence, Table
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, digits, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

MACHINE_QUESTIONS = (
    ("Shortest latency", SPEED, "latency", False),
    ("Least memory of the model", MEMORY, "model_peak", False),
    ("Largest square that fits", CAPACITY, "largest_resolution", True),
)
"""Each question with its benchmark and quantity, and whether the highest is best."""
HEADS = ("Question", "Best", "Value", "Runner-up", "Value", "Difference", "Protocol")
WITHIN_NOISE = "within noise"
"""Next to a ratio of two values without an interval that differ by no more than repeats do."""
NO_RATE = "no two tokenizers of equal rate share a protocol"
ONE_IMAGE = "one image allows no test"
NO_PROTOCOL = "no two tokenizers share a protocol"
NOISE = "no two tokenizers have peaks above the noise"
LEAST_NOISE = 0.05
"""The least share by which two values without an interval differ; repeats of one execution can raise it."""
_SHOWN_SIGNATURE = 2


def best_table(entries: Sequence[Entry], benchmarks: Sequence[str], quantities: Sequence[str]) -> Table:
    """A row a question: quality at each rate that two tokenizers share, then speed, memory and the largest size.

    A question without an answer has a row at the end that says why.
    """
    rows: list[list[Sentence]] = []
    unanswered: list[list[Sentence]] = []
    measured = {entry.record.benchmark for entry in entries if entry.measured}
    for benchmark in benchmarks:
        resolutions = sorted(
            {entry.record.resolution for entry in entries if entry.record.benchmark == benchmark and entry.measured}
        )
        found = [
            row
            for resolution in resolutions
            for quantity in quantities
            for row in _quality_rows(entries, f"{benchmark}-{resolution}", quantity)
        ]
        rows += found
        if not found:
            unanswered.append(_unanswered(f"Quality on {benchmark}", _no_quality(entries, benchmark, quantities)))
    noise = _noise(entries)
    for question, benchmark, quantity, highest in MACHINE_QUESTIONS:
        found = _machine_rows(entries, question, benchmark, quantity, highest, max([LEAST_NOISE, *noise]))
        rows += found
        if not found:
            noisy = any(groups.is_noise(entry) for entry in entries if entry.record.benchmark == benchmark)
            why = NOISE if noisy else NO_PROTOCOL if benchmark in measured else NOT_MEASURED
            unanswered.append(_unanswered(question, why))
    heads = [[Head(text) for text in HEADS]]
    return Table(heads=heads, rows=[*rows, *unanswered], notes=[_repeats(noise)])


def _unanswered(question: str, why: str) -> list[Sentence]:
    return [(question,), (Note(why),), *[()] * (len(HEADS) - 2)]


def _no_quality(entries: Sequence[Entry], benchmark: str, quantities: Sequence[str]) -> str:
    """Why no tokenizer is best on ``benchmark`` by one of ``quantities``."""
    held = [entry for entry in entries if entry.record.benchmark == benchmark and entry.measured]
    counts = {shared.n for quantity in quantities for shared in protocol.by_protocol(held, quantity)}
    return (ONE_IMAGE if counts == {1} else NO_RATE) if counts else NOT_MEASURED


def _quality_rows(entries: Sequence[Entry], case: str, quantity: str) -> list[list[Sentence]]:
    """A row for each rate at which two tokenizers or more were measured in the widest protocol."""
    held = [entry for entry in entries if entry.case == case and entry.measured]
    if quantity not in HIGHER_IS_BETTER or not protocol.by_protocol(held, quantity):
        return []
    shared, order = protocol.common(entries, case, quantity)
    if shared.n == 1:  # one image allows no test, and so names no best
        return []
    direction = "Highest" if HIGHER_IS_BETTER[quantity] else "Lowest"
    shared_by_all = f"study {shared.origin}, {shared.count}, {_short(shared.signature)}"
    rows: list[list[Sentence]] = []
    for alike in by_rate([candidate for candidate in order if candidate.independent]):
        group = _one_each(alike)
        if len(group) >= protocol.MINIMUM_TO_RANK:
            question = (f"{direction} {name_of(quantity)} on {case} at ", rate_number([held.entry for held in group]))
            rows.append(
                [
                    question,
                    *_first_two(group[0], group[1], _paired(group[0], group[1], len(group) - 1)),
                    (shared_by_all,),
                ]
            )
    return rows


def _one_each(ranking: Sequence[Ranked]) -> list[Ranked]:
    """The first of each tokenizer: its best configuration."""
    best: dict[str, Ranked] = {}
    for candidate in ranking:
        best.setdefault(candidate.entry.record.tokenizer.name, candidate)
    return list(best.values())


def _short(signature: str | None) -> str:
    """The beginning of a signature; the page of the case shows all of it."""
    return "|".join((signature or "no signature").split("|")[:_SHOWN_SIGNATURE])


def _paired(first: Ranked, second: Ranked, comparisons: int) -> Sentence:
    quantity = first.value.quantity
    if not all(paired.holds_single_images(held.entry, quantity) for held in (first, second)):
        return (Note(EQUAL if protocol.equal_in_print(first, second) else "no values of single images"),)
    found = paired.paired(first.entry, second.entry, quantity, comparisons)
    shown = difference_number(found, unit=f" {first.value.unit}" if first.value.unit else "")
    return (shown, *significance(found))


def _noise(entries: Sequence[Entry]) -> list[float]:
    """The shares by which peaks of one execution differ: of images within one chunk, in chunks and whole."""
    shares: list[float] = []
    for found in groups.by_machine(entries, [MEMORY]).values():
        for run in groups.runs_of(found, apart_from="chunk"):
            same = [entry for entry in run if groups.tokens(entry) and not chunking.fills_a_chunk(entry)]
            peaks = [value.value for entry in same if (value := groups.held(entry, "model_peak"))]
            if len(peaks) > 1 and min(peaks) > 0:
                shares.append(max(peaks) / min(peaks) - 1)
    return shares


def _repeats(noise: Sequence[float]) -> Sentence:
    most = None
    if noise:
        text = f"{digits('share', 100 * max(noise))} %"
        most = Number(text, Kind.DERIVED, "derived: the larger peak over the smaller")
    return say("repeats", least=f"{100 * LEAST_NOISE:g}", executions=len(noise), most=most)


def _machine_rows(
    entries: Sequence[Entry], question: str, benchmark: str, quantity: str, highest: bool, noise: float
) -> list[list[Sentence]]:
    """A row for each run in which two tokenizers have the quantity, each in its best configuration."""
    rows: list[list[Sentence]] = []
    for machine, found in groups.by_machine(entries, [benchmark], with_noise=True).items():
        for run in groups.runs_of(found, apart_from=("tokenizer", *groups.OF_A_FAMILY)):
            if any(map(groups.is_noise, run)):  # of which one may be the least
                continue
            ranking = [Ranked(entry, value) for entry in _executions(run) if (value := groups.held(entry, quantity))]
            ranking.sort(key=lambda held: held.value.value * (-1 if highest else 1))
            best = _one_each(ranking)
            if len(best) < protocol.MINIMUM_TO_RANK:
                continue
            first, second, *_ = best
            limit = first.entry.record.settings.memory_limit_gib
            at = f" at {groups.size_text(first.entry)}" if benchmark != CAPACITY else ""
            full = f"{question}{at}" + (f" within {limit:g} GiB" if limit else "")
            shared = ", ".join([str(machine), *_settings(first.entry)])
            rows.append([(full,), *_first_two(first, second, _ratio(first, second, noise)), (shared,)])
    return sorted(rows, key=lambda row: natural(str(row[0][0])))


def _executions(run: Sequence[Entry]) -> list[Entry]:
    """The entries of a run, one for each configuration: an image within one chunk is not measured twice."""
    first: dict[tuple[str, ...], Entry] = {}
    for entry in run:
        first.setdefault((entry.record.tokenizer.name, *_of_its_family(entry)), entry)
    return list(first.values())


def _of_its_family(entry: Entry) -> list[str]:
    """The requested settings of an entry that not every family has."""
    names = ("window", "attention", *(["chunk"] if chunking.fills_a_chunk(entry) else []))
    texts = [text for name in names if (text := groups.phrase(entry, name))]
    return [*texts, *(["tiled"] if entry.record.settings.tiling else [])]


def _settings(entry: Entry) -> list[str]:
    """The settings that all of a run share."""
    apart = (*groups.OF_A_FAMILY, "memory_limit_gib")
    texts = {name: groups.setting(entry, name) for name in groups.SETTINGS if name not in apart}
    return [f"{groups.SETTINGS[name].lower()} {text}" for name, text in texts.items() if text]


def _ratio(first: Ranked, second: Ranked, noise: float) -> Sentence:
    """How many times the larger value is the smaller: of latencies round by round, of single runs beyond noise."""
    timed = speed_ratio(first.entry, second.entry) if first.value.quantity == "latency" else None
    if timed is not None:
        return (timed.number,) if timed.significant else (timed.number, " ", Note(timed.remark))
    small, large = sorted((first.value.value, second.value.value))
    if not small:
        return ()
    shown = times(large / small, f"{first.entry.name} and {second.entry.name}, the larger over the smaller")
    if large <= small * (1 + noise):
        return (shown, " ", Note(WITHIN_NOISE))
    return (shown, *_or_more(first))


def _or_more(candidate: Ranked) -> Sentence:
    """A search for the largest size that ended at its upper limit gives a lower bound."""
    record = candidate.entry.record
    open_ended = record.benchmark == CAPACITY and candidate.value.value >= record.resolution
    return (" ", Note("or more")) if open_ended else ()


def _first_two(first: Ranked, second: Ranked, between: Sentence) -> list[Sentence]:
    cells: list[Sentence] = []
    for candidate in (first, second):
        entry = candidate.entry
        settings = [Note(f" ({', '.join(texts)})")] if (texts := _of_its_family(entry)) else []
        cells.append((Link(entry.record.tokenizer.name, entry.anchor), *settings))
        cells.append((number(entry, candidate.value, unit=True), *_or_more(candidate)))
    return [*cells, between]
