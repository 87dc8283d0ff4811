"""What fits: whether an image of some size goes through a tokenizer on a GPU or runs out of memory."""

from __future__ import annotations

from typing import Literal

from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import BENCHMARK, DOCUMENT, LATER, Figure, arithmetic, on_gpu, printed, say
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.formatting import outcome as outcome_number
from vitok_lib.report.page.labels import memory_words
from vitok_lib.tokenizers.registry import describe

CAPACITY, LARGEST = "capacity", "largest_resolution"
BYTES_OF_A_SCORE = 2
CONVOLUTIONAL = "kl"
"""The family whose middle block lets each position of the latent attend to all."""


class Fits(Rule):
    """Whether an image of ``resolution`` px, or a larger one, fits; any setting that fits it shows that it can.

    One of ``tokenizers`` that ends in another way refutes; all that end as ``expected`` confirm.
    """

    name: Literal["fits"]
    tokenizers: list[str]
    resolution: int
    expected: Literal["ok", "oom"]

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        evidence: list[Sentence] = []
        found: list[str | None] = []
        for name in self.tokenizers:
            evidence += [*self._reported(entries, name), *self._score_matrix(name)]
            fit = self._fit(entries, name)
            failed = [entry for entry in on_gpu(entries, name, self.resolution) if _status(entry) == OutcomeStatus.OOM]
            if fit is not None:
                evidence.append(fit)
            elif failed:
                evidence.append(say("ended", entry=failed[0], outcome=outcome_number(failed[0])))
            found.append("ok" if fit is not None else "oom" if failed else None)
        if any(result not in (None, self.expected) for result in found):
            return decide(claim, Verdict.REFUTED, evidence)
        return decide(claim, Verdict.NOT_MEASURED if None in found else Verdict.CONFIRMED, evidence)

    def _reported(self, entries: Entries, tokenizer: str) -> list[Sentence]:
        """How the document says it ended, and the time that the later page prints all the same."""
        case = f"{BENCHMARK}-{self.resolution}"
        failed = [
            say("printed_outcome", tokenizer=tokenizer, case=case, outcome=outcome_number(entry))
            for entry in entries
            if (entry.origin, entry.case, entry.record.tokenizer.name) == (DOCUMENT, case, tokenizer)
            and _status(entry) != OutcomeStatus.OK
        ]
        later = printed(entries, tokenizer, case, "latency", source=LATER)
        return [*failed[:1], *([say("printed", figure=later)] if later else [])]

    def _score_matrix(self, tokenizer: str) -> list[Sentence]:
        spec = describe(tokenizer)
        if spec.family != CONVOLUTIONAL or spec.downsampling is None:
            return []
        side = self.resolution // spec.downsampling
        size = memory_words(BYTES_OF_A_SCORE * side**4)
        shown = arithmetic(size, f"({side}²)² scores of {BYTES_OF_A_SCORE} bytes")
        return [say("score_matrix", tokenizer=tokenizer, side=side, size=shown)]

    def _fit(self, entries: Entries, tokenizer: str) -> Sentence | None:
        """Our record of an image of that size, or a larger one, that fits a GPU."""
        sizes = sorted({entry.record.resolution for entry in entries if entry.record.resolution >= self.resolution})
        for entry in (found for size in sizes for found in on_gpu(entries, tokenizer, size)):
            record = entry.record
            if record.benchmark == CAPACITY:
                largest = record.value(LARGEST)
                if largest is not None and largest.value >= self.resolution:
                    return say("largest", figure=Figure(entry, largest))
            elif record.outcome.status == OutcomeStatus.OK and record.values:
                return say("fits", figure=Figure(entry, record.values[0]))
        return None


def _status(entry: Entry) -> OutcomeStatus:
    return entry.record.outcome.status
