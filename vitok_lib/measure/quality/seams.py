"""Where the tiles of an auto-encoder meet, and how much of their error is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

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


def borders(size: int, tile: int, step: int) -> list[int]:
    """Where, along a side of ``size`` pixels, a tile starts or the one before it ends: both ends of each blend."""
    starts = range(step, size, step)
    ends = [start - step + tile for start in starts]
    return sorted({*starts, *(end for end in ends if end < size)})


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
