"""Structural similarity of an 8-bit image and its 8-bit reconstruction, at one scale and at five.

Local statistics are taken over tiles with the halo they need: the value is the whole image's, the memory a tile's.
Borders are reflected, as in torchmetrics 1.9 (before its change #2721 it left them out).

With s = x + y and d = x − y the luminance term is 1 − 2 μ_d² / (μ_s² + μ_d² + 2 C₁), and the contrast and structure
term 1 − 2 σ_d² / (σ_s² + σ_d² + 2 C₂): four local means instead of five, and rounding that falls with the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MINIMUM_SIDE_MULTISCALE = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)  # the coarsest scale still holds one window
STRUCTURE_METRICS = ("ssim", "ms-ssim")
_STABILISER_MEAN, _STABILISER_VARIANCE = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # (K₁ L)², (K₂ L)²
HALO = WINDOW // 2
_BLOCK = 32  # a product with a band matrix of this size is faster than eleven passes over shifted views
_CPU_TILE, _GPU_TILE = (32, 1024), (128, 2**14)  # rows and columns: in the cache of a core, or few launches of kernels
_POOL_ROWS = 256
_DOUBLE_PIXELS = 2**20  # up to here float64; of more pixels a mean in float32 is right to 10⁻⁷ at half the time

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def structural_similarities(original: Tensor, reconstruction: Tensor, names: Iterable[str]) -> dict[str, float]:
    """Those of :data:`STRUCTURE_METRICS` in ``names``, of two uint8 ``[3, H, W]`` images; their first scale is shared.

    ``ssim`` is that of Wang et al. 2004, the mean over windows and channels, where every pixel centres a window; NaN
    if a side has fewer than 11 pixels. ``ms-ssim`` (Wang, Simoncelli & Bovik 2003) is the product of weighted scales,
    each half the one before (means of 2 × 2 pixels): contrast and structure over windows that lie inside the image,
    luminance at the coarsest. A negative mean counts as 0, as in torchmetrics; NaN if a side has fewer than 176 pixels.
    """
    found = dict.fromkeys(names, math.nan)
    shortest = min(original.shape[1:])
    if shortest < WINDOW:
        return found
    similarity, contrast = _means(original, reconstruction)
    if "ssim" in found:
        found["ssim"] = similarity
    if "ms-ssim" in found and shortest >= MINIMUM_SIDE_MULTISCALE:
        found["ms-ssim"] = _multiscale(original, reconstruction, contrast)
    return found


def ssim(original: Tensor, reconstruction: Tensor) -> float:
    """SSIM alone, as :func:`structural_similarities` gives it."""
    return structural_similarities(original, reconstruction, ["ssim"])["ssim"]


def ms_ssim(original: Tensor, reconstruction: Tensor) -> float:
    """MS-SSIM alone, as :func:`structural_similarities` gives it."""
    return structural_similarities(original, reconstruction, ["ms-ssim"])["ms-ssim"]


def _multiscale(original: Tensor, reconstruction: Tensor, contrast: float) -> float:
    """MS-SSIM, given the mean contrast of the first scale."""
    product, similarity = 1.0, math.nan
    for weight in SCALE_WEIGHTS[:-1]:
        product *= max(0.0, contrast) ** weight
        original, reconstruction = _halved(original), _halved(reconstruction)
        similarity, contrast = _means(original, reconstruction)
    return float(product * max(0.0, similarity) ** SCALE_WEIGHTS[-1])


def _means(original: Tensor, reconstruction: Tensor) -> tuple[float, float]:
    """SSIM over all windows, and its contrast and structure term over those that lie inside the image."""
    channels, height, width = original.shape
    dtype = torch.float64 if height * width <= _DOUBLE_PIXELS else torch.float32

    def sums(tile: tuple[range, range]) -> Tensor:
        luminance, structure = _terms(*(_with_halo(image, *tile, dtype) for image in (original, reconstruction)))
        inside = structure[_inside(tile[0], height), :, _inside(tile[1], width)].sum()
        whole = luminance.addcmul_(luminance, structure, value=-2).add_(structure).sum()
        return torch.stack((whole, inside)).double()

    on_cpu = original.device.type == "cpu"
    tiles = list(_tiles(height, width, _CPU_TILE if on_cpu else _GPU_TILE))
    whole, inside = torch.stack(_in_order(sums, tiles, on_cpu)).sum(0).tolist()
    return 1 - 2 * whole / original.numel(), 1 - 2 * inside / (channels * (height - 2 * HALO) * (width - 2 * HALO))


def _in_order(function: Callable[[Piece], Result], pieces: Sequence[Piece], on_cpu: bool) -> list[Result]:
    """``function`` of each of ``pieces``; on a CPU in as many threads as torch has, each operation in one.

    Threads that share every operation of a small piece wait for one another, on a busy machine many times longer than
    the operation takes.
    """
    threads = torch.get_num_threads()
    if not on_cpu or len(pieces) == 1 or threads == 1:
        return [function(piece) for piece in pieces]
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as workers:
            return list(workers.map(function, pieces))
    finally:
        torch.set_num_threads(threads)


def _tiles(height: int, width: int, tile: tuple[int, int]) -> Iterator[tuple[range, range]]:
    """Rows and columns of tiles that cover the image, ``tile`` large or smaller at the ends."""
    for left in range(0, width, tile[1]):
        for top in range(0, height, tile[0]):
            yield range(top, min(top + tile[0], height)), range(left, min(left + tile[1], width))


def _inside(positions: range, size: int) -> slice:
    """Of windows at ``positions``, those that lie within 0…``size`` − 1."""
    return slice(max(0, HALO - positions.start), max(0, size - HALO - positions.start))


def _with_halo(image: Tensor, rows: range, columns: range, dtype: torch.dtype) -> Tensor:
    """The tile and 5 px around it ``[h + 10, 3, w + 10]``, reflected where they leave the image."""
    height, width = image.shape[1:]
    top, bottom = max(0, rows.start - HALO), min(height, rows.stop + HALO)
    left, right = max(0, columns.start - HALO), min(width, columns.stop + HALO)
    tile = image[:, top:bottom, left:right].to(dtype)
    missing = [left - columns.start, columns.stop - right, top - rows.start, rows.stop - bottom]
    padding = [HALO + outside for outside in missing]
    return (F.pad(tile, padding, mode="reflect") if any(padding) else tile).movedim(1, 0)


def _terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Half of what luminance, and contrast and structure, lack to 1 ``[h, 3, w]``, of tiles with their halo."""
    rows, channels, width = x.shape
    maps = x.new_empty(rows, 4, channels, width + -width % _BLOCK)
    maps[..., width:] = 0
    filled = maps[..., :width]
    torch.add(x, y, out=filled[:, 0])
    torch.sub(x, y, out=filled[:, 1])
    # A variance does not depend on the value subtracted first, and rounds less the nearer that is to the mean.
    centre = filled[::8, :2, :, ::16].mean((0, 3), keepdim=True).round_()
    torch.mul(filled[:, :2].sub_(centre), filled[:, :2], out=filled[:, 2:])
    means, variances = blurred(maps)[..., : width - 2 * HALO].split(2, 1)
    of_sum, of_difference = variances.addcmul_(means, means, value=-1).unbind(1)
    structure = of_difference.div_(of_sum.add_(of_difference).add_(2 * _STABILISER_VARIANCE))
    sum_squared, difference_squared = means.add_(centre).square_().unbind(1)
    luminance = difference_squared.div_(sum_squared.add_(difference_squared).add_(2 * _STABILISER_MEAN))
    return luminance, structure


