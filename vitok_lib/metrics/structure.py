"""Structural similarity of an 8-bit image and its 8-bit reconstruction, at one scale and at five.

Local statistics are taken over tiles with the halo they need: the value is the whole image's, the memory a tile's.
Borders are reflected, as in torchmetrics 1.9 (before its change #2721 it left them out).

With s = x + y and d = x − y the luminance term is 1 − 2 μ_d² / (μ_s² + μ_d² + 2 C₁), and the contrast and structure
term 1 − 2 σ_d² / (σ_s² + σ_d² + 2 C₂): four local means instead of five, and rounding that falls with the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

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
    dtype = torch.float32 if height * width > _DOUBLE_PIXELS and _products_are_exact() else torch.float64
    on_cpu = original.device.type == "cpu"
    size = _CPU_TILE if on_cpu else _GPU_TILE
    tiles = list(_tiles(height, width, size))
    sums = original.new_empty(len(tiles), 2, dtype=torch.float64)

    def measure(share: range) -> None:
        room = _Room(original, size, dtype)
        for number in share:
            rows, columns = tiles[number]
            luminance, structure = room.terms(original, reconstruction, rows, columns)
            sums[number, 0] = structure[_inside(rows, height), :, _inside(columns, width)].sum(dtype=sums.dtype)
            sums[number, 1] = luminance.addcmul_(luminance, structure, value=-2).add_(structure).sum(dtype=sums.dtype)

    _in_threads(measure, len(tiles), torch.get_num_threads() if on_cpu else 1)
    inside, whole = sums.sum(0).tolist()
    return 1 - 2 * whole / original.numel(), 1 - 2 * inside / (channels * (height - 2 * HALO) * (width - 2 * HALO))


def _products_are_exact() -> bool:
    """Whether torch takes products of float32 in float32, and not in the TF32 or bfloat16 that a program may allow."""
    try:
        return torch.get_float32_matmul_precision() == "highest"
    except RuntimeError:  # it was set for single libraries
        return False


def _in_threads(function: Callable[[range], None], count: int, threads: int) -> None:
    """Call ``function`` with the numbers below ``count``, dealt out to ``threads`` whose operations take one thread.

    Threads that share every operation on a small tile wait for one another, on a busy machine many times longer than
    the operation takes.
    """
    threads = min(threads, count)
    if threads == 1:
        return function(range(count))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as workers:
            list(workers.map(function, [range(first, count, threads) for first in range(threads)]))
    finally:
        torch.set_num_threads(before)


def _tiles(height: int, width: int, tile: tuple[int, int]) -> Iterator[tuple[range, range]]:
    """Rows and columns of tiles that cover the image, ``tile`` large or smaller at the ends."""
    for left in range(0, width, tile[1]):
        for top in range(0, height, tile[0]):
            yield range(top, min(top + tile[0], height)), range(left, min(left + tile[1], width))


def _inside(positions: range, size: int) -> slice:
    """Of windows at ``positions``, those that lie within 0…``size`` − 1."""
    return slice(max(0, HALO - positions.start), max(0, size - HALO - positions.start))


class _Room:
    """Memory for the maps of one tile of ``size``, used for tile after tile: fetched anew it takes longer to use."""

    def __init__(self, image: Tensor, size: tuple[int, int], dtype: torch.dtype) -> None:
        channels, height, width = image.shape
        rows, columns = min(size[0], height), _whole_blocks(min(size[1], width) + 2 * HALO)
        self._row = 4 * channels * columns
        self._maps = image.new_zeros((rows + 2 * HALO) * self._row, dtype=dtype)
        self._vertical, self._means = (image.new_empty(rows * self._row, dtype=dtype) for _ in range(2))

    def terms(self, original: Tensor, reconstruction: Tensor, rows: range, columns: range) -> tuple[Tensor, Tensor]:
        """Half of what luminance, and contrast and structure, lack to 1 ``[h, 3, w]`` at ``rows`` and ``columns``."""
        height, width = original.shape[1:]
        shape = (len(rows) + 2 * HALO, 4, len(original), _whole_blocks(len(columns) + 2 * HALO))
        top, bottom = max(0, rows.start - HALO), min(height, rows.stop + HALO)
        left, right = max(0, columns.start - HALO), min(width, columns.stop + HALO)
        maps = self._maps[: math.prod(shape)].view(shape)
        first_row, first_column = top - rows.start + HALO, left - columns.start + HALO
        known = maps[first_row : first_row + bottom - top, ..., first_column : first_column + right - left]
        pair, squares = known[:, :2], known[:, 2:]
        for image, room in ((original, squares[:, 0]), (reconstruction, squares[:, 1])):
            room.copy_(image[:, top:bottom, left:right].movedim(1, 0))
        torch.add(squares[:, 0], squares[:, 1], out=pair[:, 0])
        torch.sub(squares[:, 0], squares[:, 1], out=pair[:, 1])
        # A variance does not depend on the value subtracted first, and rounds less the nearer that is to the mean.
        centre = pair[::8, :, :, ::16].mean((0, 3), keepdim=True).round_()
        torch.mul(pair.sub_(centre), pair, out=squares)
        _reflect(maps, 0, first_row, rows.stop + HALO - bottom)
        _reflect(maps[..., : len(columns) + 2 * HALO], 3, first_column, columns.stop + HALO - right)
        means, variances = _blurred(maps, self._vertical, self._means)[..., : len(columns)].split(2, 1)
        of_sum, of_difference = variances.addcmul_(means, means, value=-1).unbind(1)
        structure = of_difference.div_(of_sum.add_(of_difference).add_(2 * _STABILISER_VARIANCE))
        sum_squared, difference_squared = means.add_(centre).square_().unbind(1)
        luminance = difference_squared.div_(sum_squared.add_(difference_squared).add_(2 * _STABILISER_MEAN))
        return luminance, structure


def _reflect(maps: Tensor, axis: int, before: int, after: int) -> None:
    """Fill the ``before`` first and the ``after`` last positions of ``axis`` with the mirror image of the others."""
    size = maps.shape[axis]
    maps.narrow(axis, 0, before).copy_(maps.narrow(axis, before + 1, before).flip(axis))
    maps.narrow(axis, size - after, after).copy_(maps.narrow(axis, size - 2 * after - 1, after).flip(axis))


def _whole_blocks(width: int) -> int:
    return width + -width % _BLOCK


def _halved(image: Tensor) -> Tensor:
    """Means of 2 × 2 pixels ``[3, H // 2, W // 2]``, exact: float16 holds one halving of 8 bits, float32 four."""
    channels, height, width = len(image), image.shape[1] // 2, image.shape[2] // 2
    dtype, of_sums = (torch.float16, torch.int16) if image.dtype == torch.uint8 else (torch.float32, torch.float32)
    halved = torch.empty(channels, height, width, dtype=dtype, device=image.device)
    whole = image[:, : 2 * height, : 2 * width]
    for source, target in zip(whole.split(_POOL_ROWS, 1), halved.split(_POOL_ROWS // 2, 1), strict=True):
        rows = source[:, ::2].to(of_sums) + source[:, 1::2]
        target.copy_(rows[..., ::2] + rows[..., 1::2]).mul_(0.25)
    return halved


def blurred(maps: Tensor) -> Tensor:
    """Gaussian means ``[h − 10, M, 3, w − 10]`` of ``[h, M, 3, w]``, along the columns and then along the rows."""
    width = maps.shape[3]
    maps = F.pad(maps, (0, _whole_blocks(width) - width))
    vertical, means = (maps.new_empty(maps[2 * HALO :].numel()) for _ in range(2))
    return _blurred(maps, vertical, means)[..., : width - 2 * HALO]


def _blurred(maps: Tensor, vertical: Tensor, means: Tensor) -> Tensor:
    """The same of maps with a width in whole blocks, with room for both steps; the last ten columns mean nothing."""
    rows, values = len(maps) - 2 * HALO, maps[2 * HALO :].numel()
    torch.mm(_band(rows, maps.dtype, maps.device), maps.flatten(1), out=vertical[:values].view(rows, -1))
    blocks, means = vertical[:values].view(-1, _BLOCK), means[:values].view(-1, _BLOCK)
    band = _band(_BLOCK, maps.dtype, maps.device).T  # its last ten rows are of values that the next block begins with
    torch.mm(blocks, band[:_BLOCK], out=means)
    means[:-1].addmm_(blocks[1:, : 2 * HALO], band[_BLOCK:])
    return means.view(rows, *maps.shape[1:])


@cache
def _band(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The matrix ``[size, size + 10]`` whose product with a column of values is its Gaussian means."""
    offset = torch.arange(size + 2 * HALO) - torch.arange(size)[:, None] - HALO
    weights = torch.exp(-(offset.double() ** 2) / (2 * SIGMA**2)).masked_fill(offset.abs() > HALO, 0)
    return (weights / weights.sum(1, keepdim=True)).to(device, dtype)
