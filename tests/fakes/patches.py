"""Tokenizers whose latent is a linear function of patches, so that its values and its changes have closed forms."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.fakes.tokenizers import Identity
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec


class Patches(Identity):
    """Each p × p patch as the vector of its pixels, in the order of ``pixel_unshuffle``; lossless."""

    name = "patches"

    def __init__(self, patch: int, **given: Any) -> None:
        super().__init__(**given)
        self.spec = TokenizerSpec(self.name, "test", patch, 3 * patch**2, "a test")
        self.patch = patch

    def encode(self, images: Tensor) -> Latent:
        grid = F.pixel_unshuffle(images, self.patch).movedim(1, -1)
        return Latent(self.of_patches(grid), images.shape[2], images.shape[3])

    def decode(self, latent: Latent) -> Tensor:
        return self.decoded(F.pixel_shuffle(self.to_patches(latent.values).movedim(-1, 1), self.patch))

    def of_patches(self, grid: Tensor) -> Tensor:
        """The latent of patches ``[B, rows, columns, 3p²]``."""
        return grid

    def to_patches(self, values: Tensor) -> Tensor:
        """The inverse."""
        return values


class Mixed(Patches):
    """z = A·x + b for each patch x, A invertible ``[3p², 3p²]``."""

    name = "mixed"

    def __init__(self, patch: int, matrix: Tensor, shift: float = 0.0, **given: Any) -> None:
        super().__init__(patch, **given)
        self.matrix, self.shift = matrix.to(torch.float64), shift

    def of_patches(self, grid: Tensor) -> Tensor:
        return grid.to(torch.float64) @ self.matrix.T + self.shift

    def to_patches(self, values: Tensor) -> Tensor:
        return (values - self.shift) @ torch.linalg.inv(self.matrix).T
