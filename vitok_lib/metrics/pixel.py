"""Pixel metrics of an 8-bit image and its 8-bit reconstruction."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

PSNR_CAP = 100.0  # dB, of an image equal to its original
WINDOW, SIGMA = 11, 1.5
_STABILISER_MEAN, _STABILISER_VARIANCE = 0.01**2, 0.03**2  # K₁², K₂² at data range 1
_HALO = WINDOW // 2
_STRIP_ROWS = 32  # small enough for the maps of a strip to stay in the cache


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] clamped and rounded to 8 bits: what every metric sees, for every tokenizer alike."""
    wide = images.to(torch.promote_types(images.dtype, torch.float32))  # half precision cannot hold 256 levels
    return ((wide.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_uint8(images: Tensor) -> Tensor:
    """8-bit images as float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def psnr(original: Tensor, reconstruction: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 ``[3, H, W]`` images; 100 dB if they are equal."""
    difference = original.to(torch.int32) - reconstruction.to(torch.int32)
    squares = int(difference.square().sum(dtype=torch.int64))
    if squares == 0:
        return PSNR_CAP
    return min(PSNR_CAP, 10 * math.log10(255**2 * difference.numel() / squares))


def ssim(original: Tensor, reconstruction: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) of two uint8 ``[3, H, W]`` images.

    Every pixel is the centre of a window, with the image reflected at its borders, as in torchmetrics 1.9
    (before its change #2721 it left the borders out). The Gaussian is applied along each axis in turn, in
    float64, over strips of rows with the halo they need: the value is the whole image's, the memory a strip's.

    Returns:
        The mean over windows and channels; NaN if a side has fewer than 11 pixels.
    """
    height, width = original.shape[1:]
    if min(height, width) < WINDOW:
        return math.nan
    total = 0.0
    for first in range(0, height, _STRIP_ROWS):
        rows = _reflected(first - _HALO, min(first + _STRIP_ROWS, height) + _HALO, height).to(original.device)
        total += _ssim_sum(original[:, rows], reconstruction[:, rows])
    return total / original.numel()


def _reflected(first: int, stop: int, height: int) -> Tensor:
    """Row numbers from ``first`` up to ``stop``, turned back where they leave the image."""
    rows = torch.arange(first, stop).abs()
    return torch.where(rows < height, rows, 2 * (height - 1) - rows)


def _ssim_sum(original: Tensor, reconstruction: Tensor) -> float:
    """The sum of local SSIM over every window of a strip that has its halo of rows."""
    x, y = (F.pad(strip.double() / 255, (_HALO, _HALO, 0, 0), mode="reflect") for strip in (original, reconstruction))
    mean_x, mean_y, square_x, square_y, product = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    variances = (square_x - mean_x**2).clamp(min=0) + (square_y - mean_y**2).clamp(min=0)
    covariance = product - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _STABILISER_MEAN) / (mean_x**2 + mean_y**2 + _STABILISER_MEAN)
    structure = (2 * covariance + _STABILISER_VARIANCE) / (variances + _STABILISER_VARIANCE)
    return float((luminance * structure).sum())


def _blur(maps: Tensor) -> Tensor:
    """Gaussian means ``[M, 3, h − 10, w − 10]`` of ``[M, 3, h, w]``."""
    distance = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    kernel = torch.exp(-(distance**2) / (2 * SIGMA**2))
    weights: list[float] = (kernel / kernel.sum()).tolist()
    return _weighted_sum(_weighted_sum(maps, weights, axis=2), weights, axis=3)


def _weighted_sum(maps: Tensor, weights: list[float], axis: int) -> Tensor:
    """Correlation along one axis as a sum of shifted views; a float64 convolution would copy each window."""
    size = maps.shape[axis] - len(weights) + 1
    total = maps.narrow(axis, 0, size) * weights[0]
    for shift, weight in enumerate(weights[1:], start=1):
        total.add_(maps.narrow(axis, shift, size), alpha=weight)
    return total


PIXEL_METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {"psnr": psnr, "ssim": ssim}
