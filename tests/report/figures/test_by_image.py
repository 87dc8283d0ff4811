"""Figures of single images, by the words that say what they show, against numbers done by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures.by_image import by_image, paired_images

CASE, FIRST, SECOND = "photos-512", "nano-f16x64", "pca-f16x64"


@pytest.fixture
def two(results: Path) -> Path:
    write_measured(results, "cpu", FIRST, CASE, {"psnr": [30.0, 20.0, 40.0], "lpips": [0.1, 0.3, 0.2]})
    write_measured(results, "cpu", SECOND, CASE, {"psnr": [29.0, 22.0, 35.0], "lpips": [0.2, 0.2, 0.4]})
    return results


def test_the_spread_of_each_tokenizer_is_told(two: Path) -> None:
    drawing = by_image(load(), [CASE], "psnr")
    assert f"{CASE}, {FIRST}: median 30.00 from 20.00 to 40.00, 3 images" in drawing.alternative
    assert f"{CASE}, {SECOND}: median 29.00 from 22.00 to 35.00, 3 images" in drawing.alternative
    assert drawing.svg == by_image(load(), [CASE], "psnr").svg


def test_an_image_without_a_value_is_left_out(results: Path) -> None:
    write_measured(results, "cpu", FIRST, CASE, {"psnr": [30.0, float("nan"), 40.0]})
    assert "median 35.00 from 30.00 to 40.00, 2 images" in by_image(load(), [CASE], "psnr").alternative


def test_a_paired_difference_is_told_with_its_mean(two: Path) -> None:
    told = paired_images(load(), [CASE], "psnr", [FIRST, SECOND]).alternative
    assert "the mean difference is +1.33 [" in told
    assert "above zero on 2 of 3 images" in told
    backwards = paired_images(load(), [CASE], "psnr", [SECOND, FIRST]).alternative
    assert "the mean difference is −1.33 [" in backwards


def test_what_cannot_be_paired_is_refused(two: Path) -> None:
    with pytest.raises(RequestError, match="needs two ':tokenizers:', not 1"):
        paired_images(load(), [CASE], "psnr", [FIRST])
    with pytest.raises(RequestError, match="no record of nano-f32x64 keeps the 'psnr'"):
        paired_images(load(), [CASE], "psnr", [FIRST, "nano-f32x64"])
