"""SSIMULACRA 2 against the Python package ssimulacra2, which is written without torch and without strips."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from ssimulacra2 import compute_ssimulacra2
from torch import Tensor

from vitok_lib.images.sets import open_image_set
from vitok_lib.metrics import ssimulacra2 as module
from vitok_lib.metrics.ssimulacra2 import ssimulacra2

SIZES = [(8, 8), (9, 17), (33, 96), (131, 77), (200, 31)]
"""Of one scale to four; higher than a strip of 32 rows by one row too."""


def _photo(height: int, width: int) -> Image.Image:
    return Image.fromarray(open_image_set("photos").load("astronaut", 300)[:height, :width])


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).movedim(-1, 0)


def _value(original: Image.Image, other: Image.Image) -> float:
    return ssimulacra2(_tensor(original), _tensor(other))


def _of_the_package(original: Image.Image, other: Image.Image) -> float:
    streams = io.BytesIO(), io.BytesIO()
    for image, stream in zip((original, other), streams, strict=True):
        image.save(stream, "PNG")
    return float(compute_ssimulacra2(*streams))


def _noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 20, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.array(image) + noise, 0, 255).astype(np.uint8))


CHANGES = {
    "jpeg": lambda image: _jpeg(image, 30),
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "noise": _noisy,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_photograph_at_six_scales_has_the_value_of_the_package(change: str) -> None:
    original = _photo(260, 257)
    other = CHANGES[change](original)
    assert _value(original, other) == pytest.approx(_of_the_package(original, other), abs=1e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_small_or_odd_image_has_the_value_of_the_package(size: tuple[int, int]) -> None:
    original = _photo(*size)
    other = _jpeg(original, 20)
    assert _value(original, other) == pytest.approx(_of_the_package(original, other), abs=1e-4)


def test_equal_images_have_100() -> None:
    original = _photo(100, 90)
    assert _value(original, original) == 100


def test_a_better_jpeg_has_a_higher_value() -> None:
    original = _photo(200, 200)
    values = [_value(original, _jpeg(original, quality)) for quality in (10, 50, 90)]
    assert values[0] < values[1] < values[2] < 100


@pytest.mark.parametrize("size", [(7, 40), (40, 7), (1, 1)], ids=str)
def test_an_image_with_a_side_below_8_px_has_no_value(size: tuple[int, int]) -> None:
    original = _photo(*size)
    assert math.isnan(_value(original, original))


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    original, other = (
        torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, 1024, 64), np.uint8)) for seed in (1, 2)
    )
    values = []
    for rows in (64, 1024):
        monkeypatch.setattr(module, "_STRIP_ROWS", rows)
        monkeypatch.setattr(module, "_POOL_ROWS", rows)
        values.append(ssimulacra2(original, other))
    assert values[0] == pytest.approx(values[1], rel=1e-9)
