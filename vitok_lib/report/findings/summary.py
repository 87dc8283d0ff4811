"""The counts of the summary: verdicts on the claims, and outcomes of the measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report.claims.judge import counts
from vitok_lib.report.claims.verdict import EvaluatedClaim
from vitok_lib.report.data.formatting import OUTCOMES
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.templates import sentences

say = sentences("summary")


def claims_counted(evaluated: Sequence[EvaluatedClaim]) -> Sentence:
    """How many claims of the published document got which verdict."""
    verdicts = [
        (_counted(count, f"claims with the verdict '{verdict}'"), f" {'is' if count == 1 else 'are'} {verdict}")
        for verdict, count in counts(evaluated).items()
        if count
    ]
    return say("claims", total=f"{len(evaluated):,}", verdicts=verdicts)


def outcomes_counted(entries: Sequence[Entry]) -> list[Sentence]:
    """How many measurements ended in another outcome than ok; nothing where all ended well."""
    ended = Counter(entry.record.outcome.status for entry in entries if entry.measured)
    bad = [
        (_counted(count, f"measured records that ended as '{status}'"), f" ended as {OUTCOMES[status]}")
        for status, count in sorted(ended.items())
        if status != OutcomeStatus.OK
    ]
    return [say("outcomes", total=f"{sum(ended.values()):,}", ended=bad)] if bad else []


def _counted(count: int, what: str) -> Number:
    return Number(f"{count:,}", Kind.DERIVED, f"derived: {what}, counted")
