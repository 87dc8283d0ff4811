"""Rules that hold the document against itself: what it compares, and what its own tables say.

They refute, or find that two numbers are not comparable; that the document agrees with itself confirms nothing.
"""

from __future__ import annotations

from vitok_lib.cost.flops import vitok_work
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import (
    DOCUMENT,
    Figure,
    amount,
    arithmetic,
    document,
    printed,
    says,
    unlike,
)
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, ruling
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import count_words
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import parse_variant

FEATURE_DIMENSIONS = 2048
"""Of the Inception features that an FID compares."""

LOADER_BOUND = 2.0
"""Rates of work on one machine that lie further apart than this factor are not the rates of the models."""


def one_protocol(
    claim: Claim,
    entries: Entries,
    *,
    quantity: str,
    tokenizer: str,
    case: str,
    over: str,
    other_case: str,
    window: int | None = None,
) -> Ruling:
    """Whether the two numbers that the claim compares share resolution and, of a distance, n."""
    first = document(entries, tokenizer, case, quantity, window)
    second = document(entries, over, other_case, quantity)
    evidence = [says(first), says(second)]
    differ = []
    if case != other_case:
        differ.append(f"{first.entry.record.resolution:,} px against {second.entry.record.resolution:,} px")
    if first.value.n != second.value.n:
        differ.append(f"{count_words(quantity, first.value.n)} against {count_words(quantity, second.value.n)}")
    if quantity == "fid" and first.value.n is not None and first.value.n <= FEATURE_DIMENSIONS:
        evidence.append(_rank(first.value.n))
    evidence += unlike(quantity)
    if not differ:
        return ruling(Verdict.NOT_MEASURED, evidence)
    evidence.append((f"The two differ in protocol: {', '.join(differ)}.",))
    same = printed(entries, tokenizer, other_case, quantity) if case != other_case else None
    if same and tokenizer != over:
        difference = arithmetic(amount(same.amount - second.amount, quantity=quantity), "difference", same, second)
        evidence.append((*says(same), " At that one resolution the difference is ", difference, "."))
    return ruling(Verdict.NOT_COMPARABLE, evidence)


def _rank(n: int) -> Sentence:
    rank = arithmetic(f"{n - 1:,}", f"n − 1 with n = {n:,}: a mean is taken off {n:,} vectors")
    return (
        f"The covariance of n = {n:,} vectors of {FEATURE_DIMENSIONS:,} dimensions has a rank of at most ",
        rank,
        ".",
    )


def one_resolution(claim: Claim, entries: Entries, *, benchmark: str) -> Ruling:
    """Whether images were left at their native size: an image has one, so tables at several contradict it."""
    sizes = sorted({entry.record.resolution for entry in entries if _is_of(entry, benchmark)})
    listed = ", ".join(f"{size:,} px" for size in sizes)
    evidence: list[Sentence] = [(f"The document evaluates the same {benchmark} images at {listed}.",)]
    if len(sizes) <= 1:
        return ruling(Verdict.NOT_MEASURED, evidence)
    evidence.append(
        ("An image has one native size: at the others it was resized, and only its aspect ratio is native.",)
    )
    return ruling(Verdict.REFUTED, evidence, contradiction=True)


def every_n(claim: Claim, entries: Entries, *, benchmark: str, quantity: str) -> Ruling:
    """Whether each number of the document rests on as many images as it says of all."""
    counts: dict[int, Figure] = {}
    for entry in entries:
        value = entry.record.value(quantity)
        if _is_of(entry, benchmark) and value is not None and value.n is not None:
            counts.setdefault(value.n, Figure(entry, value))
    others = [figure for n, figure in sorted(counts.items()) if not claim.near(n)]
    evidence = [says(figure) for figure in (others or counts.values())]
    if others:
        return ruling(Verdict.REFUTED, evidence, contradiction=True)
    return ruling(Verdict.NOT_MEASURED, evidence)


