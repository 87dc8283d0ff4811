"""Small text: six sizes down the page, three contrasts across it.

The smallest type is 12 pixels high at 1536 and 3 at 384, where it cannot be read. The font is the one
inside Pillow. The text is the opening of Lewis Carroll's "Alice's Adventures in Wonderland" (1865).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vitok_lib.images.challenge.sampling import average, samples_per_pixel
from vitok_lib.images.drawn import TextLine

_SAMPLES = 2  # the letters are anti-aliased once already
_PAPER = (244, 239, 226)
_MARGIN, _GUTTER, _PADDING = 0.03, 0.012, 0.012  # in units of the image's side
_LINE = 1.22  # line height in font sizes
_SIZES = (1 / 28, 1 / 38, 1 / 52, 1 / 70, 1 / 95, 1 / 128)
_LINES = (3, 5, 6, 8, 9, 10)
_COLOURS = (  # (ground, ink) of the three columns, from the top row to the bottom
    (((250, 248, 242), (20, 20, 24)), ((214, 206, 190), (170, 160, 142)), ((36, 46, 84), (236, 196, 92))),
    (((24, 26, 30), (232, 232, 226)), ((88, 110, 104), (112, 132, 124)), ((176, 44, 40), (250, 238, 224))),
    (((252, 250, 244), (96, 94, 92)), ((196, 176, 208), (150, 126, 168)), ((30, 104, 96), (214, 240, 120))),
    (((242, 236, 216), (120, 40, 24)), ((70, 72, 84), (104, 108, 124)), ((196, 92, 60), (60, 92, 172))),
    (((236, 240, 244), (32, 60, 110)), ((58, 44, 40), (88, 72, 64)), ((250, 214, 60), (28, 28, 30))),
    (((18, 22, 44), (200, 214, 244)), ((232, 226, 222), (196, 188, 184)), ((104, 148, 84), (176, 92, 112))),
)
_TEXT = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: "
    "once or twice she had peeped into the book her sister was reading, but it had no pictures or conversations "
    "in it, “and what is the use of a book,” thought Alice, “without pictures or conversations?” So she was "
    "considering, in her own mind (as well as she could, for the hot day made her feel very sleepy and stupid), "
    "whether the pleasure of making a daisy-chain would be worth the trouble of getting up and picking the "
    "daisies, when suddenly a White Rabbit with pink eyes ran close by her. There was nothing so very remarkable "
    "in that; nor did Alice think it so very much out of the way to hear the Rabbit say to itself, “Oh dear! Oh "
    "dear! I shall be too late!”"
)
WORDS = _TEXT.split()


@dataclass(frozen=True)
class _Panel:
    """One field of the page, its box (left, top, right, bottom) and baselines in units of the image's side."""

    box: tuple[float, float, float, float]
    ground: tuple[int, int, int]
    ink: tuple[int, int, int]
    size: float
    words: tuple[tuple[float, float, str], ...]  # (x, y of the baseline, word)


def paint_text(resolution: int, first: int, last: int) -> NDArray[np.float32]:
    """Rows [first, last) of the page: ``[last - first, resolution, 3]`` in 0…255."""
    per_pixel = samples_per_pixel(resolution, _SAMPLES)
    side, top, bottom = resolution * per_pixel, first * per_pixel, last * per_pixel
    canvas = Image.new("RGB", (side, bottom - top), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for panel in _page():
        if panel.box[1] * side >= bottom or panel.box[3] * side <= top:
            continue
        left, upper, right, lower = (round(edge * side) for edge in panel.box)
        draw.rectangle((left, upper - top, right - 1, lower - 1 - top), fill=panel.ground)
        font = ImageFont.load_default(max(1, panel.size * side))
        for x, baseline, word in panel.words:
            if (baseline + panel.size) * side > top and (baseline - panel.size) * side < bottom:
                draw.text((x * side, baseline * side - top), word, fill=panel.ink, font=font, anchor="ls")
    return average(np.asarray(canvas), per_pixel)


def text_lines(name: str, resolution: int) -> tuple[TextLine, ...]:
    """The lines of the image ``text``, panel by panel from the top; none of any other image."""
    if name != "text":
        return ()
    found = []
    for panel in _page():
        font = ImageFont.load_default(max(1, panel.size * resolution))
        capital = -font.getbbox("H", anchor="ls")[1]
        for baseline, placed in groupby(panel.words, key=lambda word: word[1]):
            words = list(placed)
            right = words[-1][0] * resolution + font.getlength(words[-1][2])
            edges = (words[0][0], baseline - 0.93 * panel.size, baseline + 0.29 * panel.size)
            left, top, bottom = (round(edge * resolution) for edge in edges)
            margin = max(2, round(capital / 4))
            box = (left - margin, top, min(round(right) + margin, resolution), max(bottom, top + 1))
            found.append(TextLine(" ".join(word for *_, word in words), box, capital))
    return tuple(found)


@cache
def _page() -> tuple[_Panel, ...]:
    width = (1 - 2 * _MARGIN - 2 * _GUTTER) / 3
    heights = [size * _LINE * lines + 2 * _PADDING for size, lines in zip(_SIZES, _LINES, strict=True)]
    gutter = (1 - 2 * _MARGIN - sum(heights)) / (len(heights) - 1)
    panels, upper, word = [], _MARGIN, 0
    for size, lines, height, colours in zip(_SIZES, _LINES, heights, _COLOURS, strict=True):
        for column, (ground, ink) in enumerate(colours):
            left = _MARGIN + column * (width + _GUTTER)
            words = _set_words(left + _PADDING, upper + _PADDING, width - 2 * _PADDING, size, lines, word)
            word += len(words)
            panels.append(_Panel((left, upper, left + width, upper + height), ground, ink, size, words))
        upper += height + gutter
    return tuple(panels)


def _set_words(
    left: float, upper: float, width: float, size: float, lines: int, start: int
) -> tuple[tuple[float, float, str], ...]:
    """Ragged lines within ``width``, going on in the text from word ``start``: (x, baseline, word) each."""
    large = ImageFont.load_default(1000)  # widths free of rounding, hence the same layout at every resolution
    placed: list[tuple[float, float, str]] = []
    x, line = 0.0, 0
    while True:
        word = WORDS[(start + len(placed)) % len(WORDS)]
        advance = large.getlength(word) / 1000 * size
        if x + advance > width:
            x, line = 0.0, line + 1
        if line == lines:
            return tuple(placed)
        placed.append((left + x, upper + size * (0.93 + _LINE * line), word))
        x += advance + large.getlength(" ") / 1000 * size
