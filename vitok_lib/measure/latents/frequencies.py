"""How the power of a latent, or of an image, is spread over spatial frequencies: the DCT of blocks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from vitok_lib.measure.latents.moments import Array

BLOCK = 8
"""Positions a side of a block."""
DIAGONALS = 2 * BLOCK - 1
HIGH = BLOCK
"""The first diagonal whose power counts as high-frequency: half of the way to the last one."""
_ROUNDING = 1e-24
"""Of the first diagonal's power, what rounding leaves on the others of a constant block."""


def power_by_diagonal(values: ArrayLike) -> Array:
    """The mean power of the coefficients on each diagonal u + v of the DCT, ``[15]``, over blocks and channels.

    Blocks of 8 × 8 positions, the two-dimensional orthonormal DCT-II (Ahmed, Natarajan & Rao 1974), and coefficients
    ordered by u + v as in JPEG's zigzag: so Skorokhodov et al. 2025 compare latents with images. White noise of
    variance s² has s² on every diagonal.

    Args:
        values: ``[rows, columns, C]``; rows and columns that fill no block are left out.

    Returns:
        NaN where there is no whole block.
    """
    grid = np.asarray(values, np.float64)
    rows, columns = grid.shape[0] // BLOCK, grid.shape[1] // BLOCK
    if rows == 0 or columns == 0:
        return np.full(DIAGONALS, np.nan)
    blocks = grid[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, -1)
    basis = _basis()
    coefficients = np.einsum("ui,ricjn,vj->rcuvn", basis, blocks, basis, optimize=True)
    power = np.square(coefficients).mean(axis=(0, 1, 4))
    diagonal = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel()
    means: Array = np.bincount(diagonal, power.ravel()) / np.bincount(diagonal)
    return means


def high_frequency_share(power: Array) -> float:
    """The share of the power that varies within a block (all but the first diagonal) on the diagonals u + v ≥ 8.

    28 / 63 of white noise, whose coefficients have equal power; NaN where nothing varies.
    """
    sizes = np.array([min(s, DIAGONALS - 1 - s) + 1 for s in range(DIAGONALS)])
    held = power * sizes
    varying = float(held[1:].sum())
    return float(held[HIGH:].sum()) / varying if varying > _ROUNDING * held[0] else math.nan


def _basis() -> Array:
    """The orthonormal DCT-II as a matrix ``[frequency, position]``."""
    frequency, position = np.arange(BLOCK)[:, None], np.arange(BLOCK)
    basis: Array = np.cos(math.pi * frequency * (2 * position + 1) / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
