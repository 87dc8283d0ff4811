"""``vitok export`` and ``vitok check --export``: files out, statuses, and one sentence for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.records import write_measured
from tests.fakes.terminal import status_of

Vitok = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vitok(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vitok:
    def run(*words: str) -> tuple[int, str, str]:
        status = status_of(monkeypatch, *words)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_an_export_is_written_checked_and_found_where_it_was_changed(
    results: Path, tmp_path: Path, vitok: Vitok
) -> None:
    for name in ("nano-f16x64", "pca-f16x64"):
        write_measured(results, "cpu", name, "photos-512", {"psnr": [30.0, 31.0]})
    path = tmp_path / "card.md"
    assert vitok("export", "--output", str(path)) == (0, "", "")
    status, printed, _ = vitok("export", "--images", "photos", "--resolution", "512")
    assert (status, printed) == (0, path.read_text())
    assert vitok("check", "--export", str(path))[:2] == (0, "")
    path.write_text(path.read_text().replace("512 px", "256 px", 1))
    status, printed, _ = vitok("check", "--export", str(path))
    assert (status, "mixes protocols: size rule" in printed) == (1, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "markdwon"], "unknown format 'markdwon'; did you mean markdown"),
        (["nano-f16"], "unknown recorded tokenizer 'nano-f16'; did you mean nano-f16x64"),
        (["--images", "leaves"], "no record of this project's own fits"),
        (["--resolution", "big"], "resolution 'big' must be a whole number"),
        (["--output", "/no/folder/file.md"], "cannot write '/no/folder/file.md'"),
        (["--dataset", "a/b"], "is for format hub-eval alone"),
        (["--format", "hub-eval"], "--dataset OWNER/NAME"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_2(
    results: Path, vitok: Vitok, words: list[str], sentence: str
) -> None:
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 31.0]})
    status, printed, error = vitok("export", *words)
    assert (status, printed, error.count("\n")) == (2, "", 1)
    assert sentence in error


def test_a_damaged_file_of_single_images_is_one_sentence(results: Path, vitok: Vitok) -> None:
    path = write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 31.0]})
    path.with_suffix(".parquet").write_bytes(b"PAR1")
    status, _, error = vitok("export")
    assert (status, error.count("\n")) == (2, 1)
    assert "cannot be read" in error
