"""PSNR against other libraries and closed forms, and the way to 8 bits and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from vitok_lib.errors import RequestError
from vitok_lib.metrics import pixel
from vitok_lib.metrics.pixel import (
    PIXEL_METRICS,
    from_uint8,
    image_metric,
    image_metrics,
    psnr,
    share_outside,
    to_uint8,
)
from vitok_lib.metrics.structure import ssim

SIZES = [(11, 11), (11, 40), (33, 45), (257, 31), (31, 600)]


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


def test_psnr_leaves_its_images_alone() -> None:
    original, other = _pair(40, 40)
    before = original.clone(), other.clone()
    psnr(original, other)
    assert torch.equal(original, before[0])
    assert torch.equal(other, before[1])


def test_the_conversions_leave_their_images_alone() -> None:
    images = torch.tensor([[-1.5, 0.3], [0.1, 1.5]])
    levels = torch.tensor([[0, 255]], dtype=torch.uint8)
    before = images.clone(), levels.clone()
    to_uint8(images), from_uint8(levels)
    assert torch.equal(images, before[0])
    assert torch.equal(levels, before[1])


@pytest.mark.parametrize("values", [1, 7, 100])
def test_the_strips_that_bound_the_memory_do_not_show(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(2, 3, 9, 13, generator=torch.Generator().manual_seed(0)) * 2.2 - 1.1
    original, other = _pair(9, 13)
    whole = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    decibels = peak_signal_noise_ratio(_rows(original), _rows(other))
    monkeypatch.setattr(pixel, "_STRIP_VALUES", values)
    assert torch.equal(to_uint8(images), whole)
    assert torch.equal(to_uint8(images.movedim(1, -1)), whole.movedim(1, -1))
    assert psnr(original, other) == pytest.approx(decibels, abs=1e-9)


def test_no_images_become_no_levels() -> None:
    assert to_uint8(torch.empty(0, 3, 8, 8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_share_outside_counts_what_the_clamp_moves(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.tensor([-1.5, -1, -0.5, 0, 1, 1.01, 3, 1], dtype=dtype).expand(3, 5, 8)
    assert share_outside(images) == 3 / 8
    monkeypatch.setattr(pixel, "_STRIP_VALUES", 10)
    assert share_outside(images) == 3 / 8


@pytest.mark.parametrize("name", PIXEL_METRICS)
def test_a_metric_of_single_images_is_found_by_its_name(name: str) -> None:
    assert image_metric(name, "cpu") is PIXEL_METRICS[name]


def test_metrics_that_share_work_are_what_each_is_alone_in_the_order_asked_for() -> None:
    original = torch.randint(0, 256, (3, 180, 200), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    other = original // 32 * 32
    names = ["ms-ssim", "delta-b", "psnr", "ssim", "ciede2000"]
    found = image_metrics(names, "cpu")(original, other)
    assert list(found) == names
    for name in names:
        assert image_metrics([name], "cpu")(original, other) == {name: found[name]}
    assert (found["psnr"], found["ssim"]) == (psnr(original, other), ssim(original, other))


def test_a_metric_that_is_not_of_single_images_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown metric of single images 'fid'"):
        image_metrics(["fid"], "cpu")
