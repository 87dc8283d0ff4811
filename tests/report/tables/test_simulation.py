"""What the intervals cover in simulation, as Methods shows it: the file, and the bounds that it has to keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vitok_lib.metrics
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.page.content import Number, plain
from vitok_lib.report.tables import runs

FILE = Path(vitok_lib.metrics.__file__).with_name("coverage.json")
ROWS = json.loads(FILE.read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["of"] == "mean"], ids=str)
def test_students_interval_covers_what_is_asked_and_the_percentile_bootstrap_does_not(row: dict[str, Any]) -> None:
    least = 0.90 if "log-normal" in str(row["values"]) else 0.94
    if row["method"] == "Student's t":
        assert row["share"] >= least
    elif row["n"] <= 8:
        assert row["share"] < least


def test_the_interval_of_a_share_covers_it_and_students_does_not_where_nearly_all_succeed() -> None:
    found = [row for row in ROWS if row["of"] == "share"]
    assert min(row["share"] for row in found if row["method"] == "Clopper & Pearson") >= 0.95
    nearly_all = [row for row in found if row["values"].endswith("0.98") and row["method"] == "Student's t"]
    assert max(row["share"] for row in nearly_all if row["n"] <= 24) < 0.8


def test_few_tables_of_equal_tokenizers_hold_a_significant_difference() -> None:
    found = [row for row in ROWS if row["of"].startswith("false") and row["method"] == "Student's t"]
    assert {row["n"] for row in found} == {5, 6, 8, 24, 100}
    assert max(row["share"] for row in found) <= 0.06


def test_a_distance_extrapolated_has_an_interval_only_where_it_covers() -> None:
    shown = [row["share"] for row in ROWS if row["of"].startswith("FD∞") and row["method"] == "jackknife"]
    hidden = [row["share"] for row in ROWS if row["of"].startswith("FD∞") and row["method"] != "jackknife"]
    assert min(shown) >= 0.94
    assert min(hidden) < 0.1


def test_the_table_shows_every_share_with_its_repetitions_and_its_command() -> None:
    table = runs.simulation_table()
    shown = [part for row in table.rows for cell in row for part in cell if isinstance(part, Number)]
    assert sorted(number.text for number in shown) == sorted(f"{row['share']:.3f}" for row in ROWS)
    assert {number.kind for number in shown} == {Kind.MEASURED}
    assert shown[0].tip.endswith("python benchmarks/coverage.py")
    (first,) = [row["share"] for row in ROWS if row["of"] == "median of rounds" and row["n"] == 6]
    (row,) = [row for row in table.rows if plain(row[0]) == "median of rounds, n = 6"]
    assert [plain(cell) for cell in row[3:]] == ["", "", "", "", "", f"{first:.3f}"]


def test_a_simulation_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runs.vitok_lib, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(RequestError, match=r"coverage\.json.*run benchmarks/coverage\.py"):
        runs.simulation_table()
