"""What a window and fewer blocks cost, on invented values whose differences are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from tests.fakes.reading import numbers_in, text_of
from tests.fakes.variations import VITOK, write_variations
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import variations
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.variations import variation_tables


def test_a_row_is_a_cost_and_two_windows_of_one_cost_are_compared_by_image(results: Path) -> None:
    write_variations(results, "window", "window-quality")
    ((title, table),) = variation_tables(load(), "window-quality")
    assert title.startswith(f"{VITOK} on")
    cells = [[plain(cell) for cell in row] for row in table.rows]
    assert [row[:3] for row in cells] == [["9", "4", "2d:1"], ["81", "40", "–"]]
    assert [numbers_in(cell)[0] for cell in table.rows[0][3:]] == pytest.approx([-0.3, -0.2, 0.1], abs=5e-4)
    assert numbers_in(table.rows[1][3]) == [0.0]
    ends = stats.t.interval(0.95, 2, 0.1, stats.sem([0.1, 0.2, 0.0]))
    assert f"[{ends[0]:.3f}, {ends[1]:.3f}]".replace("-", "−") in cells[0][5]
    assert "not significant" in cells[0][5]


def test_the_finding_compares_windows_of_one_cost_alone(results: Path) -> None:
    write_variations(results, "window", "window-quality")
    (sentence,) = variations.windows(load())
    assert "among 9 tokens" in text_of(sentence)
    assert numbers_in(sentence) == pytest.approx([-0.3, -0.2, 0.1], abs=5e-4)


def test_blocks_have_the_share_of_parameters_that_is_left(results: Path) -> None:
    write_variations(results, "blocks", "truncated-depth")
    ((_, table),) = variation_tables(load(), "truncated-depth")
    block, ends = 4 * 192**2 + 3 * 192 * 512 + 2 * 192 + 2 * 64, 2 * (768 * 192 + 192 * 64) + 192 + 64 + 192 + 768
    whole = 6 * block + ends
    shares = [100 * (count * block + ends) / whole for count in (4, 5, 0)]
    assert [plain(row[1]) for row in table.rows] == [f"{share:.0f} %" for share in shares]
    (sentence,) = variations.blocks(load())
    assert numbers_in(sentence) == pytest.approx([-0.2, -2.0, -5.5], abs=5e-4)


def test_a_benchmark_that_varies_no_setting_is_refused(results: Path) -> None:
    assert variation_tables(load(), "window-quality") == []
    with pytest.raises(RequestError, match="'windows' varies no setting; give one of window-quality, truncated-depth"):
        variation_tables(load(), "windows")
