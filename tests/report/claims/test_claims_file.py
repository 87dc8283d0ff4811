"""The file of claims: it covers the document's figures, quotes them as printed, and a mistake in it is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vitok_lib.errors import RequestError
from vitok_lib.published.study import read_csv, write_published
from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.registry import CLAIMS, counts, judge, read_claims
from vitok_lib.report.claims.rules.by_name import RULES
from vitok_lib.report.claims.verdict import OWN, Verdict
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number, plain
from vitok_lib.report.sphinx import claim_directives

CLAIM = """- id: a
  where: Summary
  statement: It has 4 times the tokens.
  published: 4
  tolerance: 0.1
  rule: token-ratio
  arguments: {tokenizer: 5B-f16x64, over: 5B-f32x64, resolution: 8192}
"""


def summary_rows() -> list[dict[str, str]]:
    return [row for row in read_csv() if row["source"] == "evaluation-summary"]


def test_every_printed_psnr_is_a_claim_with_its_kind() -> None:
    expected = {
        (row["resolution"], row["tokenizer"], row["window"], float(row["value"]), row["kind"] == "estimated")
        for row in summary_rows()
        if row["quantity"] == "psnr_db"
    }
    claimed = {
        (
            claim.arguments["case"].rpartition("-")[2],
            claim.arguments["tokenizer"],
            str(claim.arguments.get("window", "")),
            claim.published,
            claim.kind == Kind.ESTIMATED,
        )
        for claim in read_claims()
        if claim.rule == "measured-value" and claim.arguments["quantity"] == "psnr"
    }
    assert claimed == expected


def test_every_reported_failure_is_a_claim() -> None:
    expected = {(row["tokenizer"], int(row["resolution"])) for row in summary_rows() if row["quantity"] == "status"}
    claimed = {
        (name, claim.arguments["resolution"])
        for claim in read_claims()
        if claim.rule == "ends-as" and claim.arguments["expected"] == "oom"
        for name in claim.arguments["tokenizers"]
    }
    assert claimed == expected


def test_there_are_some_ninety_claims_with_a_number_in_the_unit_it_is_stated_in() -> None:
    claims = read_claims()
    assert len(claims) > 60
    for claim in claims:
        unheld = claim.published is None or claim.rule == "machine-value"  # which holds no other number to it
        assert unheld == (claim.tolerance is None), claim.id
        assert claim.statement.endswith(".")


def test_every_rule_decides_a_claim() -> None:
    assert {claim.rule for claim in read_claims()} == set(RULES)


def test_no_claim_states_its_verdict() -> None:
    listed = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    assert not any("verdict" in claim for claim in listed)


def test_every_verdict_comes_with_evidence_that_can_carry_it(results: Path) -> None:
    write_published()
    judged = judge(load())
    assert sum(counts(judged).values()) == len(read_claims())
    for item in judged:
        numbers = [
            part for sentence in item.ruling.evidence for part in sentence if isinstance(part, Number) and part.tip
        ]
        assert item.ruling.evidence, item.claim.id
        if item.verdict in (Verdict.CONFIRMED, Verdict.REFUTED) and not item.ruling.contradiction:
            assert any(number.kind in OWN for number in numbers), item.claim.id
        for number in numbers:
            if number.kind in (Kind.PUBLISHED, Kind.ESTIMATED):
                assert number.anchor, f"{item.claim.id}: '{number.text}' leads to no record"


def test_only_architecture_confirms_anything_while_only_published_figures_are_there(results: Path) -> None:
    write_published()
    confirmed = {item.claim.rule for item in judge(load()) if item.verdict == Verdict.CONFIRMED}
    assert confirmed == {
        "tokens",
        "token-ratio",
        "window-ratio",
        "side-share",
        "facts",
        "parameters",
    }


def test_the_overview_has_a_row_a_claim(results: Path) -> None:
    write_published()
    judged = judge(load())
    table = claim_directives.overview(judged)
    assert [plain(row[1]) for row in table.rows] == [item.claim.statement for item in judged]
    assert [plain(row[0]) for row in table.rows] == [item.verdict.value for item in judged]
    told = {plain(row[0]): int(plain(row[1])) for row in claim_directives.counts_table(judged).rows}
    assert sum(told.values()) == len(judged)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("- id: a", "- id: A b"), "claim number 1: id: "),
        (("where: Summary", "were: Summary"), "claim number 1: where: Field required"),
        (("published: 4", "published: four"), "claim number 1: published: "),
        (("tolerance: 0.1", "tolerance: 0"), "claim number 1: tolerance: "),
        (("  rule:", "  verdict: confirmed\n  rule:"), "claim number 1: verdict: Extra inputs"),
        (("token-ratio", "tokens-ratio"), "unknown rule of claim 'a' 'tokens-ratio'; did you mean token-ratio"),
        (("over: 5B-f32x64, ", ""), "claim 'a': rule 'token-ratio': missing a required"),
        (("over:", "over_: 1, over:"), "claim 'a': rule 'token-ratio': got an unexpected keyword argument 'over_'"),
        (("resolution: 8192", "resolution: wide"), "claim 'a', argument 'resolution': Input should be a valid integer"),
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
