"""Dead-leaves images with 1/f texture, one scene at any size.

Opaque shapes of a power-law size distribution, p(r) ∝ r⁻³, occlude one another (Lee, Mumford & Huang 2001,
"Occlusion models for natural images"); such images share the scale invariance and the edge statistics of
photographs. Each leaf carries fractal noise of equal energy in each octave, which in two dimensions is the 1/f
amplitude spectrum of natural texture, down to the pixel at every size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_RADIUS, LARGEST_RADIUS = 0.008, 0.35  # in units of the image's side
MEAN_COVER = 5.0  # expected leaves over a point: exp(-5) of the ground stays bare
_SUPERSAMPLE = 2
_STRIP_ROWS = 256
_FIRST_OCTAVE = 3  # the coarsest texture has 2³ cells across the image
_TILE = 256  # period of the noise lattice, in cells


@dataclass(frozen=True)
class Scene:
    """Leaves from back to front, in units of the image's side; index 0 is the ground."""

    centre: NDArray[np.float64]  # [L, 2], (x, y)
    radius: NDArray[np.float64]  # [L]
    aspect: NDArray[np.float64]  # [L], short axis over long axis
    turn: NDArray[np.float64]  # [L], radians
    exponent: NDArray[np.int64]  # [L], 2: ellipse; larger: towards a rectangle
    colour: NDArray[np.float32]  # [L, 3] in [0, 1]
    contrast: NDArray[np.float32]  # [L, 3], amplitude of one octave of the texture
    shift: NDArray[np.int64]  # [L, 2], where in the noise a leaf's texture is cut
    noise: NDArray[np.float32]  # [_TILE, _TILE], zero mean


def make_scene(seed: int) -> Scene:
    """The scene that ``seed`` stands for."""
    rng = np.random.default_rng([2001, seed])
    smallest, largest = SMALLEST_RADIUS, LARGEST_RADIUS
    cut = 1 - (smallest / largest) ** 2
    mean_aspect = 0.75
    mean_area = np.pi * mean_aspect * 2 * smallest**2 * np.log(largest / smallest) / cut
    count = 1 + int(MEAN_COVER * (1 + 2 * largest) ** 2 / mean_area)
    radius = smallest / np.sqrt(1 - cut * rng.random(count))
    centre = rng.uniform(-largest, 1 + largest, (count, 2))
    brightness = rng.beta(1.2, 1.4, count)
    chroma = rng.normal(0, 0.09, (count, 3))
    chroma -= chroma.mean(axis=1, keepdims=True)
    colour = np.clip(brightness[:, None] + chroma, 0, 1)
    contrast = rng.gamma(0.8, 0.045, count)[:, None] * (1 + rng.normal(0, 0.1, (count, 3)))
    aspect = rng.uniform(2 * mean_aspect - 1, 1, count)
    exponent = rng.choice([2, 2, 2, 8], count)
    turn = rng.uniform(0, np.pi, count)
    shift = rng.integers(0, 1 << 20, (count, 2))
    noise = rng.uniform(-1, 1, (_TILE, _TILE)).astype(np.float32)
    radius[0], centre[0] = 2.0, 0.5
    return Scene(
        centre, radius, aspect, turn, exponent, colour.astype(np.float32), contrast.astype(np.float32), shift, noise
    )


def render(seed: int, size: int) -> NDArray[np.uint8]:
    """The scene of ``seed`` as ``[size, size, 3]``, 8 bits; a larger size shows the same scene in more detail."""
    scene = make_scene(seed)
    pixels = np.empty((size, size, 3), np.uint8)
    for first in range(0, size, _STRIP_ROWS):
        last = min(first + _STRIP_ROWS, size)
        pixels[first:last] = _render_rows(scene, size, first, last)
    return pixels


def _render_rows(scene: Scene, size: int, first: int, last: int) -> NDArray[np.uint8]:
    fine = _front_leaf(scene, size * _SUPERSAMPLE, first * _SUPERSAMPLE, last * _SUPERSAMPLE)
    rows, columns = last - first, size
    samples = fine.reshape(rows, _SUPERSAMPLE, columns, _SUPERSAMPLE).transpose(0, 2, 1, 3)
    base = scene.colour[samples].mean(axis=(2, 3))
    leaf = samples[:, :, 0, 0]
    texture = _texture(scene, leaf, size, first)
    colour = base + scene.contrast[leaf] * texture[..., None]
    pixels: NDArray[np.uint8] = np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8)
    return pixels


def _front_leaf(scene: Scene, size: int, first: int, last: int) -> NDArray[np.int32]:
    """Which leaf each sample of rows [first, last) of a size × size grid sees: ``[last - first, size]``."""
    front = np.zeros((last - first, size), np.int32)
    x, y, reach = scene.centre[:, 0] * size, scene.centre[:, 1] * size, scene.radius * size * np.sqrt(2)
    touching = (y + reach > first) & (y - reach < last) & (x + reach > 0) & (x - reach < size)
    for index in np.flatnonzero(touching)[1:]:
        top, bottom = max(first, int(y[index] - reach[index])), min(last, int(y[index] + reach[index]) + 1)
        left, right = max(0, int(x[index] - reach[index])), min(size, int(x[index] + reach[index]) + 1)
        if top >= bottom or left >= right:
            continue
        across = (np.arange(left, right) + 0.5 - x[index]).astype(np.float32)
        down = (np.arange(top, bottom) + 0.5 - y[index]).astype(np.float32)[:, None]
        cos, sin = np.float32(np.cos(scene.turn[index])), np.float32(np.sin(scene.turn[index]))
        long_axis = np.float32(scene.radius[index] * size)
        short_axis = np.float32(long_axis * scene.aspect[index])
        u, v = (across * cos + down * sin) / long_axis, (down * cos - across * sin) / short_axis
        power = int(scene.exponent[index])
        front[top - first : bottom - first, left:right][u**power + v**power <= 1] = index
    return front


def _texture(scene: Scene, leaf: NDArray[np.int32], size: int, first: int) -> NDArray[np.float32]:
    """Fractal value noise, each leaf in its own part of the lattice: ``[rows, columns]``, zero mean."""
    rows, columns = leaf.shape
    x = ((np.arange(columns) + 0.5) / size)[None, :]
    y = ((np.arange(rows) + first + 0.5) / size)[:, None]
    shift_x, shift_y = scene.shift[leaf, 0], scene.shift[leaf, 1]
    total = np.zeros(leaf.shape, np.float32)
    for octave in range(_FIRST_OCTAVE, int(np.log2(size))):
        # Shifting by the octave keeps one lattice from lining up with itself across octaves.
        total += _lattice(scene.noise, x * 2**octave, y * 2**octave, shift_x + 37 * octave, shift_y)
    return total


def _lattice(
    noise: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shift_x: NDArray[np.int64],
    shift_y: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Value noise: the periodic lattice ``noise`` interpolated at (x, y) with smooth steps."""
    cell_x, cell_y = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    along, down = (x - cell_x).astype(np.float32), (y - cell_y).astype(np.float32)
    along, down = along**2 * (3 - 2 * along), down**2 * (3 - 2 * down)
    left, top = (cell_x + shift_x) % _TILE, (cell_y + shift_y) % _TILE
    right, bottom = (left + 1) % _TILE, (top + 1) % _TILE
    upper = noise[top, left] * (1 - along) + noise[top, right] * along
    lower = noise[bottom, left] * (1 - along) + noise[bottom, right] * along
    value: NDArray[np.float32] = upper * (1 - down) + lower * down
    return value
