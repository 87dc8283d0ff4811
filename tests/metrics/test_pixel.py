"""PSNR and SSIM against other libraries and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr
from torchmetrics.functional.image import structural_similarity_index_measure

from vitok_lib.images.sets import open_image_set
from vitok_lib.metrics.pixel import from_uint8, psnr, ssim, to_uint8

SIZES = [(11, 11), (11, 40), (32, 45), (33, 45), (64, 48), (53, 97), (257, 31), (31, 600)]
"""Some higher than one strip of 32 rows, by exactly one row too."""


def _pair(height: int, width: int, noise: float = 12) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng([height, width])
    smooth = np.add.outer(np.sin(np.arange(height) / 9), np.cos(np.arange(width) / 7)) * 60 + 128
    original = np.clip(smooth[..., None] + rng.normal(0, 10, (height, width, 3)), 0, 255).round()
    other = np.clip(original + rng.normal(0, noise, original.shape), 0, 255).round()
    first, second = (torch.from_numpy(image.astype(np.uint8)).movedim(-1, 0) for image in (original, other))
    return first, second


def _rows(image: Tensor) -> np.ndarray:
    return image.movedim(0, -1).numpy()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_psnr_equals_that_of_scikit_image(size: tuple[int, int]) -> None:
    original, other = _pair(*size)
    assert psnr(original, other) == pytest.approx(peak_signal_noise_ratio(_rows(original), _rows(other)), abs=1e-9)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_psnr_equals_that_of_torchmetrics(size: tuple[int, int]) -> None:
    original, other = _pair(*size)
    expected = torchmetrics_psnr(other.double(), original.double(), data_range=255.0)
    assert psnr(original, other) == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("offset", [1, 2, 50, 255])
def test_a_constant_offset_has_the_psnr_of_its_square(offset: int) -> None:
    black = torch.zeros(3, 20, 30, dtype=torch.uint8)
    assert psnr(black, black + offset) == pytest.approx(20 * math.log10(255 / offset), abs=1e-12)


def test_psnr_counts_every_pixel_of_every_channel() -> None:
    original = torch.zeros(3, 4, 5, dtype=torch.uint8)
    other = original.clone()
    other[1, 2, 3] = 7
    assert psnr(original, other) == pytest.approx(10 * math.log10(255**2 * 60 / 49), abs=1e-12)


def test_equal_images_have_100_db() -> None:
    original, _ = _pair(20, 20)
    assert psnr(original, original) == 100


def test_nothing_is_above_equal_images() -> None:
    white = torch.full((3, 256, 256 * 3), 255, dtype=torch.uint8)
    other = white.clone()
    other[0, 0, 0] = 254
    assert 10 * math.log10(255**2 * white.numel()) > 100
    assert psnr(white, other) == 100


def test_psnr_is_symmetric() -> None:
    original, other = _pair(30, 30)
    assert psnr(original, other) == psnr(other, original)


def _torchmetrics_ssim(original: Tensor, other: Tensor) -> float:
    pair = [image[None].double() / 255 for image in (other, original)]
    return float(structural_similarity_index_measure(*pair, data_range=1.0))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("noise", [1, 40])
def test_ssim_equals_that_of_torchmetrics(size: tuple[int, int], noise: float) -> None:
    original, other = _pair(*size, noise=noise)
    found, expected = ssim(original, other), _torchmetrics_ssim(original, other)
    assert abs(found - expected) < 1e-9, f"differs by {abs(found - expected):.3g}"


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_ssim_equals_that_of_scikit_image(size: tuple[int, int]) -> None:
    original, other = _pair(*size)
    margins = [(5, 5), (5, 5), (0, 0)]  # scikit-image leaves out a border of 5 pixels
    expected = structural_similarity(
        *(np.pad(_rows(image), margins, mode="reflect") for image in (original, other)),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
        data_range=255,
    )
    assert ssim(original, other) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_a_photograph_equals_that_of_torchmetrics() -> None:
    original = torch.from_numpy(open_image_set("photos").load("astronaut", 300)).movedim(-1, 0)
    other = original // 16 * 16
    assert ssim(original, other) == pytest.approx(_torchmetrics_ssim(original, other), abs=1e-9)


def test_ssim_of_two_constants_is_its_luminance_term() -> None:
    dark, light = (torch.full((3, 20, 300), level, dtype=torch.uint8) for level in (51, 102))
    expected = (2 * 0.2 * 0.4 + 1e-4) / (0.2**2 + 0.4**2 + 1e-4)
    assert ssim(dark, light) == pytest.approx(expected, abs=1e-9)


def test_equal_images_have_ssim_1() -> None:
    original, _ = _pair(300, 40)
    assert ssim(original, original) == pytest.approx(1, abs=1e-12)


def test_an_inverted_image_has_negative_ssim() -> None:
    original, _ = _pair(64, 64)
    assert ssim(original, 255 - original) < 0


@pytest.mark.parametrize("size", [(10, 50), (50, 10), (1, 1)], ids=str)
def test_an_image_smaller_than_the_window_has_no_ssim(size: tuple[int, int]) -> None:
    assert math.isnan(ssim(*_pair(*size)))


def test_float32_holds_every_level() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(from_uint8(levels)), levels)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_images_are_rounded_once(dtype: torch.dtype) -> None:
    images = (torch.rand(3, 100, 100, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    assert torch.equal(to_uint8(images), to_uint8(images.float()))


def test_levels_are_rounded_and_not_cut() -> None:
    values = torch.tensor([-1, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 1 - 0.6 / 127.5, 1 - 0.4 / 127.5, 1])
    assert to_uint8(values).tolist() == [0, 0, 1, 254, 255, 255]


def test_values_outside_the_range_are_clamped() -> None:
    assert to_uint8(torch.tensor([-7.0, -1.001, 1.001, 7.0, math.inf, -math.inf])).tolist() == [0, 0, 255, 255, 255, 0]


def test_metrics_leave_their_images_alone() -> None:
    original, other = _pair(40, 40)
    before = original.clone(), other.clone()
    psnr(original, other), ssim(original, other)
    assert torch.equal(original, before[0])
    assert torch.equal(other, before[1])
