"""Fine foliage: ferns and leafy twigs, leaf upon leaf, from dark depth to lit tips.

A plant is grown by recursion: a stem carries pairs of smaller stems, and the smallest are leaves of two halves, one
lit. At 1536 the smallest leaves are a few pixels long; at 384 they are texture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vitok_lib.images.challenge.sampling import average, coordinates, samples_per_pixel

_SAMPLES, _SIDE = 3, 4608  # polygons have hard edges, so more samples than elsewhere
_GROUND = (9, 17, 15)
_CORNERS = 6  # of each polygon
_HALF_LEAF = np.array([(0, 0), (0.16, 0.12), (0.42, 0.19), (0.70, 0.14), (1, 0), (0.5, 0.012)])  # along, aside
_LAYERS, _FERNS, _TWIGS = 4, 16, 6  # plants in each layer
_FERN_COLOURS = np.array([(74, 112, 46), (104, 134, 56), (58, 102, 70), (132, 146, 72)])
_TWIG_COLOURS = np.array([(196, 92, 38), (206, 158, 52), (164, 52, 44), (120, 146, 58), (218, 122, 96)])
_DEPTH_COLOUR = np.array((16, 40, 44))


@dataclass(frozen=True)
class _Shoots:
    """S stems or leaves in units of the image's side and radians; a shoot turns by ``bend`` over its length."""

    plant: NDArray[np.int64]  # [S], back to front
    start: NDArray[np.float64]  # [S, 2], (x, y)
    angle: NDArray[np.float64]  # [S]
    bend: NDArray[np.float64]  # [S], never 0
    length: NDArray[np.float64]  # [S]
    colour: NDArray[np.float64]  # [S, 3] in 0…255

    def point(self, along: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Where the arc is after the share ``along`` of its length: ``[S, 2]``."""
        end = self.angle + self.bend * along
        step = np.stack([np.sin(end) - np.sin(self.angle), np.cos(self.angle) - np.cos(end)], axis=-1)
        return self.start + step * (self.length / self.bend)[:, None]


_Polygons = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]
"""Plant ``[N]``, corners ``[N, 6, 2]`` and colour ``[N, 3]``."""


def paint_foliage(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    """Rows [first, last) of the thicket: ``[last - first, resolution, 3]`` in 0…255."""
    per_pixel = samples_per_pixel(resolution, _SAMPLES, _SIDE)
    side, top, bottom = resolution * per_pixel, first * per_pixel, last * per_pixel
    canvas = Image.new("RGB", (side, bottom - top), _GROUND)
    draw = ImageDraw.Draw(canvas)
    corners, colours, upper, lower = _thicket()
    touching = (lower * side >= top - 1) & (upper * side <= bottom + 1)
    # Pillow would truncate towards zero, so that a corner above the strip would move.
    placed = np.floor(corners[touching] * side).astype(np.int64) - (0, top)
    for polygon, colour in zip(placed.reshape(-1, 2 * _CORNERS).tolist(), colours[touching].tolist(), strict=True):
        draw.polygon(polygon, fill=tuple(colour))
    x, y = coordinates(resolution, 1, first, last)
    pixels = average(np.asarray(canvas), per_pixel)
    pixels *= (1.12 - 0.45 * np.hypot(x - 0.38, y - 0.30))[..., None]
    return pixels


@cache
def _thicket() -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """The polygons in sight from back to front: corners ``[N, 6, 2]``, colours ``[N, 3]``, least and largest y."""
    rng = np.random.default_rng([1968, 5])  # the year of Lindenmayer's systems
    layers = []
    for layer in range(_LAYERS):
        nearness = (layer + 0.4) / (_LAYERS - 0.6)
        plants = rng.permutation(_FERNS + _TWIGS)
        parts = _fern(rng, plants[:_FERNS], nearness) + _twig(rng, plants[_FERNS:], nearness)
        plant, corners, colours = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
        order = np.argsort(plant, kind="stable")
        layers.append((corners[order], colours[order]))
    corners, colours = (np.concatenate(pieces) for pieces in zip(*layers, strict=True))
    least, largest = corners.min(axis=1), corners.max(axis=1)
    seen = ((largest > 0) & (least < 1)).all(axis=1)
    levels = np.rint(np.clip(colours[seen], 0, 255)).astype(np.int64)
    return corners[seen], levels, least[seen, 1], largest[seen, 1]


def _fern(rng: np.random.Generator, plants: NDArray[np.int64], nearness: float) -> list[_Polygons]:
    fronds = _plant(rng, plants, (0.35, 0.65), _FERN_COLOURS, nearness)
    pinnae = _pairs(rng, fronds, pairs=28, ratio=0.31, spread=1.15)
    leaves = _pairs(rng, pinnae, pairs=12, ratio=0.21, spread=1.05)
    return [_stems(fronds, 0.004), _stems(pinnae, 0.012), *_leaves(rng, leaves, 1.5)]


def _twig(rng: np.random.Generator, plants: NDArray[np.int64], nearness: float) -> list[_Polygons]:
    boughs = _plant(rng, plants, (0.25, 0.5), _TWIG_COLOURS, nearness)
    twigs = _pairs(rng, boughs, pairs=8, ratio=0.45, spread=0.75)
    leaves = _pairs(rng, twigs, pairs=11, ratio=0.17, spread=0.85)
    return [_stems(boughs, 0.007), _stems(twigs, 0.012), *_leaves(rng, leaves, 1.9)]


def _plant(
    rng: np.random.Generator,
    plants: NDArray[np.int64],
    lengths: tuple[float, float],
    colours: NDArray[np.int64],
    nearness: float,
) -> _Shoots:
    """The main stems; the farther, the nearer to the colour of the depth."""
    count = len(plants)
    colour = colours[rng.integers(len(colours), size=count)] * rng.uniform(0.8, 1.2, (count, 1))
    start = rng.uniform((-0.15, 0.05), (1.15, 1.35), (count, 2))
    angle = -np.pi / 2 + rng.normal(0, 0.75, count)
    bend = rng.choice([-1, 1], count) * rng.uniform(0.2, 1.1, count)
    length = rng.uniform(*lengths, count) * (0.75 + 0.35 * nearness)
    return _Shoots(plants, start, angle, bend, length, _DEPTH_COLOUR + (colour - _DEPTH_COLOUR) * nearness)


def _pairs(rng: np.random.Generator, parents: _Shoots, *, pairs: int, ratio: float, spread: float) -> _Shoots:
    """Shoots in ``pairs`` along each parent, shorter towards its tip, at ``spread`` radians from it."""
    along = np.tile(np.repeat(np.linspace(0.10, 0.99, pairs), 2), len(parents.plant))
    aside = np.tile([-1.0, 1.0], pairs * len(parents.plant))
    each = _Shoots(*(np.repeat(values, 2 * pairs, axis=0) for values in vars(parents).values()))
    count = len(along)
    profile = np.minimum(1, 0.55 + 3 * along) * (1 - along) ** 0.75 + 0.06
    angle = each.angle + each.bend * along + aside * (spread * (1 - 0.35 * along) + rng.normal(0, 0.09, count))
    colour = each.colour * (0.9 + 0.25 * along + rng.normal(0, 0.07, count))[:, None]
    length = each.length * ratio * profile * rng.uniform(0.85, 1.1, count)
    return _Shoots(each.plant, each.point(along), angle, -aside * rng.uniform(0.1, 0.6, count), length, colour)


def _stems(shoots: _Shoots, thickness: float) -> _Polygons:
    """Tapered arcs, ``thickness`` of their length at the foot, browner than the leaves."""
    middle = [shoots.point(along) for along in (0.0, 0.5, 1.0)]
    angle = shoots.angle + shoots.bend / 2
    normal = np.stack([-np.sin(angle), np.cos(angle)], axis=-1) * (shoots.length * thickness)[:, None]
    widths = (1.0, 0.7, 0.2)
    left = [point + normal * width for point, width in zip(middle, widths, strict=True)]
    right = [point - normal * width for point, width in zip(middle, widths, strict=True)]
    return shoots.plant, np.stack(left + right[::-1], axis=1), shoots.colour * (0.62, 0.50, 0.48)


def _leaves(rng: np.random.Generator, shoots: _Shoots, breadth: float) -> list[_Polygons]:
    """Each leaf as a dark half and a lit half, ``breadth`` times the breadth of ``_HALF_LEAF``."""
    angle = shoots.angle + shoots.bend / 2
    along = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * shoots.length[:, None]
    aside = np.stack([-along[:, 1], along[:, 0]], axis=-1) * breadth
    gloss = rng.uniform(1.1, 1.55, (len(angle), 1))
    halves = []
    for side, tone in ((1, 0.72), (-1, gloss)):
        corners = (
            shoots.start[:, None]
            + _HALF_LEAF[None, :, :1] * along[:, None]
            + side * _HALF_LEAF[None, :, 1:] * aside[:, None]
        )
        halves.append((shoots.plant, corners, shoots.colour * tone))
    return halves
