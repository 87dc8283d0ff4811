"""What the published evaluation got wrong: the refuted claims, the largest discrepancy first."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.report.claims.verdict import EvaluatedClaim, Verdict
from vitok_lib.report.page.content import PageLink, Sentence
from vitok_lib.report.page.seal import anchor
from vitok_lib.report.page.templates import sentences

say = sentences("summary")

SHOWN = 5
BASES = ("measurement", "arithmetic", "the document itself")
"""What refutes a claim, the strongest first."""
_BYTES = {"GB": "bytes", "GiB": "bytes"}


def corrections(evaluated: Sequence[EvaluatedClaim], shown: int = SHOWN) -> list[Sentence]:
    """The ``shown`` largest corrections, a sentence each: the claim, which links to its evidence, and what holds.

    Many claims fall with one fact. So there is one correction for each kind of number that a rule compares: of the
    claim with the strongest evidence, and of several such with the largest discrepancy.
    """
    first: dict[tuple[str, str], EvaluatedClaim] = {}
    for item in sorted(evaluated, key=lambda item: (_strength(item), -_size(item))):
        if item.verdict == Verdict.REFUTED and item.discrepancy is not None:
            unit = item.discrepancy.unit
            first.setdefault((item.claim.rule.name, _BYTES.get(unit, unit)), item)
    return [
        say(
            "correction",
            claim=PageLink(item.claim.statement.rstrip("."), "claims", anchor(item.claim.id)),
            holds=_continued(item.correction),
        )
        for item in sorted(first.values(), key=lambda item: -_size(item))[:shown]
    ]


def _size(item: EvaluatedClaim) -> float:
    return item.discrepancy.size if item.discrepancy else 0.0


def _strength(item: EvaluatedClaim) -> int:
    return BASES.index(item.basis) if item.basis in BASES else len(BASES)


def _continued(sentence: Sentence) -> Sentence:
    """A sentence as the end of another: it begins small, but for a name or an abbreviation, and has no full stop."""
    parts = list(sentence)
    if isinstance(parts[0], str) and parts[0][1:2].islower():
        parts[0] = parts[0][0].lower() + parts[0][1:]
    if isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip(".")
    return tuple(parts)
