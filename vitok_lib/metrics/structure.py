"""Structural similarity of an 8-bit image and its 8-bit reconstruction, at one scale and at five.

Local statistics are taken in float64 over strips of rows with the halo they need: the value is the whole image's,
the memory a strip's. Borders are reflected, as in torchmetrics 1.9 (before its change #2721 it left them out).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MINIMUM_SIDE_MULTISCALE = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)  # the coarsest scale still holds one window
_STABILISER_MEAN, _STABILISER_VARIANCE = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # (K₁ L)², (K₂ L)²
HALO = WINDOW // 2
_STRIP_ROWS = _BLOCK = 32  # a product with a band matrix of this size is faster than eleven passes over shifted views
_POOL_ROWS = 256


def ssim(original: Tensor, reconstruction: Tensor) -> float:
    """Structural similarity (Wang et al. 2004) of two uint8 ``[3, H, W]`` images; every pixel centres a window.

    Returns:
        The mean over windows and channels; NaN if a side has fewer than 11 pixels.
    """
    if min(original.shape[1:]) < WINDOW:
        return math.nan
    return _mean_similarity(original, reconstruction)


def ms_ssim(original: Tensor, reconstruction: Tensor) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003) of two uint8 ``[3, H, W]`` images.

    Contrast and structure at five scales, each half the one before (means of 2 × 2 pixels), over windows that lie
    inside the image; luminance at the coarsest. A negative mean counts as 0, as in torchmetrics.

    Returns:
        The product of the weighted scales; NaN if a side has fewer than 176 pixels.
    """
    if min(original.shape[1:]) < MINIMUM_SIDE_MULTISCALE:
        return math.nan
    product = 1.0
    for weight in SCALE_WEIGHTS[:-1]:
        product *= max(0.0, _mean_contrast(original, reconstruction)) ** weight
        original, reconstruction = _halved(original), _halved(reconstruction)
    coarsest = max(0.0, _mean_similarity(original, reconstruction))
    return float(product * coarsest ** SCALE_WEIGHTS[-1])


def _mean_similarity(original: Tensor, reconstruction: Tensor) -> float:
    total = original.new_zeros((), dtype=torch.float64)
    for _, luminance, structure in _strips(original, reconstruction):
        total += (luminance * structure).sum()
    return float(total) / original.numel()


def _mean_contrast(original: Tensor, reconstruction: Tensor) -> float:
    """The mean of the contrast and structure term over the windows that lie inside the image."""
    channels, height, width = original.shape
    total = original.new_zeros((), dtype=torch.float64)
    for first, _, structure in _strips(original, reconstruction):
        rows = slice(max(0, HALO - first), max(0, height - HALO - first))
        total += structure[rows, :, HALO : width - HALO].sum()
    return float(total) / (channels * (height - 2 * HALO) * (width - 2 * HALO))


def _halved(image: Tensor) -> Tensor:
    """Means of 2 × 2 pixels ``[3, H // 2, W // 2]``: float32 holds them exactly for four halvings of 8 bits."""
    channels, height, width = image.shape
    halved = torch.empty(channels, height // 2, width // 2, device=image.device)
    for source, target in zip(image.split(_POOL_ROWS, 1), halved.split(_POOL_ROWS // 2, 1), strict=False):
        target.copy_(F.avg_pool2d(source.float(), 2))
    return halved


def _strips(original: Tensor, reconstruction: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The number of a strip's first row, and its maps ``[rows, 3, W]`` of luminance and of contrast and structure."""
    height = original.shape[1]
    for first in range(0, height, _STRIP_ROWS):
        rows = _reflected(first - HALO, min(first + _STRIP_ROWS, height) + HALO, height).to(original.device)
        x, y = (
            F.pad(image.movedim(1, 0)[rows].double(), (HALO, HALO), mode="reflect")
            for image in (original, reconstruction)
        )
        mean_x, mean_y, squares, product = blurred(torch.stack([x, y, x * x + y * y, x * y], 1)).unbind(1)
        mean_squares, mean_product = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
        luminance = (2 * mean_product + _STABILISER_MEAN) / (mean_squares + _STABILISER_MEAN)
        variances = (squares - mean_squares).clamp(min=0)
        structure = (2 * (product - mean_product) + _STABILISER_VARIANCE) / (variances + _STABILISER_VARIANCE)
        yield first, luminance, structure


def _reflected(first: int, stop: int, size: int) -> Tensor:
    """Positions from ``first`` up to ``stop``, turned back where they leave 0…``size`` − 1."""
    positions = torch.arange(first, stop).abs()
    return torch.where(positions < size, positions, 2 * (size - 1) - positions)


def blurred(maps: Tensor) -> Tensor:
    """Gaussian means ``[h − 10, M, 3, w − 10]`` of ``[h, M, 3, w]``, along the columns and then along the rows."""
    rows, width = maps.shape[0] - 2 * HALO, maps.shape[3] - 2 * HALO
    vertical = (_band(rows, maps.device) @ maps.flatten(1)).unflatten(1, maps.shape[1:])
    blocks = F.pad(vertical, (0, -width % _BLOCK)).unfold(3, _BLOCK + 2 * HALO, _BLOCK)  # [rows, M, 3, blocks, 42]
    means = blocks.reshape(-1, _BLOCK + 2 * HALO) @ _band(_BLOCK, maps.device).T
    return means.view(*vertical.shape[:3], -1)[..., :width]


def _band(size: int, device: torch.device) -> Tensor:
    """The matrix ``[size, size + 10]`` whose product with a column of values is its Gaussian means."""
    offset = torch.arange(size + 2 * HALO) - torch.arange(size)[:, None] - HALO
    weights = torch.exp(-(offset.double() ** 2) / (2 * SIGMA**2)).masked_fill(offset.abs() > HALO, 0)
    return (weights / weights.sum(1, keepdim=True)).to(device)
