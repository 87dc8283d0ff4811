"""Overlapping tiles around any tokenizer: each is encoded and decoded alone, within the latent grid of the image.

The latent has the size and the layout of an untiled one, so that the rate is the same. Where tiles overlap, a latent
vector comes from the tile whose border is further away: vectors are never mixed, so that those of a codebook stay in
it. Pixels are blended linearly over the whole overlap.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.records.config import RunConfig, tile_of
from vitok_lib.tokenizers.interface import Latent, Tokenizer, choices_of
from vitok_lib.tokenizers.shapes import check_images

Span = tuple[int, int]
"""Where a tile starts and stops along a side."""


def spans(size: int, tile: int, overlap: int, step: int = 1) -> list[Span]:
    """The tiles along a side of ``size`` pixels: as few as there can be, evenly spaced.

    Each is ``tile`` pixels long, unless the image is shorter or ends within the last ``step`` of the last one.
    Neighbours share ``overlap`` pixels or more. Starts are multiples of ``step``, as ``tile`` and ``overlap`` must be.
    """
    length, most, shared = -(-size // step), tile // step, overlap // step
    if length <= most:
        return [(0, size)]
    gaps = -(-(length - most) // (most - shared))
    starts = [(length - most) * index // gaps * step for index in range(gaps + 1)]
    return [(start, min(start + tile, size)) for start in starts]


def cut(height: int, width: int, tile: str | None, step: int) -> tuple[int, int, int]:
    """How many tiles an image is cut into, and the height and width of each in pixels, up to its padding."""
    if tile is None:
        return 1, height, width
    rows, columns = (spans(size, *tile_of(tile), step) for size in (height, width))
    return len(rows) * len(columns), rows[0][1], columns[0][1]


def owned(tiles: list[Span], step: int) -> list[Span]:
    """Of each of :func:`spans` what is further from its own border than from a neighbour's, in steps of the side.

    Together these are the whole side, and none overlaps another.
    """
    cuts = [(after[0] + before[1]) // 2 // step for before, after in pairwise(tiles)]
    return list(pairwise([0, *cuts, -(-tiles[-1][1] // step)]))


def lay(whole: Tensor, part: Tensor, dim: int, start: int, filled: int) -> None:
    """Lay ``part`` into ``whole`` along ``dim`` from ``start`` on, in place; it holds an image up to ``filled``.

    At the j-th of n shared places ``part`` counts (j + ½)/n and what was there the rest. Equal values stay as they are,
    to the bit.
    """
    shared = filled - start
    if shared:
        weight = (torch.arange(shared, dtype=torch.float32, device=whole.device) + 0.5) / shared
        shape = [shared if axis == dim else 1 for axis in range(whole.ndim)]
        whole.narrow(dim, start, shared).lerp_(part.narrow(dim, 0, shared), weight.to(whole.dtype).view(shape))
    rest = part.shape[dim] - shared
    whole.narrow(dim, filled, rest).copy_(part.narrow(dim, shared, rest))


class Tiled:
    """A tokenizer on tiles of ``tile``, such as ``"512/64"``; an image of one tile is taken as without tiles.

    Decoding holds one tile, a strip of tiles and the image.
    """

    def __init__(self, tokenizer: Tokenizer, tile: str) -> None:
        stride = tokenizer.spec.downsampling
        if stride is None:
            raise RequestError(f"tokenizer '{tokenizer.spec.name}' has no latent grid for tiles; leave tile out")
        check_tile(tile, stride, tokenizer.spec.name)
        self.tokenizer = tokenizer
        self.spec = tokenizer.spec
        self.weights = tokenizer.weights
        self.settings = tokenizer.settings.model_copy(update={"tile": tile})
        self.choices: dict[str, str] = choices_of(tokenizer)  # its own, which grow as it meets new sizes
        self.requested: RunConfig | None = None
        self._stride = stride
        self._tile, self._overlap = tile_of(tile)

    def spans(self, size: int) -> list[Span]:
        """The tiles along a side of ``size`` pixels."""
        return spans(size, self._tile, self._overlap, self._stride)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Latent:
        """As :meth:`Tokenizer.encode`; RequestError if the latent is no grid of one vector a patch."""
        check_images(images)
        height, width = images.shape[2:]
        rows, columns = self.spans(height), self.spans(width)
        if len(rows) == len(columns) == 1:
            return self.tokenizer.encode(images)
        step, values, latent = self._stride, None, None
        for (top, bottom), (first_row, end_row) in zip(rows, owned(rows, step), strict=True):
            for (left, right), (first, end) in zip(columns, owned(columns, step), strict=True):
                latent = self.tokenizer.encode(images[:, :, top:bottom, left:right])
                part, grid = latent.values, (-(-(bottom - top) // step), -(-(right - left) // step))
                if part.ndim != 4 or part.shape[1:3] != grid:
                    raise RequestError(
                        f"tokenizer '{self.spec.name}' encoded {bottom - top} × {right - left} px to a latent "
                        f"{list(part.shape)}, no grid of {grid[0]} × {grid[1]} vectors; leave tile out"
                    )
                if values is None:
                    whole = (len(images), -(-height // step), -(-width // step), part.shape[3])
                    values = part.new_empty(whole)
                mine = part[
                    :, first_row - top // step : end_row - top // step, first - left // step : end - left // step
                ]
                values[:, first_row:end_row, first:end] = mine
        assert latent is not None
        assert values is not None
        return replace(latent, values=values, height=height, width=width)

    @torch.no_grad()
    def decode(self, latent: Latent) -> Tensor:
        rows, columns = self.spans(latent.height), self.spans(latent.width)
        if len(rows) == len(columns) == 1:
            return self.tokenizer.decode(latent)
        image, filled = None, 0
        for row in rows:
            strip = self._strip(latent, row, columns)
            if image is None:
                image = strip if len(rows) == 1 else strip.new_empty((*strip.shape[:2], latent.height, latent.width))
            if image is not strip:
                lay(image, strip, 2, row[0], filled)
            filled = row[1]
            del strip  # before the next one is made
        assert image is not None
        return image

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def _strip(self, latent: Latent, row: Span, columns: list[Span]) -> Tensor:
        """The tiles of ``row`` side by side, blended."""
        step, strip, filled = self._stride, None, 0
        (top, bottom), height = row, row[1] - row[0]
        for left, right in columns:
            values = latent.values[:, top // step : -(-bottom // step), left // step : -(-right // step)]
            part = self.tokenizer.decode(replace(latent, values=values, height=height, width=right - left))
            if strip is None:
                strip = part if len(columns) == 1 else part.new_empty((*part.shape[:3], latent.width))
            if strip is not part:
                lay(strip, part, 3, left, filled)
            filled = right
            del part
        assert strip is not None
        return strip


def check_tile(tile: str, stride: int, name: str) -> None:
    """Raise a RequestError unless the tile and its overlap are whole patches of ``stride`` pixels."""
    size, overlap = tile_of(tile)
    if size % stride or overlap % stride:
        fitting = f"{-(-size // stride) * stride}/{overlap // stride * stride}"
        raise RequestError(
            f"tile (={tile!r}) must be multiples of the {stride} px of a patch of '{name}', such as {fitting}"
        )
