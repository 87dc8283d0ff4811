"""Intervals of means over images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_BLOCK_VALUES = 10_000_000  # values drawn at a time, which bounds the memory


def bootstrap_mean(
    values: NDArray[np.float64], level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of the mean of ``values``.

    Give per-image values for an interval of a mean, per-image differences for a paired comparison. Images are
    the unit of resampling. With few images the interval is too narrow: read it with its n.

    Raises:
        ValueError: there is no value.
    """
    if values.size == 0:
        raise ValueError("an interval needs at least one value")
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_VALUES // values.size)
    means = np.concatenate(
        [
            values[rng.integers(0, values.size, (min(block, resamples - done), values.size))].mean(axis=1)
            for done in range(0, resamples, block)
        ]
    )
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
