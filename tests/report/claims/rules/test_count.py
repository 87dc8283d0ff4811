"""How many images and resolutions the document's own figures rest on, and what its figures alone decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.claims import evaluated, evidence
from vitok_lib.published.study import read_csv, write_published
from vitok_lib.report.claims.verdict import Verdict

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("fid-8192-against-4096", NOT_COMPARABLE, "a rank of at most 49"),
        ("fid-f16-against-f32-8192", NOT_COMPARABLE, "n = 50 and n = 1,500"),
        ("native-resolution", REFUTED, "at 1,024 px, 2,048 px, 4,096 px, 8,192 px"),
        ("every-n-1500", REFUTED, "(n = 50 images)"),
        ("f32-completed", REFUTED, "figures of 5B-f32x128 as estimates"),
        ("psnr-4096-against-flux-1024", NOT_COMPARABLE, "4,096 px and 1,024 px"),
        ("fid-f16-against-f32-8192", NOT_COMPARABLE, "12 : 1 and 48 : 1"),
        ("challenge-768", Verdict.NOT_CHECKABLE, "released neither its images"),
        ("tokens-f16", CONFIRMED, "262,144"),
        ("window-16-times", CONFIRMED, "16×"),
        ("channels-flux", CONFIRMED, "16 values"),
        ("stride-f32x64", CONFIRMED, "32 px"),
    ],
)
def test_what_arithmetic_and_the_document_itself_decide(name: str, verdict: Verdict, words: str) -> None:
    assert evaluated(name).verdict == verdict
    assert words in evidence(name).replace(" tokens", "")


def test_a_document_that_did_not_contradict_itself_would_confirm_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_csv()
    for row in rows:
        if row["resolution"] == "8192" and row["samples"]:
            row["samples"] = "1500"
        if row["kind"] == "estimated":
            row["kind"] = "measured"
    monkeypatch.setattr("vitok_lib.published.study.read_csv", lambda: rows)
    write_published()
    for name in ("every-n-1500", "f32-completed"):
        assert evaluated(name).verdict == NOT_MEASURED


def test_the_smallest_count_is_the_discrepancy_and_an_estimate_counts_as_none() -> None:
    found = {name: evaluated(name).discrepancy for name in ("every-n-1500", "f32-completed", "native-resolution")}
    assert {name: (item.claimed, item.found) for name, item in found.items() if item} == {
        "every-n-1500": (1500, 50),
        "f32-completed": (1500, 0),
        "native-resolution": (1, 4),
    }
