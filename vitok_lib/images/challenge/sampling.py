"""Anti-aliasing of the drawn scenes: samples finer than the pixels, averaged over each pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Painter = Callable[[int, int, int], NDArray[np.float32]]
"""Takes a resolution and a range of rows [first, last); gives ``[last - first, resolution, 3]`` in 0…255."""

_MOST = 16


def samples_per_pixel(resolution: int, least: int, side: int = 3072) -> int:
    """Samples along a pixel's side: ``least``, or up to 16 until the image has ``side`` samples across.

    Detail finer than a small image's pixels is thereby averaged away and not aliased.
    """
    return max(least, min(_MOST, -(-side // resolution)))


def average(samples: NDArray[np.generic], per_pixel: int) -> NDArray[np.float32]:
    """Means over squares of ``per_pixel``: ``[rows · p, columns · p, 3]`` to ``[rows, columns, 3]``."""
    rows, columns, channels = samples.shape
    # Two sums of short integers or floats are several times as fast as one mean over two axes.
    tall = samples.reshape(rows // per_pixel, per_pixel, columns * channels).sum(axis=1, dtype=np.float32)
    wide: NDArray[np.float32] = tall.reshape(rows // per_pixel, columns // per_pixel, per_pixel, channels).sum(axis=2)
    wide /= np.float32(per_pixel**2)
    return wide


def coordinates(resolution: int, per_pixel: int, first: int, last: int) -> tuple[NDArray[np.float32], ...]:
    """Sample centres in units of the image's side: x ``[1, columns · p]`` and y ``[rows · p, 1]``."""
    side = resolution * per_pixel
    x = (np.arange(side) + 0.5) / side
    y = (np.arange(first * per_pixel, last * per_pixel) + 0.5) / side
    return x.astype(np.float32)[None, :], y.astype(np.float32)[:, None]
