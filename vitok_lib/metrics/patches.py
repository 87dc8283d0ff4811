"""Crops of an image at native resolution, by one rule for every image."""

from __future__ import annotations

import torch
from torch import Tensor

GRID = 3


def crops(image: Tensor, side: int) -> Tensor:
    """Nine crops ``[9, 3, side, side]`` of a uint8 image ``[3, H, W]``: three by three positions, evenly spread.

    The outer ones touch the image's borders. In an image below 3 · ``side`` they overlap; one below ``side`` is first
    extended to it by repeating its last row or column.
    """
    rows, columns = (torch.arange(max(size, side)).clamp(max=size - 1) for size in image.shape[1:])
    return torch.stack(
        [
            image[:, rows[top : top + side].to(image.device)][:, :, columns[left : left + side].to(image.device)]
            for top in _positions(len(rows), side)
            for left in _positions(len(columns), side)
        ]
    )


def _positions(size: int, side: int) -> list[int]:
    return [round(step * (size - side) / (GRID - 1)) for step in range(GRID)]
