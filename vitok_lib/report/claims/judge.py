"""Every claim evaluated by the records that are there now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vitok_lib.report.claims.registry import read_claims
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Verdict


def evaluate_claims(entries: Entries, claims: Sequence[Claim] | None = None) -> list[EvaluatedClaim]:
    """Each claim with its verdict, computed from ``entries`` and from architectures.

    Raises:
        RequestError: a rule asks for a figure that the document does not print as the claim quotes it.
    """
    return [claim.rule.evaluate(claim, entries) for claim in (read_claims() if claims is None else claims)]


def counts(evaluated: Sequence[EvaluatedClaim]) -> dict[Verdict, int]:
    """How many claims got each verdict."""
    found = Counter(item.verdict for item in evaluated)
    return {verdict: found[verdict] for verdict in Verdict}
