"""Metrics of an 8-bit image and its 8-bit reconstruction, and the way from a tokenizer's output to 8 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial

import torch
from torch import Tensor

from vitok_lib.errors import unknown
from vitok_lib.metrics.colour import COLOUR_METRICS, colour_differences
from vitok_lib.metrics.grid import grid_error
from vitok_lib.metrics.ssimulacra2 import ssimulacra2
from vitok_lib.metrics.structure import STRUCTURE_METRICS, ms_ssim, ssim, structural_similarities

PSNR_CAP = 100.0  # dB, of an image equal to its original
_STRIP_VALUES = 2**20  # values worked on at a time, which bounds the memory

ImageMetric = Callable[[Tensor, Tensor], float]
"""Of two uint8 ``[3, H, W]`` images on one device, the original first."""
ImageMetrics = Callable[[Tensor, Tensor], dict[str, float]]
"""The same for several metrics by their names."""


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] clamped and rounded to 8 bits: what every metric sees, for every tokenizer alike."""
    levels = torch.empty(images.shape, dtype=torch.uint8, device=images.device)
    wide = torch.promote_types(images.dtype, torch.float32)  # half precision cannot hold 256 levels
    for source, target in zip(_strips(images), _strips(levels), strict=True):
        target.copy_(source.to(wide).clamp(-1, 1).add_(1).mul_(127.5).round_())
    return levels


def from_uint8(images: Tensor) -> Tensor:
    """8-bit images as float32 in [-1, 1]."""
    return images.to(torch.float32, copy=True).div_(127.5).sub_(1)


def psnr(original: Tensor, reconstruction: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 ``[3, H, W]`` images; 100 dB if they are equal."""
    total = torch.zeros((), dtype=torch.int64, device=original.device)
    for x, y in zip(_strips(original), _strips(reconstruction), strict=True):
        total += (x.to(torch.int32) - y.to(torch.int32)).square_().sum(dtype=torch.int64)
    squares = int(total)
    if squares == 0:
        return PSNR_CAP
    return min(PSNR_CAP, 10 * math.log10(255**2 * original.numel() / squares))


def share_outside(images: Tensor) -> float:
    """The share of the values of ``images`` that the clamp of :func:`to_uint8` moves: those outside [-1, 1]."""
    outside = sum(int((strip.abs() > 1).sum()) for strip in _strips(images))
    return outside / images.numel()


def _strips(images: Tensor) -> tuple[Tensor, ...]:
    """Views of ``images`` along its longest side."""
    longest = max(range(images.ndim), key=lambda axis: images.shape[axis])
    rows = max(1, _STRIP_VALUES * images.shape[longest] // max(1, images.numel()))
    strips: tuple[Tensor, ...] = images.split(rows, longest)
    return strips


PIXEL_METRICS: dict[str, ImageMetric] = {
    "psnr": psnr,
    "ssim": ssim,
    "ms-ssim": ms_ssim,
    "ssimulacra2": ssimulacra2,
}
GRID = "grid-error"
_SHARING: tuple[tuple[Collection[str], Callable[[Tensor, Tensor, Sequence[str]], dict[str, float]]], ...] = (
    (STRUCTURE_METRICS, structural_similarities),
    (COLOUR_METRICS, colour_differences),
)
"""Metrics that share work, and what computes those asked for at once."""


def image_metrics(names: Sequence[str], device: str, period: int | None = None) -> ImageMetrics:
    """All metrics of single images in ``names``, in that order, as :func:`image_metric` gives each.

    Raises:
        RequestError: there is no such metric, or its network cannot be loaded.
    """
    together = [(compute, [name for name in names if name in members]) for members, compute in _SHARING]
    shared = {name for _, group in together for name in group}
    alone = {name: image_metric(name, device, period) for name in names if name not in shared}

    def measured(original: Tensor, reconstruction: Tensor) -> dict[str, float]:
        found = {name: metric(original, reconstruction) for name, metric in alone.items()}
        for compute, group in together:
            found |= compute(original, reconstruction, group) if group else {}
        return {name: found[name] for name in names}

    return measured


def image_metric(name: str, device: str, period: int | None = None) -> ImageMetric:
    """The metric of single images called ``name``, ready for images on ``device``; networks are loaded here.

    Those of colour are among :func:`image_metrics` alone.

    Args:
        period: pixels a side of the patches of a tokenizer, for the error at their grid.

    Raises:
        RequestError: there is no such metric, or its network cannot be loaded.
    """
    from vitok_lib.metrics.perceptual import PERCEPTUAL_METRICS

    if name == GRID:
        return partial(grid_error, period=period)
    if name in PIXEL_METRICS:
        return PIXEL_METRICS[name]
    if name in PERCEPTUAL_METRICS:
        return PERCEPTUAL_METRICS[name](device)
    raise unknown("metric of single images", name, [*PIXEL_METRICS, GRID, *PERCEPTUAL_METRICS])
