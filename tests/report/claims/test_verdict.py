"""What may carry a verdict: measured and derived numbers that are independent of their tokenizer."""

from __future__ import annotations

import pytest

from tests.fakes.claims import CLAIMS, evaluated, evidence
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.claims.verdict import EvaluatedClaim, Verdict, decide
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE = Verdict.NOT_COMPARABLE
BEST = "state-of-the-art"
HOLDS = ("It holds otherwise.",)


def _is_number(part: object) -> bool:
    return isinstance(part, Number)


def test_a_published_number_carries_no_verdict() -> None:
    claim, quoted = CLAIMS["psnr-lead"], Number("33.99 dB", Kind.PUBLISHED, "published")
    for verdict in (CONFIRMED, REFUTED):
        with pytest.raises(ValueError, match="no measured or derived number"):
            EvaluatedClaim(claim, verdict, (("It is ", quoted, "."),), correction=HOLDS)
    EvaluatedClaim(claim, CONFIRMED, (("It is ", Number("33.99 dB", Kind.MEASURED, "measured"), "."),))
    with pytest.raises(ValueError, match="a contradiction refutes"):
        EvaluatedClaim(claim, CONFIRMED, (("It is ", quoted, "."),), contradiction=True)


def test_the_two_claims_on_one_pair_of_dependent_figures_agree_that_they_decide_nothing() -> None:
    lead = evaluated("fdd-flux-1024")
    assert (lead.verdict, lead.basis) == (NOT_COMPARABLE, "figures that are not independent")
    assert "trained with" in evidence("fdd-flux-1024")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_dependent_number_in_the_evidence_decides_nothing_whatever_the_rule(verdict: Verdict) -> None:
    dependent = Number("0.4", Kind.MEASURED, "measured", caveat="It was trained with it.")
    for number in (dependent, Number("3", Kind.MEASURED, "measured")):
        found = decide(CLAIMS[BEST], verdict, [("One is ", number, "."), ("Another is ", dependent, ".")])
        assert found.verdict == NOT_COMPARABLE
        assert found.evidence[-1] == ("It was trained with it.",)


def test_no_decided_claim_shows_a_dependent_number() -> None:
    for item in evaluate_claims(load()):
        if item.verdict in (CONFIRMED, REFUTED):
            assert not any(part.caveat for sentence in item.evidence for part in sentence if _is_number(part))
