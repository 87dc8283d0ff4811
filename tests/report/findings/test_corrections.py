"""The corrections of the published evaluation: which come first, and that each leads to its claim."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fakes.claims import CLAIMS
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.verdict import Claim, Discrepancy, EvaluatedClaim, Verdict
from vitok_lib.report.findings.corrections import corrections
from vitok_lib.report.page.content import Number, PageLink, Sentence, plain

COMPARED = [claim for claim in CLAIMS.values() if claim.rule.name == "compare"]
COUNTED = [claim for claim in CLAIMS.values() if claim.rule.name == "count"]


def refuted(claim: Claim, found: float, unit: str = "dB", kind: Kind = Kind.DERIVED) -> EvaluatedClaim:
    """A claim of 10 against ``found``."""
    sentence: Sentence = ("It is ", Number(f"{found:g} {unit}", kind, "invented"), ".")
    return EvaluatedClaim(
        claim, Verdict.REFUTED, (sentence,), discrepancy=Discrepancy(10, found, unit), correction=sentence
    )


def leads_to(found: Sequence[Sentence]) -> list[str]:
    return [part.anchor for sentence in found for part in sentence if isinstance(part, PageLink)]


def test_the_larger_discrepancy_comes_first() -> None:
    kinds = ((5, "dB"), (9, "img/s"), (-4, "×"))
    items = [refuted(claim, found, unit) for claim, (found, unit) in zip(COMPARED, kinds, strict=False)]
    off_by_half, off_by_tenth, opposite = items
    found = corrections([off_by_tenth, off_by_half, opposite])
    assert leads_to(found) == [f"claim-{item.claim.id}" for item in (opposite, off_by_half, off_by_tenth)]


def test_one_kind_of_number_has_one_correction_and_a_measurement_goes_before_arithmetic() -> None:
    derived = refuted(COMPARED[0], 1, "GB")
    measured = refuted(COMPARED[1], 5, "GiB", Kind.MEASURED)
    smaller = refuted(COMPARED[2], 6, "GiB", Kind.MEASURED)
    assert leads_to(corrections([derived, smaller, measured])) == [f"claim-{measured.claim.id}"]
    other_rule = refuted(COUNTED[0], 1, "GB")
    assert len(corrections([derived, measured, other_rule])) == 2


def test_only_refuted_claims_are_corrected_and_at_most_five() -> None:
    undecided = EvaluatedClaim(COMPARED[0], Verdict.NOT_MEASURED, (("Nothing decides it.",),))
    assert corrections([undecided]) == []
    many = [refuted(claim, 1, f"unit {index}") for index, claim in enumerate(COMPARED[:9])]
    assert len(corrections(many)) == 5


def test_a_correction_is_one_sentence_with_the_claim_and_the_number() -> None:
    (sentence,) = corrections([refuted(COMPARED[0], 1)])
    assert plain(sentence) == f"“{COMPARED[0].statement.rstrip('.')}”: it is 1 dB."
