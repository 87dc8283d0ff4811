"""Claims of the shipped file judged by the records that a test wrote."""

from __future__ import annotations

from vitok_lib.report.claims.registry import judge, read_claims
from vitok_lib.report.claims.verdict import Judged
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain

CLAIMS = {claim.id: claim for claim in read_claims()}


def judged(name: str) -> Judged:
    (found,) = judge(load(), [CLAIMS[name]])
    return found


def told(name: str) -> str:
    """All of the evidence in words."""
    return " ".join(plain(sentence) for sentence in judged(name).ruling.evidence)
