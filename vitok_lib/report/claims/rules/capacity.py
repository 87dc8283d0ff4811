"""The rule about what fits: whether an image of some size goes through a tokenizer on a GPU or runs out of memory."""

from __future__ import annotations

from typing import Literal

from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import DOCUMENT, Figure, arithmetic, later, on_gpu
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, ruling
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.formatting import outcome as outcome_number
from vitok_lib.report.page.labels import memory_words
from vitok_lib.tokenizers.registry import describe

BENCHMARK = "div8k"
CAPACITY, LARGEST = "capacity", "largest_resolution"
BYTES_OF_A_SCORE = 2
CONVOLUTIONAL = "kl"
"""The family whose middle block lets each position of the latent attend to all."""


def ends_as(
    claim: Claim, entries: Entries, *, tokenizers: list[str], resolution: int, expected: Literal["ok", "oom"]
) -> Ruling:
    """Whether an image of ``resolution`` px, or of more, goes through; any setting that does it shows that it can.

    That all of ``tokenizers`` do as ``expected`` is refuted by one that does not, and confirmed by all.
    """
    evidence: list[Sentence] = []
    found = []
    for name in tokenizers:
        evidence += [*_reported(entries, name, resolution), *_score_matrix(name, resolution)]
        able = _gone_through(entries, name, resolution)
        failed = _ran_out(entries, name, resolution)
        if able is not None:
            evidence.append(able)
        elif failed is not None:
            told = f"{failed.title} at {failed.record.resolution:,} px ended here (study {failed.study}) as "
            evidence.append((told, outcome_number(failed), "."))
        found.append("ok" if able is not None else "oom" if failed is not None else None)
    if any(result not in (None, expected) for result in found):
        return ruling(Verdict.REFUTED, evidence)
    return ruling(Verdict.NOT_MEASURED if None in found else Verdict.CONFIRMED, evidence)


def _reported(entries: Entries, tokenizer: str, resolution: int) -> list[Sentence]:
    """How the document says it ended, and the time that the later page prints all the same."""
    case = f"{BENCHMARK}-{resolution}"
    own = [
        entry
        for entry in entries
        if (entry.origin, entry.case, entry.record.tokenizer.name) == (DOCUMENT, case, tokenizer)
        and entry.record.outcome.status != OutcomeStatus.OK
    ]
    told: list[Sentence] = [
        (f"The document says that {tokenizer} on {case} ended as ", outcome_number(entry), ".") for entry in own[:1]
    ]
    return told + later(entries, tokenizer, case, "latency")


def _score_matrix(tokenizer: str, resolution: int) -> list[Sentence]:
    spec = describe(tokenizer)
    if spec.family != CONVOLUTIONAL or spec.downsampling is None:
        return []
    side = resolution // spec.downsampling
    size = memory_words(BYTES_OF_A_SCORE * side**4)
    shown = arithmetic(size, f"({side}²)² scores of {BYTES_OF_A_SCORE} bytes")
    start = f"Attention over the {side:,} × {side:,} latent of {tokenizer}, with all its scores in memory, takes "
    return [(start, shown, "; tiles, or a kernel that never holds them all, need none of it.")]


def _gone_through(entries: Entries, tokenizer: str, resolution: int) -> Sentence | None:
    """Our record that shows an image of that size, or a larger one, to go through on a GPU."""
    sizes = sorted({entry.record.resolution for entry in entries if entry.record.resolution >= resolution})
    for entry in (found for size in sizes for found in on_gpu(entries, tokenizer, size)):
        record = entry.record
        if record.benchmark == CAPACITY:
            largest = record.value(LARGEST)
            if largest is not None and largest.value >= resolution:
                figure = Figure(entry, largest)
                return (f"The largest square that fits {entry.title} (study {entry.study}) is ", figure.shown, ".")
        elif record.outcome.status == OutcomeStatus.OK and record.values:
            shown = Figure(entry, record.values[0])
            what = f"{entry.title} went through at {record.resolution:,} px here (study {entry.study}, "
            return (
                f"{what}benchmark {record.benchmark}): {record.values[0].quantity.replace('_', ' ')} ",
                shown.shown,
                ".",
            )
    return None


def _ran_out(entries: Entries, tokenizer: str, resolution: int) -> Entry | None:
    found = on_gpu(entries, tokenizer, resolution)
    return next((entry for entry in found if entry.record.outcome.status == OutcomeStatus.OOM), None)
