"""A zone plate, cos(k r²), crossed by thin coloured lines: every frequency and every direction at once.

The local frequency of cos(k r²) at (x, y) from the centre is k (x, y) / π cycles a side. k is chosen from the
resolution so that each component reaches 0.9 of the Nyquist frequency, resolution / 2, at the middle of the image's
edges and in its corners, and never exceeds it: the rings belong to the pixel grid, and any ring about another centre
is a tokenizer's aliasing. The lines belong to the scene: 2 pixels wide at 1536, half a pixel at 384.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitok_lib.images.challenge.sampling import average, coordinates, samples_per_pixel

NYQUIST_SHARE = 0.9
_SAMPLES = 2
_DARK = np.array((22, 28, 58), np.float32)
_LIGHT = np.array((250, 240, 214), np.float32)
_LINE_WIDTH = 0.0015  # in units of the image's side
_LINES = 17
_LINE_COLOURS = np.array([(214, 40, 40), (32, 134, 90), (36, 92, 200), (240, 150, 20), (132, 48, 150)], np.float32)


def paint_zone_plate(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    """Rows [first, last) of the plate: ``[last - first, resolution, 3]`` in 0…255."""
    per_pixel = samples_per_pixel(resolution, _SAMPLES)
    x, y = (axis - np.float32(0.5) for axis in coordinates(resolution, per_pixel, first, last))
    k = NYQUIST_SHARE * np.pi * resolution
    # cos(k x² + k y²) from two small outer products, the phase in float64.
    phase_x, phase_y = k * x.astype(np.float64) ** 2, k * y.astype(np.float64) ** 2
    wave = np.cos(phase_y) * np.cos(phase_x) - np.sin(phase_y) * np.sin(phase_x)
    pixels = _DARK + (_LIGHT - _DARK) * (0.5 + 0.5 * wave.astype(np.float32))[..., None]
    angles = np.pi * (np.arange(_LINES) + 0.5) / _LINES
    offsets = np.random.default_rng([1818, 1]).permutation(np.linspace(-0.44, 0.44, _LINES))  # Fresnel's year
    for index, (angle, offset) in enumerate(zip(angles, offsets, strict=True)):
        distance = np.abs(np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y - np.float32(offset))
        pixels[distance < _LINE_WIDTH / 2] = _LINE_COLOURS[index % len(_LINE_COLOURS)]
    return average(pixels, per_pixel)
