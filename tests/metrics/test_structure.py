"""SSIM at one scale and at five against other libraries and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from vitok_lib.images.sets import open_image_set
from vitok_lib.metrics import structure
from vitok_lib.metrics.structure import ms_ssim, ssim, structural_similarities

SIZES = [(11, 11), (11, 40), (32, 45), (33, 45), (64, 48), (53, 97), (257, 31), (31, 600)]
"""Some higher than one tile of 32 rows, by exactly one row too."""
MULTISCALE_SIZES = [(176, 176), (177, 201)]


def _pair(height: int, width: int, noise: float = 12) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng([height, width])
    smooth = np.add.outer(np.sin(np.arange(height) / 9), np.cos(np.arange(width) / 7)) * 60 + 128
    original = np.clip(smooth[..., None] + rng.normal(0, 10, (height, width, 3)), 0, 255).round()
    other = np.clip(original + rng.normal(0, noise, original.shape), 0, 255).round()
    first, second = (torch.from_numpy(image.astype(np.uint8)).movedim(-1, 0) for image in (original, other))
    return first, second


def _rows(image: Tensor) -> np.ndarray:
    return image.movedim(0, -1).numpy()


def _torchmetrics_ssim(original: Tensor, other: Tensor) -> float:
    pair = [image[None].double() / 255 for image in (other, original)]
    return float(structural_similarity_index_measure(*pair, data_range=1.0))


def _torchmetrics_ms_ssim(original: Tensor, other: Tensor) -> float:
    pair = [image[None].double() / 255 for image in (other, original)]
    return float(multiscale_structural_similarity_index_measure(*pair, data_range=1.0))


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


@pytest.mark.parametrize("kind", ["text", "ramp", "shift", "noise", "flat"])
def test_single_precision_of_large_images_is_right_to_a_millionth(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "_DOUBLE_PIXELS", 0)
    original, other = _hard_pair(kind, 64, 96)
    assert ssim(original, other) == pytest.approx(_torchmetrics_ssim(original, other), abs=1e-6)


@pytest.mark.parametrize("kind", ["text", "flat"])
def test_so_is_single_precision_in_tiles_of_a_gpu(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In which the value that is subtracted from all others is the mean of many more pixels."""
    monkeypatch.setattr(structure, "_DOUBLE_PIXELS", 0)
    monkeypatch.setattr(structure, "_CPU_TILE", structure._GPU_TILE)
    original, other = _hard_pair(kind, 2 * structure._GPU_TILE[0] + 20, 96)
    assert ssim(original, other) == pytest.approx(_torchmetrics_ssim(original, other), abs=1e-6)


def test_ms_ssim_of_large_images_is_right_to_a_millionth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "_DOUBLE_PIXELS", 0)
    original, other = _hard_pair("text", 176, 176)
    assert ms_ssim(original, other) == pytest.approx(_torchmetrics_ms_ssim(original, other), abs=1e-6)


def test_products_of_less_precision_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "_DOUBLE_PIXELS", 0)
    original, other = _hard_pair("noise", 64, 96)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert ssim(original, other) == pytest.approx(_torchmetrics_ssim(original, other), abs=1e-12)
    finally:
        torch.set_float32_matmul_precision(before)


def _hard_pair(kind: str, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Images in which variances are small beside the means, or one is far from the other."""
    rng = np.random.default_rng(7)
    page = np.full((3, height, width), 255.0)
    page[:, ::23] = page[:, :, ::17] = 0
    ramp = np.broadcast_to(np.linspace(0, 255, width), (3, height, width))
    first, second = {
        "text": (page, page + rng.normal(0, 6, page.shape)),
        "ramp": (ramp, ramp + 20),
        "shift": (ramp / 3, ramp / 3 + 150),
        "noise": (rng.uniform(0, 255, page.shape), rng.uniform(0, 255, page.shape)),
        "flat": (np.full_like(page, 255), 255 - np.abs(rng.normal(0, 1, page.shape))),
    }[kind]
    original, other = (torch.from_numpy(image.round().clip(0, 255).astype(np.uint8)) for image in (first, second))
    return original, other


@pytest.mark.parametrize("tile", [(50, 40), structure._GPU_TILE], ids=str)
def test_tiles_do_not_show(tile: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    original, other = _pair(180, 201)
    whole = structural_similarities(original, other, ["ssim", "ms-ssim"])
    monkeypatch.setattr(structure, "_CPU_TILE", tile)
    assert structural_similarities(original, other, ["ssim", "ms-ssim"]) == pytest.approx(whole, abs=1e-12)


def test_threads_change_no_digit_and_are_given_back() -> None:
    original, other = _pair(180, 176)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(structural_similarities(original, other, ["ssim", "ms-ssim"]))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_both_at_once_are_what_each_is_alone() -> None:
    original, other = _pair(177, 190)
    both = structural_similarities(original, other, ["ms-ssim", "ssim"])
    assert both == {"ms-ssim": ms_ssim(original, other), "ssim": ssim(original, other)}


def test_ssim_of_a_photograph_equals_that_of_torchmetrics() -> None:
    original = torch.from_numpy(open_image_set("photos").load("astronaut", 200)).movedim(-1, 0)
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


def test_ssim_leaves_its_images_alone() -> None:
    original, other = _pair(40, 40)
    before = original.clone(), other.clone()
    ssim(original, other)
    assert torch.equal(original, before[0])
    assert torch.equal(other, before[1])


@pytest.mark.parametrize("size", MULTISCALE_SIZES, ids=str)
@pytest.mark.parametrize("noise", [3, 40])
def test_ms_ssim_equals_that_of_torchmetrics(size: tuple[int, int], noise: float) -> None:
    original, other = _pair(*size, noise=noise)
    assert abs(ms_ssim(original, other) - _torchmetrics_ms_ssim(original, other)) < 1e-6


def test_the_strips_in_which_an_image_is_halved_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    original, other = _pair(300, 190)
    whole = ms_ssim(original, other)
    monkeypatch.setattr(structure, "_POOL_ROWS", 64)
    assert ms_ssim(original, other) == whole


def test_equal_images_have_ms_ssim_1() -> None:
    original, _ = _pair(180, 180)
    assert ms_ssim(original, original) == pytest.approx(1, abs=1e-12)


def test_an_inverted_image_has_ms_ssim_0() -> None:
    original, _ = _pair(180, 180)
    assert ms_ssim(original, 255 - original) == 0


@pytest.mark.parametrize("size", [(175, 400), (400, 175)], ids=str)
def test_an_image_whose_coarsest_scale_holds_no_window_has_no_ms_ssim(size: tuple[int, int]) -> None:
    assert math.isnan(ms_ssim(*_pair(*size)))
