"""What a comparison compares: a quantity of a tokenizer as the document prints it, as measured, or as computed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from vitok_lib.report.claims.evidence import (
    PETA,
    Figure,
    amount,
    arithmetic,
    document,
    figures_on_gpu,
    flops,
    printed,
    released,
    resolution_of,
    say,
    variant_of,
)
from vitok_lib.report.claims.verdict import Claim, Entries
from vitok_lib.report.page.content import Sentence

ARCHITECTURE = ("tokens", "parameters", "flops", "flops_encoder", "flops_decoder", "window")
"""Quantities that arithmetic gives: parameters in thousands of millions, FLOPs in PFLOP."""

WITHOUT_CASE = ("parameters", "window")
MEASURED_AS = {
    "latency": "latency",
    "latency_max_autotune": "latency",
    "throughput": "throughput",
    "peak_memory": "evaluation_peak",
}
"""Our quantity for a printed one of time or memory; it needs a GPU and no particular weights."""


class Operand(BaseModel):
    """A quantity of ``tokenizer`` on ``case``. ``compile`` selects our own runs; the document names no such mode."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tokenizer: str
    quantity: str
    case: str | None = None
    window: int | None = None
    compile: Literal["eager", "default", "max-autotune"] | None = None

    @model_validator(mode="after")
    def _has_its_case(self) -> Self:
        if (self.case is None) != (self.quantity in WITHOUT_CASE):
            raise ValueError(f"'{self.quantity}' {'needs a' if self.case is None else 'has no'} case")
        return self

    @property
    def of_machine(self) -> bool:
        """Whether it is a time or a memory."""
        return self.quantity in MEASURED_AS

    @property
    def resolution(self) -> int:
        return resolution_of(self.case or "")

    def printed(self, entries: Entries, source: str | None = None) -> Figure | None:
        """What ``source`` gives, or None; without one, the document's figure, which has to be there."""
        place = (entries, self.tokenizer, self.case or "", self.quantity, self.window)
        return printed(*place, source) if source else document(*place)

    def measured(self, entries: Entries, n: int | None) -> list[Figure]:
        """Our figures, the best first; of a distance over ``n`` images alone."""
        if not self.of_machine:
            found = released(entries, self.tokenizer, self.case or "", self.quantity, self.window, n)
            return [found] if found else []
        figures = figures_on_gpu(entries, self.tokenizer, self.resolution, MEASURED_AS[self.quantity], self.window)
        mode = None if self.compile == "eager" else self.compile
        return [
            figure
            for figure in figures
            if self.compile is None or figure.entry.record.settings.compile == mode
            if self.quantity != "peak_memory" or figure.entry.record.settings.batch in (None, 1)
        ]

    def computed(self, claim: Claim) -> tuple[float, list[Sentence]]:
        """What arithmetic on the architecture gives, and how."""
        variant = variant_of(self.tokenizer)
        if self.quantity == "window":
            return self.window or 0, [say("window", operand=self)]
        if self.quantity == "parameters":
            found = variant.parameters / 1e9
            number = arithmetic(amount(found), f"{variant.parameters:,} parameters of {variant.text}")
            return found, [say("parameters", tokenizer=self.tokenizer, count=number)]
        if self.quantity == "tokens":
            found = variant.tokens(self.resolution, self.resolution)
            number = arithmetic(f"{found:,}", f"({self.resolution} / {variant.patch})²")
            return found, [say("tokens", operand=self, side=self.resolution // variant.patch, count=number)]
        work = flops(self.tokenizer, self.resolution, self.window)
        sides = {"flops_encoder": [work.encoder], "flops_decoder": [work.decoder]}.get(
            self.quantity, [work.encoder, work.decoder]
        )
        counts = [sum(getattr(side, part) for side in sides) for part in ("linear", "attention", "total")]
        numbers = [arithmetic(amount(count / PETA, "PFLOP"), "from the architecture") for count in counts]
        evidence = [say("flops", operand=self, numbers=numbers)]
        if claim.near(counts[0] / PETA) and not claim.near(counts[2] / PETA):
            evidence.append(say("linear_layers_alone"))
        return counts[2] / PETA, evidence
