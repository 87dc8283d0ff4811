"""Two built books are told apart by the numbers of their tables, whatever the words around them have become."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from pathlib import Path

import pytest

from vitok_lib.project import ROOT

SCRIPT = str(ROOT / "benchmarks" / "diff_books.py")
ROWS = [("nano-f16x64", "20.5 [19, 22]", "0.5"), ("nano-f16x32", "18.25", "0.4"), ("sum", "2", "none")]


def _page(
    book: Path, heads: Sequence[str] = ("Tokenizer", "PSNR, dB", "SSIM"), rows: Sequence[Sequence[str]] = ROWS
) -> Path:
    book.mkdir()
    head = "".join(f"<th>{text}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    (book / "index.html").write_text(f"<section><h2>Quality#</h2>{table}</section>", encoding="utf-8")
    return book


def _differences(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *books: Path
) -> tuple[list[str], object]:
    monkeypatch.setattr("sys.argv", ["diff_books.py", *map(str, books)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(SCRIPT, run_name="__main__")
    return capsys.readouterr().out.splitlines()[:-1], ended.value.code


def test_new_words_and_another_order_are_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _page(tmp_path / "old")
    words = [("total", "2", "not there"), *ROWS[:2]]
    new = _page(tmp_path / "new", ("Name", "PSNR in dB", "SSIM"), words)
    assert _differences(capsys, monkeypatch, old, new) == ([], 0)


@pytest.mark.parametrize(
    ("heads", "rows", "said"),
    [
        (("Tokenizer", "PSNR, dB", "SSIM"), [ROWS[0], ("nano-f16x32", "18.26", "0.4"), ROWS[2]], "18.25 -> 18.26"),
        (("Tokenizer", "PSNR, dB", "SSIM"), [("nano-f16x64", "20.5", "0.5"), *ROWS[1:]], "20.5 19 22 -> 20.5"),
        (("Tokenizer", "PSNR, dB", "SSIM"), ROWS[:2], "- row 'sum'"),
        (("Tokenizer", "PSNR, dB", "SSIM"), [*ROWS, ("new", "1", "2")], "+ row 'new'"),
        (("Tokenizer", "PSNR, dB"), [row[:2] for row in ROWS], "- column 'SSIM'"),
        (("Tokenizer", "PSNR, dB", "SSIM", "n"), [(*row, "6") for row in ROWS], "+ column 'n'"),
    ],
    ids=["value", "interval", "row-gone", "row-new", "column-gone", "column-new"],
)
def test_a_number_that_changed_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    said: str,
) -> None:
    lines, code = _differences(capsys, monkeypatch, _page(tmp_path / "old"), _page(tmp_path / "new", heads, rows))
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("index.html: Quality: ")
    assert said in lines[0]


def test_a_table_more_and_a_page_less_are_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = _page(tmp_path / "old"), _page(tmp_path / "new")
    (old / "memory.html").write_text("<p>1</p>", encoding="utf-8")
    (new / "index.html").write_text((new / "index.html").read_text() * 2, encoding="utf-8")
    lines, code = _differences(capsys, monkeypatch, old, new)
    assert code == 1
    assert lines == ["- page memory.html", "index.html: + table of 'Quality' (3 rows)"]


def test_a_row_of_the_same_numbers_under_another_name_is_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = [("one", *ROWS[0][1:]), ("two", *ROWS[1][1:]), ROWS[2]]
    new = _page(tmp_path / "new", rows=[*renamed, ("more", "7", "8")])
    lines, code = _differences(capsys, monkeypatch, _page(tmp_path / "old"), new)
    assert (lines, code) == (["index.html: Quality: + row 'more'"], 1)
