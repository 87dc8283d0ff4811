"""The document against itself: what it compares, and what its own tables say.

These rules refute, or find that numbers are not comparable. A document that agrees with itself confirms nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import (
    DOCUMENT,
    UNLIKE,
    Figure,
    amount,
    arithmetic,
    document,
    flops,
    printed,
    say,
    variant_of,
)
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, count_words, name_of, not_independent

FEATURE_DIMENSIONS = 2048
"""Of the Inception features that an FID compares."""

LOADER_BOUND = 2.0
"""FLOP/s on one machine that differ by more than this factor are not those of the models."""

TERA = 1e12


class OneProtocol(Rule):
    """Whether two printed numbers share resolution and n; two peaks of memory also need a batch."""

    name: Literal["one-protocol"]
    quantity: str
    tokenizer: str
    case: str
    over: str
    other_case: str
    window: int | None = None

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        first = document(entries, self.tokenizer, self.case, self.quantity, self.window)
        second = document(entries, self.over, self.other_case, self.quantity)
        evidence = [say("printed", figure=first), say("printed", figure=second)]
        sizes, counts = [], []
        for figure in (first, second):
            sizes.append(f"{figure.entry.record.resolution:,} px")
            counts.append(count_words(self.quantity, figure.value.n))
        differ = [f"{one} and {other}" for one, other in (sizes, counts) if one != other]
        n = first.value.n
        if self.quantity == "fid" and n is not None and n <= FEATURE_DIMENSIONS:
            rank = arithmetic(f"{n - 1:,}", f"n − 1 with n = {n:,}: a mean is subtracted from {n:,} vectors")
            evidence.append(say("rank", n=n, dimensions=FEATURE_DIMENSIONS, rank=rank))
        evidence += [say(f"unlike_{self.quantity}")] if self.quantity in UNLIKE else []
        evidence += [_tokens(first, second)] if self.quantity == "peak_memory" else []
        if not differ:
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        evidence.append(say("differ", differences=differ))
        same = (
            printed(entries, self.tokenizer, self.other_case, self.quantity) if self.case != self.other_case else None
        )
        if same and self.tokenizer != self.over:
            text = amount(same.amount - second.amount, same.value.unit, self.quantity)
            number = arithmetic(text, "difference", same, second)
            evidence += [say("printed", figure=same), say("result", by="difference", number=number)]
        return decide(claim, Verdict.NOT_COMPARABLE, evidence)


class OneResolution(Rule):
    """Whether images were left at their native size: each has one, so tables at several resolutions contradict it."""

    name: Literal["one-resolution"]
    benchmark: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        of_benchmark = [entry.record for entry in entries if entry.origin == DOCUMENT]
        sizes = sorted({record.resolution for record in of_benchmark if record.benchmark == self.benchmark})
        evidence = [say("resolutions", benchmark=self.benchmark, sizes=[f"{size:,} px" for size in sizes])]
        if len(sizes) <= 1:
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        return decide(claim, Verdict.REFUTED, [*evidence, say("one_native_size")], contradiction=True)


class Counts(Rule):
    """Whether each printed ``quantity`` rests on as many images as claimed: on all, or on those of ``tokenizers``.

    An estimate rests on no image.
    """

    name: Literal["counts"]
    benchmark: str
    quantity: str
    tokenizers: list[str] = Field(default_factory=list)
    resolution: int | None = None

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        figures = self._figures(entries)
        estimated = [figure for figure in figures if figure.value.kind == Kind.ESTIMATED]
        others = [
            figure
            for figure in figures
            if figure in estimated or figure.value.n is None or not claim.near(figure.value.n)
        ]
        by_count = {figure.value.n: figure for figure in reversed(others or figures)}
        evidence = [say("printed", figure=by_count[n]) for n in sorted(by_count, key=lambda n: n or 0)]
        if estimated:
            names = list(dict.fromkeys(figure.entry.record.tokenizer.name for figure in estimated))
            evidence.append(say("estimated", tokenizers=names))
        if others:
            return decide(claim, Verdict.REFUTED, evidence, contradiction=True)
        return decide(claim, Verdict.NOT_MEASURED, evidence)

    def _figures(self, entries: Entries) -> list[Figure]:
        if self.tokenizers:
            case = f"{self.benchmark}-{self.resolution}"
            return [document(entries, name, case, self.quantity) for name in self.tokenizers]
        return [
            Figure(entry, value)
            for entry in entries
            if entry.origin == DOCUMENT
            and entry.record.benchmark == self.benchmark
            and (value := entry.record.value(self.quantity)) is not None
        ]


class RatesOfModels(Rule):
    """Whether two throughputs are those of the models: of one family on one machine, FLOP/s would be about equal."""

    name: Literal["rates-of-models"]
    tokenizers: list[str]
    case: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        evidence: list[Sentence] = []
        rates, figures = [], []
        for name in self.tokenizers:
            figure = document(entries, name, self.case, "throughput")
            count = flops(name, figure.entry.record.resolution).total / TERA
            rates.append(count * figure.amount)
            figures.append(figure)
            own = arithmetic(amount(count, "TFLOP"), "linear layers and attention, from the architecture")
            formula = f"{amount(count)} TFLOP an image, full attention, times {figure.amount:g} img/s"
            rate = arithmetic(amount(rates[-1], "TFLOP/s"), formula, figure)
            evidence += [say("printed", figure=figure), say("rate", flops=own, rate=rate)]
        factor = max(rates) / min(rates)
        ratio = arithmetic(f"{amount(factor)}×", "the larger rate over the smaller", *figures)
        evidence.append(say("result", by="ratio", number=ratio))
        if factor <= LOADER_BOUND:
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        return decide(claim, Verdict.NOT_COMPARABLE, [*evidence, say("not_the_models")])


class Float8Memory(Rule):
    """Whether float8 at ``lower`` explains the difference to ``higher``: it can save memory, and never adds any."""

    name: Literal["float8-memory"]
    tokenizer: str
    lower: str
    higher: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        first, second = (document(entries, self.tokenizer, case, "peak_memory") for case in (self.lower, self.higher))
        parameters = variant_of(self.tokenizer).parameters
        saved = arithmetic(amount(parameters / 2**30, "GiB"), f"{parameters:,} weights at one byte instead of two")
        difference = first.amount - second.amount
        shown = arithmetic(amount(difference, "GB"), f"{first.amount:g} − {second.amount:g}", first, second)
        evidence = [
            say("printed", figure=first),
            say("printed", figure=second),
            say("result", by="difference", number=shown),
            say("float8_saves", saved=saved),
        ]
        if difference < 0 and -difference <= parameters / 1e9:
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        return decide(claim, Verdict.REFUTED, [*evidence, say("float8_explains_not")])


class BestEverywhere(Rule):
    """Whether the document's own tables have ``tokenizer`` first in each column, among equal n and no estimates.

    A figure that is not independent of its tokenizer ranks neither it nor another.
    """

    name: Literal["best-everywhere"]
    tokenizer: str
    cases: list[str]
    quantities: list[str]

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        leaks = {name: leak for name in self.quantities if (leak := not_independent(name, self.tokenizer))}
        ranked = [name for name in self.quantities if name not in leaks]
        ahead: list[Sentence] = []
        first: dict[str, list[str]] = {}
        for case, quantity in ((case, quantity) for case in self.cases for quantity in ranked):
            own = document(entries, self.tokenizer, case, quantity)
            sign = 1 if HIGHER_IS_BETTER[quantity] else -1
            best = max(_rivals(entries, own), key=lambda figure: sign * figure.amount, default=None)
            if best is not None:
                first.setdefault(case, []).append(name_of(quantity))
                if sign * best.amount > sign * own.amount:
                    ahead += [say("printed", figure=own), say("printed", figure=best)]
        if ahead:
            return decide(claim, Verdict.REFUTED, ahead, contradiction=True)
        evidence = [
            say("first", tokenizer=self.tokenizer, case=case, quantities=names) for case, names in first.items()
        ]
        alone = [case for case in self.cases if case not in first]
        evidence += [say("no_rival", cases=alone)] if alone else []
        evidence += [say("ranks_nothing", quantity=name_of(name), reason=leak) for name, leak in leaks.items()]
        evidence += [say(f"unlike_{name}") for name in ranked if name in UNLIKE]
        return decide(claim, Verdict.NOT_MEASURED, evidence)


def _tokens(first: Figure, second: Figure) -> Sentence:
    """How many tokens one image is at the two resolutions, which memory would follow at one batch."""
    counts = []
    for figure in (first, second):
        variant, side = variant_of(figure.entry.record.tokenizer.name), figure.entry.record.resolution
        counts.append(arithmetic(f"{variant.tokens(side, side):,}", f"({side} / {variant.patch})²"))
    return say("tokens_without_batch", counts=counts)


def _rivals(entries: Entries, own: Figure) -> list[Figure]:
    """The document's figures of other tokenizers that may be ranked with ``own``."""
    quantity, name = own.value.quantity, own.entry.record.tokenizer.name
    return [
        Figure(entry, value)
        for entry in entries
        if entry.origin == DOCUMENT
        and entry.case == own.entry.case
        and entry.record.tokenizer.name != name
        and not_independent(quantity, entry.record.tokenizer.name) is None
        and (value := entry.record.value(quantity)) is not None
        and (value.kind, value.n) == (own.value.kind, own.value.n)
    ]
