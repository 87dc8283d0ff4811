"""A claimed number against ours: a value, or the difference or ratio of two."""

from __future__ import annotations

import itertools
from typing import Literal, Self

from pydantic import model_validator

from vitok_lib.report.claims.evidence import (
    LATER,
    PETA,
    UNLIKE,
    Figure,
    amount,
    arithmetic,
    flops,
    one_run,
    paired_means,
    paired_sentence,
    quoted,
    say,
)
from vitok_lib.report.claims.rules.operand import ARCHITECTURE, Operand
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.data.protocol import protocol
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import is_distance, signed
from vitok_lib.tokenizers.registry import describe, find

COMPILE_SETTINGS = ("compile", "preset", "graphs")
"""What a record's settings say of compilation."""


class Compare(Rule):
    """Whether ``of``, or its difference or ratio to ``to``, is what the document claims.

    Arithmetic decides what an architecture gives. Otherwise a comparison must first follow from the document's own
    figures, or else it contradicts itself; then our measurement decides. An absolute time of the document's unnamed
    machine compares with none of ours. ``images``: how many the printed rate is said to be too low for.
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
            return self._by_architecture(claim)
        printed = [operand.printed(entries) for operand in self.operands]
        figures = [figure for figure in printed if figure is not None]
        evidence = [say("printed", figure=figure) for figure in figures]
        if self.to is None:
            evidence += self._alone(entries, quoted(claim, figures[0]))
        else:
            stated, sentence = self._result(figures)
            evidence += [sentence, *self._ratio_of_flops()]
            if not claim.near(stated):
                return decide(claim, Verdict.REFUTED, evidence, contradiction=True)
        ours = self._measured(entries, figures[0].value.n)
        evidence += [say("measured", figure=figure) for figure in ours]
        absolute_time = self.to is None and self.of.of_machine and quantity != "peak_memory"
        evidence += [say(f"unlike_{quantity}")] if quantity in UNLIKE else []
        evidence += [say("unlike_time")] if absolute_time else []
        if quantity in UNLIKE or (absolute_time and ours):
            return decide(claim, Verdict.NOT_COMPARABLE, evidence)
        if len(ours) < len(self.operands):
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        n = None if self.of.of_machine else figures[0].value.n
        return self._by_measurement(claim, evidence, ours, complete=n is None or (ours[0].value.n or 0) >= n)

    def _by_architecture(self, claim: Claim) -> EvaluatedClaim:
        found = [operand.computed(claim) for operand in self.operands]
        values = [value for value, _ in found]
        evidence = [sentence for _, sentences in found for sentence in sentences]
        if self.to is None:
            return decide(claim, claim.verdict(values[0]), evidence)
        result, text, formula = self._combined(values[0], values[1], "")
        evidence.append(say("result", by=self.by, number=arithmetic(text, formula)))
        return decide(claim, claim.verdict(result), evidence)

    def _by_measurement(
        self, claim: Claim, evidence: list[Sentence], ours: list[Figure], *, complete: bool
    ) -> EvaluatedClaim:
        own, other, quantity = ours[0], ours[-1], self.of.quantity
        if quantity == "peak_memory":
            model = own.entry.record.value("model_peak")
            evidence += [say("measured", figure=Figure(own.entry, model))] if model else []
            in_gb = own.amount * 2**30 / 1e9
            shown = arithmetic(amount(in_gb, "GB"), f"{own.amount:g} GiB · 2³⁰ / 10⁹", own)
            nearest = min((own.amount, in_gb), key=lambda peak: abs(peak - claim.stated[0]))
            return decide(claim, claim.verdict(nearest), [*evidence, say("in_gb", converted=shown)])
        if self.to is None:
            return decide(claim, claim.verdict(own.amount, own.value.interval, complete=complete), evidence)
        if not self.of.of_machine and protocol(own.entry, own.value) != protocol(other.entry, other.value):
            return decide(claim, Verdict.NOT_COMPARABLE, [*evidence, say("two_protocols")])
        by_image = self.by == "difference" and not self.of.of_machine and not is_distance(quantity)
        pairs = paired_means(own.entry, other.entry, quantity) if by_image else None
        if pairs is None:
            found, sentence = self._result(ours)
            return decide(claim, claim.verdict(found, complete=complete), [*evidence, sentence])
        evidence.append(paired_sentence(quantity, pairs, own, other))
        return decide(claim, claim.verdict(pairs[0], pairs[1], complete=complete), evidence)

    def _measured(self, entries: Entries, n: int | None) -> list[Figure]:
        """Our figure of each operand that has one; of two times, only both of one run."""
        found = [operand.measured(entries, n) for operand in self.operands]
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

    def _result(self, figures: list[Figure]) -> tuple[float, Sentence]:
        first, second = figures
        result, text, formula = self._combined(first.amount, second.amount, first.value.unit)
        return result, say("result", by=self.by, number=arithmetic(text, formula, first, second))

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
            return found, amount(found, "%"), f"{first:.4g} of {second:.4g}"
        return first / second, f"{amount(first / second)}×", f"{first:g} / {second:g}"

    def _alone(self, entries: Entries, figure: Figure) -> list[Sentence]:
        """What another source printed later, and how long the images would take at the printed rate."""
        later = self.of.printed(entries, LATER)
        evidence = [say("printed", figure=later)] if later else []
        if self.images is not None:
            hours = amount(self.images / figure.amount / 3600, "h")
            needed = arithmetic(hours, f"{self.images:,} / {figure.amount:g} img/s", figure)
            evidence.append(say("hours", images=self.images, needed=needed))
        return evidence

    def _ratio_of_flops(self) -> list[Sentence]:
        """What the architecture alone would give for a ratio of times."""
        if self.to is None or not self.of.of_machine:
            return []
        # Of two throughputs the second takes the longer.
        slow, fast = (self.to, self.of) if self.of.quantity == "throughput" else (self.of, self.to)
        window = slow.window or fast.window
        works = [flops(side.tokenizer, side.resolution, side.window or window).total / PETA for side in (slow, fast)]
        if works[0] == works[1]:
            return []
        ratio = arithmetic(f"{amount(works[0] / works[1])}×", f"{works[0]:.4g} / {works[1]:.4g} PFLOP of both sides")
        if slow.tokenizer != fast.tokenizer:
            return [say("flops_ratio", ratio=ratio)]
        full = flops(slow.tokenizer, slow.resolution).total / PETA
        most = arithmetic(amount(full, "PFLOP"), "both sides, each token attending to all")
        saving = arithmetic(f"{amount(full / works[0])}×", f"{full:.4g} / {works[0]:.4g} PFLOP of both sides")
        return [say("flops_ratio", ratio=ratio), say("full_attention", most=most, saving=saving, window=slow.window)]


class Latent(Rule):
    """The stride in pixels and the values of a latent position."""

    name: Literal["latent"]
    tokenizer: str
    downsampling: int
    channels: int

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        spec = describe(self.tokenizer)
        ours = (spec.downsampling, spec.latent_channels)
        stride, channels = (arithmetic(str(fact), f"architecture {find(self.tokenizer).architecture}") for fact in ours)
        evidence = [say("latent", tokenizer=self.tokenizer, stride=stride, channels=channels)]
        same = ours == (self.downsampling, self.channels)
        return decide(claim, Verdict.CONFIRMED if same else Verdict.REFUTED, evidence)
