"""SSIMULACRA 2 of an 8-bit image and its 8-bit reconstruction (Sneyers, Cloudinary, 2022; version 2.1 of April 2023).

Three error maps at up to six scales in the colour space XYB of JPEG XL: one after SSIM, one of edges that are new
(ringing, blocks) and one of edges that are gone (blur). Constants and weights are those of
https://github.com/cloudinary/ssimulacra2 (BSD 3-Clause), fitted there to opinions of viewers.

The Gaussian is truncated at 5 px, with zeros left and right of the image and reflection above and below, as in the
Python package ssimulacra2 0.3.0, with which values agree. That of libjxl is recursive: values of the original program
differ somewhat. Maps are float64 over strips of rows with the halo they need, which bounds the memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.metrics.colour import linear_levels
from vitok_lib.metrics.structure import HALO, blurred

MINIMUM_SIDE = 8
_SCALES = 6
_STRIP_ROWS = 32
_POOL_ROWS = 256
_STABILISER_VARIANCE = 0.0009

_ABSORBANCE = (  # of linear red, green and blue by the three kinds of cones
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.5518098665095536),
)
_ABSORBANCE_BIAS = 0.0037930732552754493

_WEIGHTS = (  # a row for each scale, the finest first: SSIM, new edges, lost edges; by their mean, then by their 4-norm
    # X
    (0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0),
    (0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752),
    (0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0),
    (0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0),
    (0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053),
    (0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0),
    # Y
    (0, 0, 0, 7.466890328078848, 0, 17.445833984131262),
    (0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264),
    (225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985),
    (176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408),
    (0, 0, 0, 34.77906344483772, 44.835625328877896, 0),
    (0, 0, 0, 0, 0, 0),
    # B − Y
    (0, 0.0008680556573291698, 0, 0, 0, 0),
    (0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0),
    (0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0),
    (0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0),
    (
        95.1080498811086,
        0.9863978034400682,
        0.9834382792465353,
        0.0012286405048278493,
        171.2667255897307,
        0.9807858872435379,
    ),
    (0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537),
)


def ssimulacra2(original: Tensor, reconstruction: Tensor) -> float:
    """SSIMULACRA 2 of two uint8 ``[3, H, W]`` images in sRGB.

    Returns:
        At most 100, of equal images; 90 is about visually lossless, and bad images are below 0. NaN if a side has
        fewer than 8 pixels. An image with fewer scales of 8 px takes the weights in order, as in the original.
    """
    if min(original.shape[1:]) < MINIMUM_SIDE:
        return math.nan
    errors = torch.stack(list(_errors(original, reconstruction)), 1).flatten()
    weights = torch.tensor(_WEIGHTS, dtype=errors.dtype, device=errors.device).flatten()[: len(errors)]
    error = 0.9562382616834844 * float(weights @ errors)
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100 - 10 * math.pow(max(0.0, error), 0.6276336467831387)


def _errors(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """The norms of each scale that has 8 px a side."""
    for _ in range(_SCALES):
        if min(x.shape[1:]) < MINIMUM_SIDE:
            return
        yield _norms(x, y)
        x, y = _halved(x), _halved(y)


def _norms(x: Tensor, y: Tensor) -> Tensor:
    """The mean and the 4-norm of each map ``[3 channels, 2 norms, 3 maps]``."""
    sums = torch.zeros(2, 3, 3, dtype=torch.float64, device=x.device)  # [norms, maps, channels]
    height = x.shape[1]
    for first in range(0, height, _STRIP_ROWS):
        rows = _mirrored(first - HALO, min(first + _STRIP_ROWS, height) + HALO, height).to(x.device)
        maps = _maps(_positive_xyb(x[:, rows]), _positive_xyb(y[:, rows]))
        sums[0] += maps.sum((1, 3))
        sums[1] += maps.square_().square_().sum((1, 3))
    sums /= x[0].numel()
    sums[1] = sums[1] ** 0.25
    return sums.permute(2, 0, 1)


def _maps(x: Tensor, y: Tensor) -> Tensor:
    """SSIM, new edges and lost edges ``[3, h − 10, 3, W]`` as errors of 0 or more, of XYB ``[h, 3, W]``."""
    padded_x, padded_y = (F.pad(image, (HALO, HALO)) for image in (x, y))
    products = (padded_x, padded_y, padded_x**2, padded_y**2, padded_x * padded_y)
    mean_x, mean_y, square_x, square_y, product = blurred(torch.stack(products, 1)).unbind(1)
    x, y = x[HALO:-HALO], y[HALO:-HALO]
    covariance = 2 * (product - mean_x * mean_y) + _STABILISER_VARIANCE
    variances = (square_x - mean_x**2) + (square_y - mean_y**2) + _STABILISER_VARIANCE
    similarity = (1 - (mean_x - mean_y) ** 2) * covariance / variances
    edges = (1 + (y - mean_y).abs()) / (1 + (x - mean_x).abs()) - 1
    return torch.stack((1 - similarity, edges, -edges)).clamp_(min=0)


def _positive_xyb(pixels: Tensor) -> Tensor:
    """XYB ``[h, 3, W]`` of pixels ``[3, h, W]``, with B − Y for B, moved and scaled to about 0 to 1."""
    linear = _linear(pixels).movedim(1, 0)
    absorbance = torch.tensor(_ABSORBANCE, dtype=linear.dtype, device=linear.device)
    cones = (absorbance @ linear + _ABSORBANCE_BIAS) ** (1 / 3) - _ABSORBANCE_BIAS ** (1 / 3)
    long, medium, short = cones.unbind(1)
    luma = (long + medium) / 2
    return torch.stack((14 * (long - medium) / 2 + 0.42, luma + 0.01, short - luma + 0.55), 1)


def _linear(pixels: Tensor) -> Tensor:
    """Linear light from 0 to 1 in float64: of 8-bit sRGB, or of what is linear already."""
    if pixels.dtype != torch.uint8:
        return pixels.double()
    return linear_levels(pixels.device)[pixels.int()]


def _halved(image: Tensor) -> Tensor:
    """Means of 2 × 2 pixels in linear light, float32 ``[3, ⌈H/2⌉, ⌈W/2⌉]``; at an odd end, of the pixels there are."""
    channels, height, width = image.shape
    halved = torch.empty(channels, math.ceil(height / 2), math.ceil(width / 2), device=image.device)
    for source, target in zip(image.split(_POOL_ROWS, 1), halved.split(_POOL_ROWS // 2, 1), strict=True):
        target.copy_(F.avg_pool2d(_linear(source), 2, ceil_mode=True))
    return halved


def _mirrored(first: int, stop: int, size: int) -> Tensor:
    """Positions from ``first`` up to ``stop``, turned back at the edges of 0…``size`` − 1, whose pixels come twice."""
    positions = torch.arange(first, stop)
    positions = torch.where(positions < 0, -1 - positions, positions)
    return torch.where(positions < size, positions, 2 * size - 1 - positions)
