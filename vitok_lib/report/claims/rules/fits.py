"""What fits: whether an image of some size goes through a tokenizer on a GPU or runs out of memory."""

from __future__ import annotations

from typing import Literal

from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import (
    BENCHMARK,
    DOCUMENT,
    LATER,
    WITH_MARGIN,
    Figure,
    arithmetic,
    on_gpu,
    planned,
    printed,
    say,
)
from vitok_lib.report.claims.verdict import Claim, Discrepancy, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.data.formatting import outcome
from vitok_lib.report.data.measuring_gpus import known_gpu
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import memory_words, window_text
from vitok_lib.tokenizers.registry import describe

CAPACITY, LARGEST = "capacity", "largest_resolution"
SHOWN = ("model_peak", "evaluation_peak", "latency")
"""What of a run shows best that an image went through."""

PEAKS = ("model_peak", "peak_memory", "evaluation_peak")
"""What of a run says how much memory it took."""

BYTES_OF_A_SCORE = 2
WITH_ATTENTION = "kl"
"""The family whose middle block lets each position of the latent attend to all."""

MEMORY = 80e9 / 2**30
"""GiB of the GPUs that the project page names."""


class Fits(Rule):
    """Whether an image of ``resolution`` px, or a larger one, fits; any setting that fits it shows that it can.

    One of ``tokenizers`` that ends in another way refutes; all that end as ``expected`` confirm. What took more than
    :data:`MEMORY` shows nothing of it, and neither does OOM on a smaller GPU. Without a run, a prediction with its
    margin decides.
    """

    name: Literal["fits"]
    tokenizers: list[str]
    resolution: int
    expected: Literal["ok", "oom"]

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        evidence: list[Sentence] = []
        fitting: list[tuple[Figure, str]] = []
        failing: list[str] = []
        found: list[str | None] = []
        for name in self.tokenizers:
            evidence += [*self._reported(entries, name), *self._score_matrix(name)]
            failed = [
                entry
                for entry in on_gpu(entries, name, self.resolution)
                if _status(entry) == OutcomeStatus.OOM and _memory_of(entry) >= MEMORY
            ]
            ran = _untiled_first(self._runs(entries, name))
            within = [figure for figure in ran if _took(figure.entry) <= MEMORY]
            plans = _untiled_first(planned(entries, name, self.resolution, WITH_MARGIN)) if not within else []
            evidence += [say("ended", entry=entry, outcome=outcome(entry), how=how(entry)) for entry in failed]
            evidence += [say("ran", figure=figure, how=how(figure.entry)) for figure in ran]
            evidence += [say("planned", figure=figure, how=how(figure.entry)) for figure in plans]
            fit = within or [figure for figure in plans if figure.amount <= MEMORY]
            fitting += [(figure, how(figure.entry)) for figure in fit]
            short = [*failed, *(figure.entry for figure in ran if figure not in within)]
            short += [figure.entry for figure in plans if figure.amount > MEMORY]
            failing += [f"{name} {how(entry)}" for entry in short]
            found.append("ok" if fit else "oom" if failed else None)
        if any(result not in (None, self.expected) for result in found):
            correction = say("corrected_fit", rule=self, fitting=fitting, failing=failing) if fitting else evidence[-1]
            least = [figure.amount for figure, _ in fitting if figure.value.unit == "GiB"]
            discrepancy = Discrepancy(MEMORY, max(least), "GiB") if least else None
            return decide(claim, Verdict.REFUTED, evidence, discrepancy=discrepancy, correction=correction)
        return decide(claim, Verdict.NOT_MEASURED if None in found else Verdict.CONFIRMED, evidence)

    def _reported(self, entries: Entries, tokenizer: str) -> list[Sentence]:
        """How the document says it ended, and the time that the later page prints all the same."""
        case = f"{BENCHMARK}-{self.resolution}"
        failed = [
            say("printed_outcome", tokenizer=tokenizer, case=case, outcome=outcome(entry))
            for entry in entries
            if (entry.origin, entry.case, entry.record.tokenizer.name) == (DOCUMENT, case, tokenizer)
            and _status(entry) != OutcomeStatus.OK
        ]
        later = printed(entries, tokenizer, case, "latency", source=LATER)
        return [*failed[:1], *([say("printed", figure=later)] if later else [])]

    def _score_matrix(self, tokenizer: str) -> list[Sentence]:
        spec = describe(tokenizer)
        if spec.family != WITH_ATTENTION or spec.downsampling is None:
            return []
        side = self.resolution // spec.downsampling
        size = memory_words(BYTES_OF_A_SCORE * side**4)
        shown = arithmetic(size, f"({side}²)² scores of {BYTES_OF_A_SCORE} bytes")
        return [say("score_matrix", tokenizer=tokenizer, side=side, size=shown)]

    def _runs(self, entries: Entries, tokenizer: str) -> list[Figure]:
        """Our runs of that size on a GPU, in each configuration; without any, of the next larger size."""
        sizes = sorted({entry.record.resolution for entry in entries if entry.record.resolution >= self.resolution})
        for size in sizes:
            found: dict[tuple[str, str], Figure] = {}
            for entry in on_gpu(entries, tokenizer, size):
                value = next(filter(None, map(entry.record.value, (LARGEST, *SHOWN))), None)
                fits = entry.record.benchmark != CAPACITY or (value is not None and value.value >= self.resolution)
                if value is not None and fits and _status(entry) == OutcomeStatus.OK:
                    found.setdefault((value.quantity, how(entry)), Figure(entry, value))
            if found:
                return list(found.values())
        return []


def how(entry: Entry) -> str:
    """How a run kept its memory low, in words."""
    settings = entry.record.settings
    if settings.tiling:
        return "in tiles"
    if settings.attention == "math":
        return "with all attention scores in memory"
    if settings.window is not None:
        return f"with window {window_text(settings.window)}"
    return "with a fused attention kernel"


def _untiled_first(figures: list[Figure]) -> list[Figure]:
    return sorted(figures, key=lambda figure: figure.entry.record.settings.tiling or False)


def _memory_of(entry: Entry) -> float:
    """GiB of the GPU that it ran on, by its data sheet; :data:`MEMORY` where it has none here."""
    provenance = entry.record.provenance
    gpu = known_gpu(provenance.host.gpu or "") if provenance else None
    return gpu.memory_bytes / 2**30 if gpu else MEMORY


def _took(entry: Entry) -> float:
    """The peak of a run in GiB; where none was measured, all of its GPU's memory."""
    peaks = (entry.record.value(name) for name in PEAKS)
    return next((peak.value for peak in peaks if peak), _memory_of(entry))


def _status(entry: Entry) -> OutcomeStatus:
    return entry.record.outcome.status
