"""The error at the patch grid: planted grids against their closed form, and errors without one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vitok_lib.metrics import grid
from vitok_lib.metrics.grid import grid_error

SIDE = 640


def _with_error(error: np.ndarray) -> tuple[Tensor, Tensor]:
    """A mid-grey image and the same with ``error`` ``[3, H, W]`` in levels, rounded."""
    original = torch.full(error.shape, 128, dtype=torch.uint8)
    return original, torch.from_numpy((128 + error).round().clip(0, 255).astype(np.uint8))


def _noise(height: int = SIDE, width: int = SIDE, sigma: float = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, (3, height, width))


def _ratio(error: np.ndarray, period: int) -> float:
    return grid_error(*_with_error(error), period=period)


@pytest.mark.parametrize("period", [4, 8, 14, 16, 32, 64])
def test_a_planted_cosine_gives_its_closed_form(period: int) -> None:
    amplitude, variance = 3, 8**2 + 1 / 12  # rounding to levels adds a twelfth
    error = _noise() + amplitude * np.cos(2 * math.pi * np.arange(SIDE) / period)
    window = 256 // period * period
    expected = 1 + window * amplitude**2 / (8 * (period // 2) * variance)
    assert _ratio(error, period) == pytest.approx(expected, rel=0.04)
    assert _ratio(error.swapaxes(1, 2), period) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("period", [8, 16, 32])
def test_noise_has_no_grid(period: int) -> None:
    assert _ratio(_noise(), period) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("period", [8, 16, 32])
def test_an_error_that_is_smooth_and_not_periodic_has_no_grid(period: int) -> None:
    spectrum = np.fft.fft2(_noise(1024, 1024))
    steps = np.hypot(*np.meshgrid(np.fft.fftfreq(1024), np.fft.fftfreq(1024)))
    error = np.fft.ifft2(spectrum / np.maximum(steps, 1 / 1024)).real  # power falls with the square of frequency
    assert _ratio(12 * error / error.std(), period) == pytest.approx(1, abs=0.08)


def test_a_grid_of_another_period_is_not_counted() -> None:
    error = _noise() + 6 * np.cos(2 * math.pi * np.arange(SIDE) * 7 / 256)
    assert _ratio(error, 16) == pytest.approx(1, abs=0.03)


def test_speckle_that_every_patch_repeats_is_a_grid() -> None:
    rng = np.random.default_rng(1)
    speckle = rng.normal(0, 6, (3, 16, 16))  # the same pattern in every patch
    assert _ratio(_noise() + np.tile(speckle, (1, SIDE // 16, SIDE // 16)), 16) > 2


@pytest.mark.parametrize(
    ("size", "period"), [((255, 400), 16), ((400, 255), 16), ((300, 300), 1), ((300, 300), 128), ((300, 300), None)]
)
def test_what_has_no_value(size: tuple[int, int], period: int | None) -> None:
    assert math.isnan(grid_error(*_with_error(_noise(*size)), period=period))


def test_equal_images_have_no_value() -> None:
    image = torch.zeros(3, 300, 300, dtype=torch.uint8)
    assert math.isnan(grid_error(image, image, period=16))


def test_the_strips_that_bound_the_memory_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    error = _noise(300, 411)
    whole = _ratio(error, 16)
    monkeypatch.setattr(grid, "_STRIP_ROWS", 37)
    assert _ratio(error, 16) == pytest.approx(whole, rel=1e-6)
