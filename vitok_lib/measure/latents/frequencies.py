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
_DIAGONAL = np.add.outer(np.arange(BLOCK), np.arange(BLOCK)).ravel()
_SIZES = np.bincount(_DIAGONAL)
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
    grid = np.asarray(values)
    rows, columns = grid.shape[0] // BLOCK, grid.shape[1] // BLOCK
    if rows == 0 or columns == 0:
        return np.full(DIAGONALS, np.nan)
    basis, power = _basis(), np.zeros((BLOCK, BLOCK))
    for row in range(rows):  # one row of blocks at a time bounds the memory
        strip = grid[row * BLOCK : (row + 1) * BLOCK, : columns * BLOCK].reshape(BLOCK, columns, BLOCK, -1)
        coefficients = np.einsum("ui,icjn,vj->cnuv", basis, strip.astype(np.float64), basis, optimize=True)
        power += np.square(coefficients).mean(axis=(0, 1)) / rows
    means: Array = np.bincount(_DIAGONAL, power.ravel()) / _SIZES
    return means


def relative_power(power: Array) -> Array:
    """Power by diagonal over the mean power of all coefficients but the first: 1 on every diagonal of white noise."""
    relative: Array = power[1:] / np.average(power[1:], weights=_SIZES[1:])
    return relative


def high_frequency_share(power: Array) -> float:
    """The share of the power that varies within a block (all but the first diagonal) on the diagonals u + v ≥ 8.

    28 / 63 of white noise, whose coefficients have equal power; NaN where nothing varies.
    """
    held = power * _SIZES
    varying = float(held[1:].sum())
    return float(held[HIGH:].sum()) / varying if varying > _ROUNDING * held[0] else math.nan


def _basis() -> Array:
    """The orthonormal DCT-II as a matrix ``[frequency, position]``."""
    frequency, position = np.arange(BLOCK)[:, None], np.arange(BLOCK)
    basis: Array = np.cos(math.pi * frequency * (2 * position + 1) / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
