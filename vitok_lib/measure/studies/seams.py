"""Where the tiles of an auto-encoder meet, and how much of their error is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitok_lib.tokenizers.tiles import Span

BAND = 4
"""Steps on each side of a border that belong to it."""


def tile_layout(model: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels of a tile, and from one tile's start to the next one's, down and across, of a model of diffusers."""
    if hasattr(model, "tile_overlap_factor"):
        side = int(model.tile_sample_min_size)
        step = int(side * (1 - model.tile_overlap_factor))
        return (side, step), (side, step)
    return (
        (int(model.tile_sample_min_height), int(model.tile_sample_stride_height)),
        (int(model.tile_sample_min_width), int(model.tile_sample_stride_width)),
    )


def layout(size: int, tile: int, step: int) -> list[Span]:
    """The tiles of diffusers along a side of ``size`` pixels: the last ones end where the image does."""
    return [(start, min(start + tile, size)) for start in range(0, size, step)]


def joints(tiles: Sequence[Span], size: int) -> list[Span]:
    """Where the blend of two tiles along a side of ``size`` pixels starts and stops; without those up to its end."""
    return [(after[0], before[1]) for before, after in pairwise(tiles) if before[1] < size]


def borders(tiles: Sequence[Span], size: int) -> list[int]:
    """Where, along a side of ``size`` pixels, a tile starts or the one before it ends: both ends of each blend."""
    return sorted({place for tile in tiles for place in tile} - {0, size})


def colour_step(original: Tensor, reconstruction: Tensor, rows: Sequence[Span], columns: Sequence[Span]) -> float:
    """How much brighter or of another colour one tile is than the next: what the eye sees as a grid; NaN without tiles.

    At each place where two tiles meet, the mean signed error of the ``BAND`` pixels after the blend less that of those
    before it, over the whole length of the image and for each channel. The value is the root mean square of these over
    places and channels, in 8-bit levels: a tile that is brighter by d gives d. An error that is the same on both sides
    gives 0, however large it is; a model's own errors give some at any place, as an untiled reconstruction tells.

    Args:
        original, reconstruction: 8-bit ``[3, H, W]``.
        rows, columns: where blends start and stop, from :func:`joints`; a side without any takes no part.
    """
    error = reconstruction.to(torch.float32) - original.to(torch.float32)
    squares: list[float] = []
    for dim, places in ((1, rows), (2, columns)):
        lines = error.mean(dim=3 - dim)  # [3, places along the side]
        for start, stop in places:
            step = lines[:, stop : stop + BAND].mean(1) - lines[:, max(0, start - BAND) : start].mean(1)
            squares += step.square().tolist()
    return math.sqrt(math.fsum(squares) / len(squares)) if squares else math.nan


def seam_error(untiled: Tensor, tiled: Tensor, rows: Sequence[int], columns: Sequence[int]) -> float:
    """How much more the steps across tile borders are off than the steps elsewhere; NaN if none is off elsewhere.

    A step is the difference of a pixel to its neighbour down or across, and is off by what it is in the tiled image
    less what it is in the untiled one. The value is the mean square of that within ``BAND`` steps of a border, over the
    mean square elsewhere, either the sum of those down and across: 1 where a border looks like any other place.

    Steps, since a seam is seen where an error changes and not where it is large: a tile that is brighter as a whole is
    off everywhere by the same, and its squared error says nothing of its edge. Against the untiled image, since against
    the original the model's own error, which is large wherever the image has detail, would hide it.

    Args:
        untiled, tiled: 8-bit ``[3, H, W]``.
        rows, columns: where tiles begin or end, from :func:`borders`; a side without any takes no part.

    Returns:
        The ratio; NaN where nothing is off elsewhere, or nothing is elsewhere.
    """
    error = tiled.to(torch.float32) - untiled.to(torch.float32)
    at_borders = elsewhere = 0.0
    for dim, places in ((1, rows), (2, columns)):
        if not places:
            continue
        squares = error.diff(dim=dim).square_().mean(dim=(0, 3 - dim), dtype=torch.float64).cpu().numpy()
        position = np.arange(1, len(squares) + 1)  # of the pixel that the step leads to
        near = (np.abs(position[:, None] - np.array(places)) <= BAND).any(axis=1)
        if near.all():
            return math.nan
        at_borders += squares[near].mean()
        elsewhere += squares[~near].mean()
    return at_borders / elsewhere if elsewhere > 0 else math.nan
