"""The tables by image as plain data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.reading import heads, row
from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Table, plain
from vitok_lib.report.sphinx.catalogue import pairs
from vitok_lib.report.sphinx.directives import Picture
from vitok_lib.report.sphinx.request import Request
from vitok_lib.report.tables import by_image


def test_image_table_holds_each_image_of_each_tokenizer(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "challenge-384", {"psnr": [30.0, 20.0]})
    write_measured(results, "cpu", "pca-f16x64", "challenge-384", {"psnr": [29.0, 21.0]})
    table = by_image.image_table(load(), "challenge-384", "psnr")
    assert [[plain(cell) for cell in line] for line in table.rows] == [
        ["image-0", "30.00", "29.00"],
        ["image-1", "20.00", "21.00"],
    ]


def test_an_image_too_small_for_a_metric_is_not_measured(results: Path) -> None:
    for name in ("nano-f16x64", "pca-f16x64"):
        write_measured(results, "cpu", name, "challenge-384", {"ms-ssim": [0.9, float("nan")]})
    table = by_image.image_table(load(), "challenge-384", "ms-ssim")
    assert [plain(cell) for cell in table.rows[1]] == ["image-1", "not measured", "not measured"]


def test_the_table_of_baselines_holds_what_is_of_their_rate(results: Path) -> None:
    for case, rate in (("photos-256", 1.5), ("photos-512", 4.1)):
        write_measured(results, "cpu", "pca-f16x64", case, {"psnr": [25.0, 26.0]})
        write_measured(results, "cpu", "jpeg:q=75", case, {"psnr": [28.0, 30.0], "bpp": [rate, rate]})
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [24.0, 25.0]})
    write_measured(results, "cpu", "nano-f32x64", "photos-512", {"psnr": [22.0, 23.0]})
    table = by_image.baseline_table(load(), ["photos-512"], "psnr")
    assert heads(table) == ["Tokenizer", "photos-512, n = 2"]
    assert "Δ PSNR, dB" in plain(table.notes[0])
    assert [plain(cells[0]) for cells in table.rows] == ["jpeg:q=75", "nano-f16x64"]
    assert row(table, "nano-f16x64")["photos-512, n = 2"].startswith("−1.00 [")
    both = by_image.baseline_table(load(), ["photos-256", "photos-512"], "psnr")
    assert row(both, "jpeg:q=75")["photos-256"] == "other rate"
    assert row(both, "nano-f16x64")["photos-256"] == "not measured"
    with pytest.raises(RequestError, match="shares protocol and rate with a PCA baseline"):
        by_image.baseline_table(load(), ["photos-256"], "psnr")


@pytest.mark.parametrize(("images", "tested"), [(20, True), (19, False)])
def test_all_pairs_are_tested_from_20_images_on_and_of_fewer_each_image_is_shown(
    results: Path, images: int, tested: bool
) -> None:
    for name, level in {"nano-f16x64": 30.0, "pca-f16x64": 29.0}.items():
        write_measured(results, "cpu", name, "photos-512", {"psnr": [level + index % 3 for index in range(images)]})
    shown = pairs(Request("pairs-table", ["photos-512"], {}, load()))
    assert isinstance(shown[-1], Table) == tested
    assert isinstance(shown[-1], Picture) != tested
