"""``vitok latents``: a column a tokenizer, JSON for programs, and one sentence for what has no latent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.images import write_noise
from tests.fakes.terminal import status_of


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    folder = write_noise(tmp_path / "images", [(32, 48), (48, 32)])
    return ["latents", "pca-f16x64", "pca-f16x32", "--images", str(folder), "--resolution", "48"]


def test_the_table_has_a_column_for_each_tokenizer_and_the_json_its_records(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, *asked) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["pca-f16x64", "pca-f16x32"]
    assert ["outcome", "ok", "ok"] in lines
    assert status_of(monkeypatch, *asked, "--json") == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["tokenizer"] for row in rows] == ["pca-f16x64", "pca-f16x32"]
    assert all(row["n"] == 2 and "latent_std 95 %" in row for row in rows)
    assert printed.err.count("from a record") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["webp:q=80"], "'webp:q=80' has no latent of numbers: a codec writes a stream of bytes; take"),
        (["nano-f16"], "did you mean nano-f16x"),
        (["pca-f16x64", "--resolution", "0"], "not 0"),
        (["pca-f16x64", "--samples", "0"], "samples must be at least 1, not 0"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = write_noise(tmp_path / "images", [(32, 48)])
    assert status_of(monkeypatch, "latents", "--images", str(folder), "--resolution", "48", *words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