def _halved(image: Tensor) -> Tensor:
    """Means of 2 × 2 pixels ``[3, H // 2, W // 2]``: float32 holds them exactly for four halvings of 8 bits."""
    channels, height, width = image.shape
    halved = torch.empty(channels, height // 2, width // 2, device=image.device)
    strips = list(zip(image.split(_POOL_ROWS, 1), halved.split(_POOL_ROWS // 2, 1), strict=False))
    _in_order(lambda strip: strip[1].copy_(F.avg_pool2d(strip[0].float(), 2)), strips, image.device.type == "cpu")
    return halved


def blurred(maps: Tensor) -> Tensor:
    """Gaussian means ``[h − 10, M, 3, w − 10]`` of ``[h, M, 3, w]``, along the columns and then along the rows.

    It is fastest where w is a multiple of 32.
    """
    rows, width = maps.shape[0] - 2 * HALO, maps.shape[3]
    vertical = (_band(rows, maps.dtype, maps.device) @ maps.flatten(1)).unflatten(1, maps.shape[1:])
    blocks = F.pad(vertical, (0, -width % _BLOCK)).view(-1, _BLOCK)
    band = _band(_BLOCK, maps.dtype, maps.device).T  # its last ten rows are of values that the next block begins with
    means = blocks @ band[:_BLOCK]
    means[:-1].addmm_(blocks[1:, : 2 * HALO], band[_BLOCK:])
    return means.view(*vertical.shape[:3], -1)[..., : width - 2 * HALO]


@cache
def _band(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix ``[size, size + 10]`` whose product with a column of values is its Gaussian means."""
    offset = torch.arange(size + 2 * HALO) - torch.arange(size)[:, None] - HALO
    weights = torch.exp(-(offset.double() ** 2) / (2 * SIGMA**2)).masked_fill(offset.abs() > HALO, 0)
    return (weights / weights.sum(1, keepdim=True)).to(device, dtype)
