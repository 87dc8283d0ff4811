"""CSV files of tables: read back by another reader, they say what the page says."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest

from vitok_lib.records.schema import Kind
from vitok_lib.report.page.content import NOT_MEASURED, Head, Link, Note, Number, Sentence, Table
from vitok_lib.report.page.csv import csv_text, write_csv


def _number(text: str, interval: str | None = None, *, ended: bool = False) -> Number:
    return Number(text, Kind.MEASURED, "tip", anchor="record-a", interval=interval, ended=ended)


def _read(data: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(data))))


def _table(*cells: Sentence) -> Table:
    return Table([[Head("Tokenizer"), Head("PSNR, dB")]], [[("t",), cell] for cell in cells])


def test_a_value_has_its_facets_beside_it() -> None:
    (row,) = _read(_table((_number("1,024.5", "[−1.0, 2,000]"),)))
    assert row == {
        "Tokenizer": "t",
        "PSNR, dB": "1024.5",
        "PSNR, dB: low": "-1.0",
        "PSNR, dB: high": "2000",
        "PSNR, dB: evidence level": "measured",
        "PSNR, dB: record": "runs.html#record-a",
    }


def test_oom_not_measured_and_nothing_are_told_apart() -> None:
    rows = _read(_table((_number("OOM, 3 of 5", ended=True),), (Note(NOT_MEASURED),), (), (_number("3"),)))
    assert [row["PSNR, dB"] for row in rows] == ["OOM, 3 of 5", "not measured", "", "3"]


def test_two_rows_of_headings_become_one() -> None:
    heads = [[Head("", span=1), Head("PSNR, dB", span=2)], [Head("Tokenizer"), Head("page"), Head("measured here")]]
    data = Table(heads, [[(Link("t", "a"),), ("x",), ("y",)]])
    assert list(_read(data)[0]) == ["Tokenizer", "PSNR, dB: page", "PSNR, dB: measured here"]


def test_a_file_name_is_no_formula() -> None:
    data = Table([[Head("Image")]], [[('=HYPERLINK("http://x")',)], [("plain",)]])
    assert [row["Image"] for row in _read(data)] == ['\'=HYPERLINK("http://x")', "plain"]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("−3.25", -3.25),
        ("+0.4 dB", 0.4),
        ("1,234,567", 1234567),
        ("64 : 1", 64),
        ("1.2·10⁻⁴", 1.2e-4),
        ("−∞", -math.inf),
        ("undefined", None),
    ],
)
def test_the_amount_of_a_text(text: str, amount: float | None) -> None:
    assert _number(text).amount == amount


def test_an_unchanged_file_keeps_its_time(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "t.csv"
    write_csv(_table(("a",)), file)
    before = file.stat().st_mtime_ns
    write_csv(_table(("a",)), file)
    assert file.stat().st_mtime_ns == before
    write_csv(_table(("b",)), file)
    assert "b" in file.read_text()
