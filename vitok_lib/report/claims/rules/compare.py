"""A claimed number, or that one thing exceeds another, against ours: a value, or the difference or ratio of two."""

from __future__ import annotations

import itertools
import math
from typing import Literal, Self

from pydantic import model_validator

from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import (
    LATER,
    PETA,
    PLANS,
    UNLIKE,
    Figure,
    amount,
    arithmetic,
    flops,
    one_run,
    paired_means,
    paired_sentence,
    quote,
    quoted,
    say,
    unlike,
)
from vitok_lib.report.claims.rules.operand import ARCHITECTURE, FLOAT8, TIMES, Operand, time_share
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.data.protocol import protocol
from vitok_lib.report.data.speedups import Ratio, speed_ratio
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import count_words, is_distance, signed
from vitok_lib.tokenizers.registry import describe

COMPILE_SETTINGS = ("compile", "preset", "graphs")
"""What a record's settings say of compilation."""

LATENCIES = ("latency", "latency_max_autotune")

FEATURE_DIMENSIONS = 2048
"""Of the Inception features that an FID compares."""

TWO_SIDED = 1.96
"""Standard errors that a mean is off by chance in one of twenty cases."""

GB_IN_GIB = 2**30 / 1e9


class Compare(Rule):
    """Whether ``of``, or its difference or ratio to ``to``, is what the document claims.

    Arithmetic decides what an architecture gives. Otherwise a comparison must first follow from the document's own
    figures, or else it contradicts itself, and share a protocol; then our measurement decides. An absolute time of an
    unnamed machine cannot be checked. ``images``: how many the printed rate is said to be too low for.
    """

    name: Literal["compare"]
    of: Operand
    to: Operand | None = None
    by: Literal["difference", "percent", "ratio", "share"] | None = None
    images: int | None = None

    @model_validator(mode="after")
    def _two_are_compared_by_something(self) -> Self:
        if (self.to is None) != (self.by is None):
            raise ValueError("'to' and 'by' need each other")
        return self

    @property
    def operands(self) -> list[Operand]:
        return [self.of] if self.to is None else [self.of, self.to]

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        quantity = self.of.quantity
        if quantity in ARCHITECTURE:
            return self._by_architecture(claim, entries)
        figures = [figure for operand in self.operands if (figure := operand.printed(entries)) is not None]
        evidence = [say("printed", figure=figure) for figure in figures]
        if self.to is None:
            quoted(claim, figures[0])
            evidence += self._hours(figures[0])
        else:
            evidence += [*self._rates(), *self._ratio_of_flops(claim)]
        evidence += self._later(entries, figures)
        counts = {figure.value.n for figure in figures}
        stated: float | None = None
        differences = self._differences(figures)
        if len(figures) == 2 and not differences:
            stated, number = self._result(figures)
            evidence.append(say("result", by=self.by, number=number))
            if len(counts) > 1:
                # What a machine takes does not depend on which images were drawn.
                evidence += [] if self.of.of_machine else self._by_chance(figures, abs(stated))
            elif not claim.agrees(stated):
                correction = say("corrected", claimed=quote(claim), found=number, by="its own tables give")
                return decide(
                    claim,
                    Verdict.REFUTED,
                    evidence,
                    discrepancy=claim.discrepancy(stated),
                    correction=correction,
                    contradiction=True,
                )
        ours = self._measured(entries, figures[0].value.n if figures else None)
        evidence += [_shown(figure) for figure in ours]
        evidence += unlike(quantity)
        evidence += [say("differ", differences=differences)] if differences else []
        if quantity in UNLIKE or differences:
            return decide(claim, Verdict.NOT_COMPARABLE, evidence + _rank(quantity, figures))
        if self.of.of_machine and self.to is None and quantity != "peak_memory":
            return decide(claim, Verdict.NOT_CHECKABLE, [*evidence, say("unnamed_machine")])
        if len(ours) < len(self.operands):
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        n = None if self.of.of_machine else figures[0].value.n
        return self._by_measurement(claim, evidence, ours, stated, complete=n is None or (ours[0].value.n or 0) >= n)

    def _by_architecture(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        found = [operand.computed(claim, entries) for operand in self.operands]
        evidence = [sentence for _, sentences in found for sentence in sentences]
        value, formula = found[0][0], "from the architecture"
        text = amount(value, claim.unit)
        if self.to is not None:
            value, text, formula = self._combined(value, found[1][0], "")
            evidence.append(say("result", by=self.by, number=arithmetic(text, formula)))
        correction = evidence[-1]
        if self.to is not None or (len(evidence) == 1 and self.of.quantity != FLOAT8):
            number = arithmetic(text, formula)
            correction = say("corrected", claimed=quote(claim), found=number, by="the architecture gives")
        return decide(
            claim, claim.verdict(value), evidence, discrepancy=claim.discrepancy(value), correction=correction
        )

    def _by_measurement(
        self, claim: Claim, evidence: list[Sentence], ours: list[Figure], stated: float | None, *, complete: bool
    ) -> EvaluatedClaim:
        own, other, quantity = ours[0], ours[-1], self.of.quantity
        if self.to is None:
            found, number, interval = own.amount, own.shown, own.value.interval
            if quantity == "peak_memory":
                return self._memory(claim, evidence, own)
        else:
            apart = not self.of.of_machine and self.of.tokenizer != self.to.tokenizer
            if apart and protocol(own.entry, own.value) != protocol(other.entry, other.value):
                return decide(claim, Verdict.NOT_COMPARABLE, [*evidence, say("two_protocols")])
            by_image = self.by == "difference" and not self.of.of_machine and not is_distance(quantity)
            pairs = paired_means(own.entry, other.entry, quantity) if by_image else None
            interval = None
            ratio = self._of_rounds(own, other)
            if ratio is not None:
                found, number, interval = ratio.value, ratio.number, ratio.interval
                evidence = [*evidence, say("result", by=self.by, number=number)]
            elif pairs is not None:
                found, interval, _ = pairs
                number = arithmetic(signed(quantity, found), "paired by image", own, other)
                evidence = [*evidence, paired_sentence(quantity, pairs, own, other)]
            else:
                found, number = self._result(ours)
                if quantity not in TIMES:
                    evidence = [*evidence, say("result", by=self.by, number=number)]
        correction = say("corrected", claimed=quote(claim), found=number, by="measured here:")
        if claim.published is None:
            correction = say("corrected_bound", own=own, other=other, by=self.by, number=number)
        verdict = claim.verdict(found, interval, complete=complete)
        discrepancy = claim.discrepancy(found, stated)
        return decide(claim, verdict, evidence, discrepancy=discrepancy, correction=correction)

    def _of_rounds(self, own: Figure, other: Figure) -> Ratio | None:
        """A ratio of two times of one run, round by round; a throughput is larger where a latency is smaller."""
        if self.by != "ratio" or self.of.quantity not in (*LATENCIES, "throughput"):
            return None
        fast, slow = (own, other) if self.of.quantity == "throughput" else (other, own)
        return speed_ratio(fast.entry, slow.entry)

    def _memory(self, claim: Claim, evidence: list[Sentence], own: Figure) -> EvaluatedClaim:
        """One image at a time is the least: a larger batch, which the document does not name, takes more."""
        model = own.entry.record.value("model_peak")
        evidence = evidence + ([say("measured", figure=Figure(own.entry, model))] if model else [])
        in_gb = own.amount * GB_IN_GIB
        converted = arithmetic(amount(in_gb, "GB"), f"{own.amount:g} GiB · 2³⁰ / 10⁹", own)
        evidence = [*evidence, say("in_gb", converted=converted)]
        nearest = min((own.amount, in_gb), key=lambda peak: abs(peak - (claim.published or 0)))
        if own.value.kind == Kind.MEASURED and claim.agrees(nearest):
            return decide(claim, Verdict.CONFIRMED, evidence, discrepancy=claim.discrepancy(nearest))
        if own.amount > claim.accepted[1]:
            correction = say("corrected", claimed=quote(claim), found=own.shown, by="one image alone takes")
            return decide(
                claim, Verdict.REFUTED, evidence, discrepancy=claim.discrepancy(nearest), correction=correction
            )
        return decide(claim, Verdict.NOT_CHECKABLE, [*evidence, say("unnamed_batch")])

    def _measured(self, entries: Entries, n: int | None) -> list[Figure]:
        """Our figure of each operand that has one; of two times, only both of one run; of memory, else predictions."""
        found = [operand.measured(entries, n) for operand in self.operands]
        if self.of.quantity == "peak_memory" and not all(found):
            found = [operand.predicted(entries) for operand in self.operands]
            return [figures[0] for figures in found if figures]
        if self.to is None or not self.of.of_machine:
            return [figures[0] for figures in found if figures]
        varied: tuple[str, ...] = ()
        if self.of.tokenizer == self.to.tokenizer:
            varied += ("window",) if self.of.window != self.to.window else ()
            varied += COMPILE_SETTINGS if self.of.compile != self.to.compile else ()
        for own, other in itertools.product(*found):
            if one_run(own.entry, other.entry, varied):
                return [own, other]
        return []

    def _differences(self, figures: list[Figure]) -> list[str]:
        """What keeps two printed qualities from being compared: size, rate, or n of a distance."""
        if self.of.of_machine or self.to is None or len(figures) < 2:
            return []
        counts = [count_words(self.of.quantity, figure.value.n) for figure in figures]
        pairs = [counts] if is_distance(self.of.quantity) else []
        if self.of.tokenizer != self.to.tokenizer:
            rates = [describe(operand.tokenizer).compression_ratio or math.nan for operand in self.operands]
            pairs += [
                counts,
                [f"{side.resolution:,} px" for side in self.operands],
                [f"{amount(r)} : 1" for r in rates],
            ]
        elif is_distance(self.of.quantity):
            pairs += [[f"{side.resolution:,} px" for side in self.operands]]
        return list(dict.fromkeys(f"{one} and {other}" for one, other in pairs if one != other))

    def _result(self, figures: list[Figure]) -> tuple[float, Number]:
        first, second = figures
        result, text, formula = self._combined(first.amount, second.amount, first.value.unit)
        return result, arithmetic(text, formula, first, second)

    def _combined(self, first: float, second: float, unit: str) -> tuple[float, str, str]:
        """The difference or ratio, its text and its formula."""
        if self.by == "difference":
            found = first - second
            return found, f"{signed(self.of.quantity, found)} {unit}".rstrip(), f"{first:g} − {second:g}"
        if self.by == "percent":
            found = 100 * (first / second - 1)
            return found, f"{signed('', round(found, 1))} %", f"{first:g} / {second:g} − 1"
        if self.by == "share":
            found = 100 * first / second
            return found, amount(found, "%"), f"{amount(first)} of {amount(second)}"
        return first / second, f"{amount(first / second)}×", f"{first:g} / {second:g}"

    def _by_chance(self, figures: list[Figure], difference: float) -> list[Sentence]:
        """How far single images must scatter for two means over different images to differ so much by chance."""
        count = min(figure.value.n or 1 for figure in figures)
        formula = f"{difference:.3g} / {TWO_SIDED} · √{count}"
        needed = amount(difference / TWO_SIDED * math.sqrt(count), figures[0].value.unit, self.of.quantity)
        return [say("needed_deviation", two_sided=TWO_SIDED, bound=arithmetic(needed, formula, *figures), n=count)]

    def _later(self, entries: Entries, figures: list[Figure]) -> list[Sentence]:
        """What the project page printed later, of one value or of what the document estimates."""
        asked = [
            operand
            for operand, figure in zip(self.operands, figures, strict=False)
            if self.to is None or figure.value.kind == Kind.ESTIMATED
        ]
        found = [operand.printed(entries, LATER) for operand in asked]
        return [say("printed", figure=figure) for figure in found if figure]

    def _hours(self, figure: Figure) -> list[Sentence]:
        """How long the images would take at the printed rate."""
        if self.images is None:
            return []
        hours = amount(self.images / figure.amount / 3600, "h")
        needed = arithmetic(hours, f"{self.images:,} / {figure.amount:g} img/s", figure)
        return [say("hours", images=self.images, needed=needed)]

    def _rates(self) -> list[Sentence]:
        """How much each of two tokenizers compresses, where their qualities are compared."""
        names = [operand.tokenizer for operand in self.operands]
        if self.of.of_machine or names[0] == names[1]:
            return []
        rates = [describe(name).compression_ratio or math.nan for name in names]
        shown = [arithmetic(f"{amount(rate)} : 1", "pixel values for each latent value") for rate in rates]
        return [say("compression", names=names, rates=shown, equal=rates[0] == rates[1])]

    def _ratio_of_flops(self, claim: Claim) -> list[Sentence]:
        """What the architecture alone would give for a ratio of times."""
        if self.to is None or not self.of.of_machine or self.of.quantity == "peak_memory":
            return []
        if self.of.quantity in TIMES:
            return self.of.model_copy(update={"quantity": "flops"}).computed(claim, [])[1]
        # Of two throughputs the second takes the longer.
        slow, fast = (self.to, self.of) if self.of.quantity == "throughput" else (self.of, self.to)
        window = slow.window or fast.window
        works = [flops(side.tokenizer, side.resolution, side.window or window).total / PETA for side in (slow, fast)]
        if works[0] == works[1]:
            return []
        ratio = arithmetic(
            f"{amount(works[0] / works[1])}×", f"{amount(works[0])} / {amount(works[1])} PFLOP of both sides"
        )
        if slow.tokenizer != fast.tokenizer:
            return [say("flops_ratio", ratio=ratio)]
        full = flops(slow.tokenizer, slow.resolution).total / PETA
        most = arithmetic(amount(full, "PFLOP"), "both sides, each token attending to all")
        saving = arithmetic(f"{amount(full / works[0])}×", f"{amount(full)} / {amount(works[0])} PFLOP of both sides")
        return [say("flops_ratio", ratio=ratio), say("full_attention", most=most, saving=saving, window=slow.window)]


def _shown(figure: Figure) -> Sentence:
    if figure.value.quantity in TIMES:
        return time_share(figure.entry, figure.value.quantity)
    return say("predicted" if figure.entry.record.benchmark == PLANS else "measured", figure=figure)


def _rank(quantity: str, figures: list[Figure]) -> list[Sentence]:
    """Why an FID of few images compares with no other: its covariance lacks dimensions."""
    n = min((figure.value.n or FEATURE_DIMENSIONS for figure in figures), default=FEATURE_DIMENSIONS)
    if quantity != "fid" or n >= FEATURE_DIMENSIONS:
        return []
    rank = arithmetic(f"{n - 1:,}", f"n − 1 with n = {n:,}: a mean is subtracted from {n:,} vectors")
    return [say("rank", n=n, dimensions=FEATURE_DIMENSIONS, rank=rank)]
