"""How many images, or resolutions, the document's own figures rest on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import DOCUMENT, Figure, arithmetic, quote, say
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide


class Count(Rule):
    """Whether each printed ``quantity`` rests on as many images as claimed, or all on as many resolutions.

    An estimate rests on no image. Where the document prints no figure, nothing can be checked; where its own figures
    agree with it, nothing is confirmed.
    """

    name: Literal["count"]
    of: Literal["images", "resolutions"]
    benchmark: str
    quantity: str
    tokenizers: list[str] = Field(default_factory=list)
    resolution: int | None = None

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        figures = self._figures(entries)
        if not figures:
            return decide(claim, Verdict.NOT_CHECKABLE, [say("nothing_printed", benchmark=self.benchmark)])
        # An estimate was run on nothing, so it is no evaluation that counts.
        reported = [figure for figure in figures if figure.value.kind != Kind.ESTIMATED] or figures
        if self.of == "resolutions":
            sizes = sorted({figure.entry.record.resolution for figure in reported})
            found = len(sizes)
            evidence = [say("resolutions", benchmark=self.benchmark, sizes=[f"{size:,} px" for size in sizes])]
        else:
            counted = {
                figure.value.n or 0: figure for figure in reversed(figures) if figure.value.kind != Kind.ESTIMATED
            }
            wrong = {n: figure for n, figure in counted.items() if not claim.agrees(n)}
            guesses = [figure for figure in figures if figure.value.kind == Kind.ESTIMATED]
            found = min(wrong, default=0 if guesses else min(counted))
            shown = [figure for _, figure in sorted((wrong or counted).items())]
            evidence = [say("printed", figure=figure) for figure in [*shown, *guesses[:1]]]
            names = list(dict.fromkeys(figure.entry.record.tokenizer.name for figure in guesses))
            evidence += [say("estimated", tokenizers=names)] if names else []
        if claim.agrees(found):
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        number = arithmetic(f"{found:,}", f"{self.of} counted in the document's tables", *reported)
        correction = say("corrected_count", claimed=quote(claim), found=number, of=self.of)
        return decide(
            claim,
            Verdict.REFUTED,
            evidence,
            discrepancy=claim.discrepancy(found),
            correction=correction,
            contradiction=True,
        )

    def _figures(self, entries: Entries) -> list[Figure]:
        return [
            Figure(entry, value)
            for entry in entries
            if entry.origin == DOCUMENT
            and entry.record.benchmark == self.benchmark
            and self.resolution in (None, entry.record.resolution)
            and (not self.tokenizers or entry.record.tokenizer.name in self.tokenizers)
            and (value := entry.record.value(self.quantity)) is not None
        ]
