"""The document against itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.claims import evaluated, evidence
from vitok_lib.published.study import read_csv, write_published
from vitok_lib.report.claims.verdict import Verdict

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED
BEST = "state-of-the-art"
Publish = Callable[[dict[tuple[str, str], str]], None]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[tuple[str, str], str]], None]:
    """Publishes the document with other values at 1024 px: by tokenizer and quantity of the CSV."""

    def write(values: dict[tuple[str, str], str]) -> None:
        rows = read_csv()
        for row in rows:
            if (row["source"], row["resolution"]) == ("evaluation-summary", "1024"):
                row["value"] = values.get((row["tokenizer"], row["quantity"]), row["value"])
        monkeypatch.setattr("vitok_lib.published.study.read_csv", lambda: rows)
        write_published()

    return write


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("psnr-4096-against-flux-1024", NOT_COMPARABLE, "4,096 px and 1,024 px"),
        ("fid-8192-against-4096", NOT_COMPARABLE, "a rank of at most 49"),
        ("fid-f16-against-f32-8192", NOT_COMPARABLE, "n = 50 and n = 1,500"),
        ("native-resolution", REFUTED, "at 1,024 px, 2,048 px, 4,096 px, 8,192 px"),
        ("every-n-1500", REFUTED, "(n = 50)"),
        ("f32-completed", REFUTED, "figures of 5B-f32x128 as estimates"),
        ("throughput-of-models-1024", NOT_COMPARABLE, "ratio is 6.66×"),
        ("memory-falls", NOT_COMPARABLE, "4,096 at the first resolution and 65,536 at the second"),
        ("memory-float8", REFUTED, "fall by 4.652 GiB"),
        ("tokens-f16", CONFIRMED, "262,144"),
        ("window-16-times", CONFIRMED, "16×"),
        ("facts-flux", CONFIRMED, "16 values"),
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
    for name in ("every-n-1500", "f32-completed", "fid-f16-against-f32-8192"):
        assert evaluated(name).verdict == NOT_MEASURED


@pytest.mark.parametrize("fdd", ["0.44", "0.0001", "9.0"])
def test_who_is_best_is_not_decided_by_a_distance_that_it_was_trained_with(publish: Publish, fdd: str) -> None:
    publish({("flux", "fdd"): fdd})
    assert evaluated(BEST).verdict == NOT_MEASURED
    assert "FDD ranks nothing here. FD, DINOv3 is not independent of 5B-f16x64" in evidence(BEST)
    assert "first on div8k-1024 by PSNR, SSIM, FID; that is no measurement" in evidence(BEST)
    assert "On div8k-2048, div8k-4096 it gives no other figure" in evidence(BEST)


@pytest.mark.parametrize(("quantity", "value"), [("psnr_db", "34.0"), ("ssim", "0.94"), ("fid", "0.34")])
def test_who_is_best_is_refuted_by_any_independent_column(publish: Publish, quantity: str, value: str) -> None:
    publish({("flux", quantity): value})
    assert (evaluated(BEST).verdict, evaluated(BEST).basis) == (REFUTED, "the document itself")


def test_an_estimate_that_lies_ahead_refutes_nothing(publish: Publish) -> None:
    publish({("5B-f16x32", "psnr_db"): "50.0"})
    assert evaluated(BEST).verdict == NOT_MEASURED
