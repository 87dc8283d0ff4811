"""Depth at one training budget, on invented seeds; intervals are compared with scipy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.fakes.depth import BY_SEED, START, write_depths
from tests.fakes.reading import numbers_in, text_of
from vitok_lib.report.data.depth import grids
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings.depth import trained
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.depth import depth_tables


def interval(values: list[float], comparisons: int = 1) -> str:
    """Of scipy; the sum of errors of all comparisons is 5 %."""
    ends = stats.t.interval(1 - 0.05 / comparisons, len(values) - 1, np.mean(values), stats.sem(values))
    digits = 2 if comparisons == 1 else 3
    return f"[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]".replace("-", "−")


def test_a_row_is_a_cell_with_the_interval_over_seeds_and_the_change_paired_by_seed(results: Path) -> None:
    write_depths(results)
    ((title, table),) = depth_tables(load())
    assert "at 256 px, study cpu" in title
    cells = {plain(row[0]): [plain(cell) for cell in row] for row in table.rows}
    assert list(cells) == ["2/2", "4/2", "2/4", "2/8"]
    for blocks, row in cells.items():
        assert interval(BY_SEED[blocks]) in row[4]
        learned = [end - start for end, start in zip(BY_SEED[blocks], START, strict=True)]
        assert interval(learned, comparisons=8) in row[5]
        if blocks != "2/2":
            differences = [one - other for one, other in zip(BY_SEED[blocks], BY_SEED["2/2"], strict=True)]
            said = "four to the start, three to the baseline, one pair of equal depth"
            assert interval(differences, comparisons=8) in row[6], said
            ends = interval(differences, comparisons=8)[1:-1].split(", ")
            assert ("not significant" in row[6]) == (ends[0].startswith("−") != ends[1].startswith("−"))
    assert [row[2] for row in cells.values()] == ["250", "166.7", "166.7", "100"]


def test_findings_name_the_best_depth_the_deepest_and_each_pair_of_one_depth(results: Path) -> None:
    write_depths(results)
    best, deepest, sides = trained(load())
    assert "2/4 has the highest mean PSNR" in text_of(best)
    assert numbers_in(best) == pytest.approx([1.0, 30.7, 3.1 / 3, 0.6], abs=5e-4)
    assert "2/8" in text_of(deepest)
    assert numbers_in(deepest) == pytest.approx([-0.7, -0.8 / 3], abs=5e-4)
    assert "With 6 blocks in all" in text_of(sides)
    assert numbers_in(sides) == pytest.approx([0.1], abs=5e-4)
    assert "not significant" in text_of(sides)


def test_cells_of_another_budget_or_study_are_no_cells_of_one_grid(results: Path) -> None:
    write_depths(results)
    write_depths(results, "other", budget=2.0)
    assert [[cell.entry.study for cell in grid.cells] for grid in grids(load())] == [["cpu"] * 4, ["other"] * 4]
