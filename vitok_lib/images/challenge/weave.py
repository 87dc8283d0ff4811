"""Woven cloth: a herringbone plaid of round, plied, slightly uneven threads.

At 1536 a thread is 14 pixels wide and its twist is visible; at 384 it is under 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitok_lib.images.challenge.sampling import average, coordinates, samples_per_pixel

_SAMPLES = 2
_THREADS = 112  # across the image, each way
_HERRINGBONE = 16  # threads after which the diagonal turns
_COLOURS = np.array(
    [(38, 62, 96), (222, 214, 196), (150, 44, 42), (46, 92, 74), (210, 156, 58), (92, 70, 66)], np.float32
)
_WARP = "0000000111111000000022222221222222200000003333333333133333330000000444400000005555"
_WEFT = "0000001111110000002222221222222000000333333333133333300000044440000005555551155555"


def paint_weave(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    """Rows [first, last) of the cloth: ``[last - first, resolution, 3]`` in 0…255."""
    per_pixel = samples_per_pixel(resolution, _SAMPLES)
    x, y = coordinates(resolution, per_pixel, first, last)
    rng = np.random.default_rng([1804, 1])  # the year of Jacquard's loom
    warp_tone, weft_tone = (rng.normal(1, 0.06, _THREADS + 4).astype(np.float32) for _ in range(2))
    warp_shift, weft_shift = (rng.normal(0, 0.05, _THREADS + 4).astype(np.float32) for _ in range(2))

    u = _THREADS * x + 1 + _wobble(y, x, rng)
    v = _THREADS * y + 1 + _wobble(x, y, rng)
    warp, weft = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
    in_warp, in_weft = u - np.floor(u), v - np.floor(v)
    turn = np.where(np.arange(_THREADS + 4) // _HERRINGBONE % 2, -1, 1).astype(np.int32)[warp]
    step = (warp * turn + weft) & 3
    warp_on_top = step < 2

    share = np.where(warp_on_top, in_weft, np.where(turn > 0, in_warp, 1 - in_warp))
    along = ((step & 1).astype(np.float32) + share) / 2
    across = 2 * np.where(warp_on_top, in_warp - warp_shift[warp], in_weft - weft_shift[weft]) - 1
    shade = _thread(across, along, np.where(warp_on_top, v, u))
    shade *= np.where(warp_on_top, warp_tone[warp], weft_tone[weft])
    shade *= 1 + 0.10 * np.sin(5.1 * x + 3.3 * y + 0.4) + 0.06 * np.sin(9.7 * y - 4.1 * x)
    colour = _COLOURS[np.where(warp_on_top, _sequence(_WARP)[warp], _sequence(_WEFT)[weft])]
    return average(np.minimum(colour * shade[..., None], 255), per_pixel)


def _sequence(text: str) -> NDArray[np.int32]:
    indices = np.array([int(digit) for digit in text], np.int32)
    return np.resize(indices, _THREADS + 4)


def _wobble(along: NDArray[np.float32], across: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """How far threads stray, in threads, at ``along`` their length; neighbours stray alike. Less than one."""
    total = np.zeros(np.broadcast_shapes(along.shape, across.shape), np.float32)
    for frequency in (3.0, 8.0, 29.0):
        phase, slant = rng.uniform(0, 2 * np.pi), rng.uniform(-2, 2)
        total += (0.55 / frequency**0.6) * np.sin(frequency * (along + slant * across) * 2 + phase, dtype=np.float32)
    return total


def _thread(
    across: NDArray[np.float32], along: NDArray[np.float32], length: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Brightness of a thread: round ``across`` (-1…1), dipping at both ends of a float ``along`` (0…1), plied."""
    inside = np.maximum(1 - (across / 0.96) ** 2, 0)
    body = 0.22 + 0.85 * np.sqrt(inside) * (0.62 + 0.5 * np.sin(np.pi * along))
    twist = 1 + 0.16 * np.sin(2 * np.pi * (1.5 * length + 0.75 * across))
    fibre = 1 + 0.05 * np.sin(2 * np.pi * (4 * length + 3.1 * across))
    return np.where(inside > 0, body * twist * fibre, np.float32(0.12)).astype(np.float32)
