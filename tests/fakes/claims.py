"""Claims of the shipped file, evaluated by the records that a test wrote."""

from __future__ import annotations

from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.claims.registry import read_claims
from vitok_lib.report.claims.verdict import EvaluatedClaim
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain

CLAIMS = {claim.id: claim for claim in read_claims()}


def evaluated(name: str) -> EvaluatedClaim:
    (found,) = evaluate_claims(load(), [CLAIMS[name]])
    return found


def evidence(name: str) -> str:
    """The sentences of its evidence."""
    return " ".join(plain(sentence) for sentence in evaluated(name).evidence)
