"""A dusk sky of smooth gradients under faint noise: where a tokenizer shows bands, blocks or false texture.

Most neighbouring levels lie many pixels apart. Over them lies white noise of one level's standard deviation,
different at every pixel and resolution like a sensor's: it belongs to the pixel grid and not to the scene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitok_lib.images.challenge.sampling import coordinates

NOISE_LEVELS = 1.0  # standard deviation in 8-bit levels
_TOP = np.array((12, 16, 42), np.float32)
_STEPS = (  # height and width of a smooth step, and the change of colour over it
    (0.22, 0.09, (22, 30, 54)),
    (0.46, 0.06, (50, 42, 40)),
    (0.61, 0.035, (86, 40, -22)),
    (0.73, 0.030, (26, 28, 2)),
    (0.82, 0.025, (-98, -64, -8)),
    (0.95, 0.035, (-60, -46, -52)),
)
_SUN, _SUN_COLOUR = (0.64, 0.70), np.array((46, 38, 4), np.float32)
_DISCS = (  # centre, radius, softness of the edge, change of colour: some a few levels only
    ((0.24, 0.26), 0.15, 0.010, (9, 8, 14)),
    ((0.40, 0.17), 0.07, 0.020, (5, 7, 9)),
    ((0.80, 0.34), 0.11, 0.040, (16, 9, 2)),
    ((0.13, 0.58), 0.08, 0.030, (10, 4, -6)),
    ((0.87, 0.13), 0.05, 0.004, (4, 4, 6)),
)


def paint_gradients(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    """Rows [first, last) of the sky: ``[last - first, resolution, 3]`` in 0…255."""
    return smooth_rows(resolution, first, last) + _noise(resolution, first, last)


def smooth_rows(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    """The scene without its noise: ``[last - first, resolution, 3]`` in 0…255, not rounded."""
    x, y = coordinates(resolution, 1, first, last)  # smooth: one sample a pixel
    height = y + 0.012 * np.sin(5 * x + 1) + 0.02 * (x - 0.5)
    sky = np.broadcast_to(_TOP, (*height.shape, 3)).copy()
    for middle, width, change in _STEPS:
        sky += _step((height - middle) / width, change)
    distance = np.hypot(x - _SUN[0], (y - _SUN[1]) * 1.25)
    sky += np.exp(-((distance / 0.26) ** 2))[..., None] * _SUN_COLOUR
    for (centre_x, centre_y), radius, softness, change in _DISCS:
        sky += _step((radius - np.hypot(x - centre_x, y - centre_y)) / softness, change)
    return sky.astype(np.float32)


def _step(distance: NDArray[np.floating], change: tuple[int, int, int]) -> NDArray[np.float32]:
    """``change`` times the logistic function of ``distance``: ``[..., 3]``, smooth everywhere."""
    share = 0.5 + 0.5 * np.tanh(distance / 2)
    return (share[..., None] * np.array(change, np.float32)).astype(np.float32)


def _noise(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    noise = np.empty((last - first, resolution, 3), np.float32)
    for row in range(first, last):  # one generator a row: the same noise however the rows are divided
        noise[row - first] = np.random.default_rng([1902, resolution, row]).standard_normal((resolution, 3), np.float32)
    return NOISE_LEVELS * noise