def completed(claim: Claim, entries: Entries, *, tokenizers: list[str], case: str, quantity: str) -> Ruling:
    """Whether rows that were completed over so many images are there, rather than estimated or over fewer."""
    figures = [document(entries, name, case, quantity) for name in tokenizers]
    evidence = [says(figure) for figure in figures]
    guessed = [figure for figure in figures if figure.value.kind == Kind.ESTIMATED]
    fewer = [figure for figure in figures if figure.value.n is None or not claim.near(figure.value.n)]
    if guessed:
        evidence.append((f"It marks {_names(guessed)} as estimated: what is estimated was not run over any image.",))
    if guessed or fewer:
        return ruling(Verdict.REFUTED, evidence, contradiction=True)
    return ruling(Verdict.NOT_MEASURED, evidence)


def throughput_of_models(claim: Claim, entries: Entries, *, tokenizer: str, other: str, case: str) -> Ruling:
    """Whether a throughput is the model's: two of one family on one machine would do work at about one rate."""
    evidence: list[Sentence] = []
    rates = []
    for name in (tokenizer, other):
        figure = document(entries, name, case, "throughput")
        side = figure.entry.record.resolution
        work = vitok_work(parse_variant(find(name).architecture), side, side).total / 1e12
        rates.append(work * figure.amount)
        formula = f"{amount(work)} TFLOP an image, full attention, times {figure.amount:g} img/s"
        own = arithmetic(amount(work, "TFLOP"), "linear layers and attention, from the architecture")
        shown = arithmetic(amount(rates[-1], "TFLOP/s"), formula, figure)
        evidence.append((*says(figure), " An image takes ", own, ", so that would be ", shown, "."))
    factor = max(rates) / min(rates)
    text = arithmetic(
        f"{amount(factor)}×", "the larger rate over the smaller", document(entries, other, case, "throughput")
    )
    evidence.append(("The two rates of one machine lie apart by ", text, "."))
    if factor <= LOADER_BOUND:
        return ruling(Verdict.NOT_MEASURED, evidence)
    evidence.append(("Something else than the models sets the pace, such as reading and resizing the images.",))
    return ruling(Verdict.NOT_COMPARABLE, evidence)


def memory_over_resolution(claim: Claim, entries: Entries, *, tokenizer: str, small: str, large: str) -> Ruling:
    """Whether the peaks of two resolutions share a batch: of one image the larger one never takes less."""
    figures = [document(entries, tokenizer, case, "peak_memory") for case in (small, large)]
    variant = parse_variant(find(tokenizer).architecture)
    sides = [figure.entry.record.resolution for figure in figures]
    tokens = [variant.tokens(side, side) for side in sides]
    evidence = [says(figure) for figure in figures]
    counts: list[Number] = [
        arithmetic(f"{count:,}", f"({side} / {variant.patch})²") for count, side in zip(tokens, sides, strict=True)
    ]
    evidence.append(("One image is ", counts[0], " tokens at the first and ", counts[1], " at the second."))
    if figures[0].amount <= figures[1].amount:
        return ruling(Verdict.NOT_MEASURED, evidence)
    evidence.append(("Fewer tokens take more memory only in a larger batch, and the document names no batch.",))
    return ruling(Verdict.NOT_COMPARABLE, evidence)


def float8_memory(claim: Claim, entries: Entries, *, tokenizer: str, lower: str, higher: str) -> Ruling:
    """Whether float8 at ``lower`` explains the difference to ``higher``: it can take memory away, and never add any."""
    first, second = (document(entries, tokenizer, case, "peak_memory") for case in (lower, higher))
    parameters = parse_variant(find(tokenizer).architecture).parameters
    halves = arithmetic(amount(parameters / 2**30, "GiB"), f"{parameters:,} weights at one byte instead of two")
    difference = first.amount - second.amount
    shown = arithmetic(amount(difference, "GB"), f"{first.amount:g} − {second.amount:g}", first, second)
    evidence: list[Sentence] = [
        (*says(first), " ", *says(second), " The difference to explain is ", shown, "."),
        ("Were every weight in float8 instead of bfloat16, the peak would fall by ", halves, "."),
    ]
    if difference < 0 and -difference <= parameters / 1e9:
        return ruling(Verdict.NOT_MEASURED, evidence)
    evidence.append(("The difference has the other sign, or is larger than that: float8 does not explain it.",))
    return ruling(Verdict.REFUTED, evidence)


def _is_of(entry: Entry, benchmark: str) -> bool:
    return entry.origin == DOCUMENT and entry.record.benchmark == benchmark


def _names(figures: list[Figure]) -> str:
    return ", ".join(figure.entry.record.tokenizer.name for figure in figures)
