"""The tables by image as plain data."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.reading import heads, row
from tests.fakes.records import write_measured
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain
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


def test_a_codec_stands_in_the_table_of_baselines_with_its_ratio_of_bits(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", "photos-256", {"psnr": [25.0, 26.0]})
    write_measured(results, "cpu", "jpeg:q=75", "photos-256", {"psnr": [28.0, 30.0], "bpp": [1.5, 1.5]})
    write_measured(results, "cpu", "pca-f16x64", "photos-512", {"psnr": [25.0, 26.0]})
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [24.0, 25.0]})
    table = by_image.baseline_table(load(), ["photos-256", "photos-512"], "psnr")
    assert heads(table) == ["Tokenizer", "Ratio", "photos-256", "photos-512"]
    assert list(row(table, "jpeg:q=75").values()) == [
        "jpeg:q=75",
        "16 : 1 in bits",
        "+3.50 [−2.85, 9.85]",
        "not measured",
    ]
    assert row(table, "nano-f16x64")["photos-512"] == "−1.00 [−1.00, −1.00]"


def test_a_codec_has_no_one_ratio_over_sets_on_which_it_differs(results: Path) -> None:
    for case, rate in (("photos-256", 1.5), ("photos-512", 1.0)):
        for name in ("pca-f16x64", "nano-f16x64"):
            write_measured(results, "cpu", name, case, {"psnr": [25.0, 26.0]})
        write_measured(results, "cpu", "jpeg:q=75", case, {"psnr": [28.0, 30.0], "bpp": [rate, rate]})
    table = by_image.baseline_table(load(), ["photos-256", "photos-512"], "psnr")
    assert row(table, "jpeg:q=75")["Ratio"] == "differs by set"
    assert row(table, "nano-f16x64")["Ratio"] == "12 : 1"
