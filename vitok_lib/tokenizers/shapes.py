"""Checks and padding of image batches that every tokenizer shares."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from vitok_lib.errors import RequestError


def check_images(images: Tensor) -> None:
    """Raise a RequestError unless ``images`` is a floating ``[B, 3, H, W]`` with at least one pixel."""
    if images.ndim != 4 or images.shape[1] != 3 or images.numel() == 0 or not images.is_floating_point():
        raise RequestError(
            f"images must be floating [B, 3, H, W] in [-1, 1]; these are {images.dtype} {list(images.shape)}"
        )


def pad_by_edge(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples of ``multiple``."""
    height, width = images.shape[2:]
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")
