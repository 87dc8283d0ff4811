"""How many images a mean and a paired difference need, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # ships no types

from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.images_needed import images_needed_table


def test_a_row_a_tokenizer_and_one_a_difference_to_the_baseline(results: Path) -> None:
    hard = np.linspace(20, 30, 8)
    write_measured(results, "cpu", "pca-f16x64", "challenge-384", {"psnr": list(hard)})
    own = hard + np.tile([0.1, -0.1], 4)
    write_measured(results, "cpu", "nano-f16x64", "challenge-384", {"psnr": list(own)})
    table = images_needed_table(load(), "challenge-384", "psnr")
    rows = {plain(row[0]): [plain(cell) for cell in row[1:]] for row in table.rows}
    assert list(rows) == ["nano-f16x64", "pca-f16x64", "nano-f16x64 minus pca-f16x64"]
    for title, values in (("pca-f16x64", hard), ("nano-f16x64 minus pca-f16x64", own - hard)):
        count, deviation, *needed = rows[title]
        assert count == "8"
        assert float(deviation.split()[0]) == pytest.approx(values.std(ddof=1), rel=0.01)
        for margin, text in zip((0.5, 0.1, 0.05), needed, strict=True):
            n = int(text.split()[0].replace(",", ""))
            width = stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
            assert width <= margin, (title, margin)


def test_a_single_image_says_nothing(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", "challenge-384", {"psnr": [20.0]})
    with pytest.raises(RequestError, match="keeps the 'psnr' of two images or more"):
        images_needed_table(load(), "challenge-384", "psnr")
