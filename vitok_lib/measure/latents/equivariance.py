"""Transformations of an image and the same ones of its latent, whose decoded images are compared.

Shapes: images ``[1, 3, H, W]``, grids of latent values ``[1, rows, columns, C]``, p the pixels a side of a position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.measure.latents.decoding import pixels_of
from vitok_lib.metrics.pixel import from_uint8, psnr, to_uint8
from vitok_lib.tokenizers.interface import Latent, Tokenizer
from vitok_lib.tokenizers.outputs import encoded

LEAST_POSITIONS = 8
"""Positions a side below which an image at half scale has too little that is far from its borders."""
TURNS = (1, 2, 3)


@dataclass(frozen=True)
class Transformation:
    """``of_image`` takes an image and p, ``of_latent`` a grid of values; ``fits`` tells whether p allows it."""

    of_image: Callable[[Tensor, int], Tensor]
    of_latent: Callable[[Tensor], Tensor]
    fits: Callable[[int], bool] = lambda patch: True


def _shift(share: float) -> Transformation:
    """By ``share`` of a position, down and across, with the last position cut off, so that nothing is made up.

    Of the latent each value is interpolated (bilinearly) between the positions around its new place.
    """

    def of_image(image: Tensor, patch: int) -> Tensor:
        pixels = round(share * patch)
        height, width = image.shape[2] - patch, image.shape[3] - patch
        return image[:, :, pixels : pixels + height, pixels : pixels + width]

    def of_latent(grid: Tensor) -> Tensor:
        for axis in (1, 2):
            before, after = grid.narrow(axis, 0, grid.shape[axis] - 1), grid.narrow(axis, 1, grid.shape[axis] - 1)
            grid = torch.lerp(before, after, share)
        return grid

    return Transformation(of_image, of_latent, lambda patch: (share * patch).is_integer())


def _turn(quarters: int) -> Transformation:
    return Transformation(lambda image, patch: image.rot90(quarters, (2, 3)), lambda grid: grid.rot90(quarters, (1, 2)))


def _halved(grid: Tensor) -> Tensor:
    """The mean of each 2 × 2 positions of a grid ``[1, rows, columns, C]``."""
    return F.avg_pool2d(grid.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


TRANSFORMATIONS: Mapping[str, tuple[Transformation, ...]] = {
    "shift_quarter": (_shift(0.25),),
    "shift_half": (_shift(0.5),),
    "shift_whole": (_shift(1.0),),
    "half_scale": (Transformation(lambda image, patch: F.avg_pool2d(image, 2), _halved),),
    "quarter_turns": tuple(_turn(quarters) for quarters in TURNS),
}
"""Of several the mean is taken."""


def equivariance(tokenizer: Tokenizer, image: Tensor, patch: int | None) -> dict[str, float]:
    """PSNR(D(T·E(x)), T·x) in dB of each transformation T, and how far it is below PSNR(D(E(T·x)), T·x).

    The first is what Kouzelis et al. 2025 (EQ-VAE) and Skorokhodov et al. 2025 train for, with a distance of their own.
    The second, ``<name>_loss``, is what the transformation of the latent costs beyond what the tokenizer loses on the
    transformed image anyway: 0 where encoding and T commute.

    Compared are 8-bit images without p pixels on each side, where a decoder sees padding instead of neighbours. The
    image is cut at the right and below to an even number of positions.

    Args:
        image: float ``[1, 3, H, W]`` in [-1, 1].
        patch: p; None where it is not known.

    Returns:
        NaN of a shift that is no whole number of pixels; of all where p is not known or a side has less than eight
        positions.
    """
    names = [name + part for name in TRANSFORMATIONS for part in ("_psnr", "_loss")]
    if patch is None or min(image.shape[2:]) < LEAST_POSITIONS * patch:
        return dict.fromkeys(names, math.nan)
    rows, columns = (side // patch // 2 * 2 for side in image.shape[2:])
    image = image[:, :, : rows * patch, : columns * patch]
    latent = encoded(tokenizer, image)
    values: dict[str, float] = {}
    for name, parts in TRANSFORMATIONS.items():
        pairs = [_compared(tokenizer, image, latent, part, patch) for part in parts if part.fits(patch)]
        commuted, whole = (sum(pair[place] for pair in pairs) / len(pairs) if pairs else math.nan for place in (0, 1))
        values |= {f"{name}_psnr": commuted, f"{name}_loss": whole - commuted}
    return values


def _compared(
    tokenizer: Tokenizer, image: Tensor, latent: Latent, part: Transformation, patch: int
) -> tuple[float, float]:
    """PSNR of the decoded transformed latent, and of the reconstructed transformed image."""
    target = to_uint8(part.of_image(image, patch))
    values = from_uint8(target)
    moved = replace(latent, values=part.of_latent(latent.values), height=target.shape[2], width=target.shape[3])
    inner = (slice(None), slice(patch, -patch), slice(patch, -patch))
    commuted, whole = (pixels_of(tokenizer, held, target.shape) for held in (moved, encoded(tokenizer, values)))
    return psnr(target[0][inner], commuted[inner]), psnr(target[0][inner], whole[inner])
