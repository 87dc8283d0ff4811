"""The file of claims: it covers the document's figures, quotes them as printed, and a mistake in it is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml

from vitok_lib.errors import RequestError
from vitok_lib.published.study import read_csv, write_published
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.judge import counts, evaluate_claims
from vitok_lib.report.claims.registry import CLAIMS, read_claims
from vitok_lib.report.claims.rules.by_name import Rules
from vitok_lib.report.claims.rules.compare import Compare
from vitok_lib.report.claims.rules.fits import Fits
from vitok_lib.report.claims.rules.operand import ARCHITECTURE, Operand
from vitok_lib.report.claims.verdict import OWN, Claim, Verdict
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain
from vitok_lib.report.sphinx import claim_directives

CLAIM = """- id: a
  where: Summary
  statement: It has 4 times the tokens.
  published: 4
  tolerance: 0.1
  rule:
    name: compare
    of: {tokenizer: 5B-f16x64, quantity: tokens, case: div8k-8192}
    to: {tokenizer: 5B-f32x64, quantity: tokens, case: div8k-8192}
    by: ratio
"""


def summary_rows() -> list[dict[str, str]]:
    return [row for row in read_csv() if row["source"] == "evaluation-summary"]


def compared() -> list[tuple[Claim, Compare, Operand]]:
    """The claims that a comparison decides, with what it compares."""
    return [(claim, claim.rule, claim.rule.of) for claim in read_claims() if isinstance(claim.rule, Compare)]


def test_every_printed_psnr_is_a_claim_with_its_kind() -> None:
    expected = {
        (row["resolution"], row["tokenizer"], row["window"], float(row["value"]), row["kind"] == "estimated")
        for row in summary_rows()
        if row["quantity"] == "psnr_db"
    }
    claimed = {
        (str(of.resolution), of.tokenizer, str(of.window or ""), claim.published, claim.kind == Kind.ESTIMATED)
        for claim, rule, of in compared()
        if rule.to is None and of.quantity == "psnr"
    }
    assert claimed == expected


def test_every_reported_failure_is_a_claim() -> None:
    expected = {(row["tokenizer"], int(row["resolution"])) for row in summary_rows() if row["quantity"] == "status"}
    claimed = {
        (name, claim.rule.resolution)
        for claim in read_claims()
        if isinstance(claim.rule, Fits) and claim.rule.expected == "oom"
        for name in claim.rule.tokenizers
    }
    assert claimed == expected


def test_there_are_some_ninety_claims_with_a_number_in_the_unit_it_is_stated_in() -> None:
    claims = read_claims()
    assert len(claims) > 60
    times = {claim.id for claim, rule, of in compared() if rule.to is None and of.quantity in ("latency", "throughput")}
    for claim in claims:
        unheld = claim.published is None or claim.id in times  # of an unnamed machine
        assert (claim.published is None) == (claim.bound is not None or isinstance(claim.rule, Fits)), claim.id
        assert unheld == (claim.tolerance is None), claim.id
        assert claim.statement.endswith(".")


def test_every_rule_decides_a_claim() -> None:
    assert {type(claim.rule) for claim in read_claims()} == set(get_args(get_args(Rules)[0]))


def test_no_claim_states_its_verdict() -> None:
    listed = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    assert not any("verdict" in claim for claim in listed)


def test_every_verdict_comes_with_evidence_that_can_carry_it(results: Path) -> None:
    write_published()
    evaluated = evaluate_claims(load())
    assert sum(counts(evaluated).values()) == len(read_claims())
    for item in evaluated:
        assert item.evidence, item.claim.id
        assert bool(item.correction) == (item.verdict == Verdict.REFUTED)
        if item.verdict in (Verdict.CONFIRMED, Verdict.REFUTED) and not item.contradiction:
            assert any(number.kind in OWN for number in item.numbers), item.claim.id
        for number in item.numbers:
            if number.kind in (Kind.PUBLISHED, Kind.ESTIMATED):
                assert number.anchor, f"{item.claim.id}: '{number.text}' leads to no record"


def test_only_architecture_confirms_anything_while_only_published_figures_are_there(results: Path) -> None:
    write_published()
    confirmed = [item.claim.rule for item in evaluate_claims(load()) if item.verdict == Verdict.CONFIRMED]
    assert confirmed
    for rule in confirmed:
        assert isinstance(rule, Compare)
        assert rule.of.quantity in ARCHITECTURE


def test_the_overview_has_a_row_a_claim(results: Path) -> None:
    write_published()
    evaluated = evaluate_claims(load())
    table = claim_directives.overview(evaluated)
    assert [plain(row[1]) for row in table.rows] == [item.claim.statement for item in evaluated]
    assert [plain(row[0]) for row in table.rows] == [item.verdict.value for item in evaluated]
    told = {plain(row[0]): int(plain(row[1])) for row in claim_directives.counts_table(evaluated).rows}
    assert sum(told.values()) == len(evaluated)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("- id: a", "- id: A b"), "claim 'A b': id: "),
        (("- id: a", "- is: a"), "claim number 1: id: Field required"),
        (("where: Summary", "were: Summary"), "claim 'a': where: Field required"),
        (("published: 4", "published: four"), "claim 'a': published: "),
        (("tolerance: 0.1", "tolerance: 0"), "claim 'a': tolerance: "),
        (("  rule:", "  verdict: confirmed\n  rule:"), "claim 'a': verdict: Extra inputs"),
        (("name: compare", "name: compares"), "claim 'a': rule: Input tag 'compares'"),
        (("    by: ratio\n", ""), "claim 'a': rule.compare: Value error, 'to' and 'by' need each other"),
        (("    by: ratio", "    bye: ratio"), "claim 'a': rule.compare.bye: Extra inputs"),
        (("quantity: tokens, case: div8k-8192}\n    to", "quantity: tokens}\n    to"), "rule.compare.of: Value error"),
        (("to: {tokenizer: 5B-f32x64, ", "to: {"), "claim 'a': rule.compare.to.tokenizer: Field required"),
        (("case: div8k-8192", "case: 8192"), "claim 'a': rule.compare.of.case: Input should be a valid string"),
        (
            ("case: div8k-8192}\n    to", "case: div8k-8192, windows: 64}\n    to"),
            "rule.compare.of.windows: Extra inputs",
        ),
        (("- id: a", CLAIM + "- id: a"), "holds claim 'a' 2 times"),
        (("- id: a", "id: a"), "cannot be read: "),
    ],
    ids=lambda change: change[1] if isinstance(change, tuple) else "",
)
def test_a_mistake_in_the_file_is_one_sentence(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "claims.yml"
    path.write_text(CLAIM.replace(*change), encoding="utf-8")
    with pytest.raises(RequestError) as caught:
        read_claims(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{a: 1}", b"", b"\xff\xfe\xff"], ids=["mapping", "empty", "no-text"])
def test_a_file_that_holds_no_list_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claims.yml"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"claims\.yml"):
        read_claims(path)
    with pytest.raises(RequestError, match=r"none\.yml' cannot be read"):
        read_claims(tmp_path / "none.yml")
