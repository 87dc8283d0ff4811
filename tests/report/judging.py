"""Claims of the shipped file judged by the records that a test wrote."""

from __future__ import annotations

from vitok_lib.report.entries import load
from vitok_lib.report.parts import plain
from vitok_lib.report.rulings import Judged
from vitok_lib.report.verdicts import judge, read_claims

CLAIMS = {claim.id: claim for claim in read_claims()}


def judged(name: str) -> Judged:
    (found,) = judge(load(), [CLAIMS[name]])
    return found


def told(name: str) -> str:
    """All of the evidence in words."""
    return " ".join(plain(sentence) for sentence in judged(name).ruling.evidence)
