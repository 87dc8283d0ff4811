"""Pages of known lines for reading: a script in several fonts, letters of 6 to 48 px, on three grounds.

Unlike the other drawn sets a larger page has more lines and not larger ones: the height of a line in pixels is what is
varied. Each line stands by itself at a place that has nothing to do with any grid of patches. Pages of two scripts have
the same grounds, colours, heights and numbers of lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vitok_lib.images import photographs
from vitok_lib.images.drawn import TextLine
from vitok_lib.images.scripts import LATIN, Script

HEIGHTS = (6, 8, 12, 16, 24, 48)
"""Of a line's capitals or Chinese characters, in pixels."""
GROUNDS = ("dark-on-light", "light-on-dark", "on-photograph")
PAGES = 6
"""With each ground: as many as there are photographs."""
NAMES = tuple(f"{ground}-{page}" for page in range(PAGES) for ground in GROUNDS)
_LINES, _SIDE = 3, 512  # lines of each height on a page of this side
_GAP = 4  # pixels at least between boxes
_LIGHT, _DARK = (225, 256), (0, 56)  # levels of a channel


@dataclass(frozen=True)
class _Placed:
    """A line, its font, and where its baseline begins."""

    line: TextLine
    font: ImageFont.FreeTypeFont
    origin: tuple[int, int]


def text_lines(name: str, resolution: int, script: Script = LATIN) -> tuple[TextLine, ...]:
    """The lines of page ``name``, the largest first: what has no room at ``resolution`` is not on the page."""
    return tuple(placed.line for placed in _laid_out(name, resolution, script))


def render(name: str, resolution: int, script: Script = LATIN) -> NDArray[np.uint8]:
    """Page ``name`` as ``[resolution, resolution, 3]``, 8 bits."""
    ground, page = _parts(name)
    rng = np.random.default_rng([1872, GROUNDS.index(ground), page])
    light, dark = (tuple(rng.integers(*levels, 3).tolist()) for levels in (_LIGHT, _DARK))
    if ground == "on-photograph":
        canvas = _photograph(page, resolution)
    else:
        canvas = Image.new("RGB", (resolution, resolution), light if ground == "dark-on-light" else dark)
    grey = np.asarray(canvas.convert("L"))
    draw = ImageDraw.Draw(canvas)
    for placed in _laid_out(name, resolution, script):
        left, top, right, bottom = placed.line.box
        on_light = grey[top:bottom, left:right].mean() > 127.5
        draw.text(placed.origin, placed.line.text, fill=dark if on_light else light, font=placed.font, anchor="ls")
    return np.asarray(canvas)


def _parts(name: str) -> tuple[str, int]:
    ground, _, page = name.rpartition("-")
    return ground, int(page)


def _photograph(page: int, resolution: int) -> Image.Image:
    """A held-out photograph that covers the page, enlarged where it is smaller."""
    with Image.open(photographs.held_out()[page].file()) as photograph:
        return ImageOps.fit(photograph.convert("RGB"), (resolution, resolution), Image.Resampling.LANCZOS)


@lru_cache(maxsize=64)
def _laid_out(name: str, resolution: int, script: Script) -> tuple[_Placed, ...]:
    ground, page = _parts(name)
    rng = np.random.default_rng([1865, GROUNDS.index(ground), page])
    count = max(1, round(_LINES * (resolution / _SIDE) ** 2))
    fonts = len(script.fonts())
    rows: list[list[_Placed]] = [[]]
    for size, height in enumerate(HEIGHTS[::-1]):
        for line in range(count):
            font = _font(script, (page * count + line + size) % fonts, height)
            placed = _boxed(script.write(rng), font, height)
            if _width([placed]) > resolution:
                continue
            if _width([*rows[-1], placed]) > resolution:
                rows.append([])
            rows[-1].append(placed)
    while sum(map(_height, rows)) > resolution:
        rows.pop(0)  # the largest, of which few fit
    spare = (resolution - sum(map(_height, rows))) // max(1, len(rows))
    moved, top = [], 0
    for row in rows:
        apart, left = (resolution - _width(row)) // len(row) if row else 0, 0
        for placed in row:
            across, down = (int(rng.integers(slack + 1)) for slack in (apart, spare))
            moved.append(_moved(placed, left + across, top + down))
            left += _width([placed]) + apart
        top += _height(row) + spare
    return tuple(moved)


def _boxed(text: str, font: ImageFont.FreeTypeFont, height: int) -> _Placed:
    """The line at (0, 0), with a margin of a quarter of its height around its ink."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text, anchor="ls"))
    margin = max(2, height // 4)
    box = (0, 0, right - left + 2 * margin, bottom - top + 2 * margin)
    return _Placed(TextLine(text, box, height), font, (margin - left, margin - top))


def _moved(placed: _Placed, left: int, top: int) -> _Placed:
    line, (x, y) = placed.line, placed.origin
    box = (line.box[0] + left, line.box[1] + top, line.box[2] + left, line.box[3] + top)
    return _Placed(TextLine(line.text, box, line.height), placed.font, (x + left, y + top))


def _width(row: list[_Placed]) -> int:
    return sum(placed.line.box[2] + _GAP for placed in row)


def _height(row: list[_Placed]) -> int:
    return max((placed.line.box[3] + _GAP for placed in row), default=0)


@lru_cache(maxsize=64)
def _font(script: Script, index: int, height: int) -> ImageFont.FreeTypeFont:
    """The font at the size at which the full letters of ``script`` are ``height`` pixels high."""
    file = str(script.fonts()[index])
    large = ImageFont.truetype(file, 1000, layout_engine=ImageFont.Layout.BASIC)
    _, top, _, bottom = large.getbbox(script.full, anchor="ls")
    return ImageFont.truetype(file, height / ((bottom - top) / 1000), layout_engine=ImageFont.Layout.BASIC)
