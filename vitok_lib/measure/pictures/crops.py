"""Which parts of an image are shown: all of a small one; of a large one an overview and squares chosen by rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.records.visuals import Rule, View

Pixels = NDArray[np.uint8]
Sums = NDArray[np.int64]

SHOWN_WHOLE = 1024
"""Longest side in pixels up to which an image is shown whole.

Lossless, an image of 1024² takes some 1.5 MB for each tokenizer and as much again for maps of its error.
"""
OVERVIEW = 512  # longest side in pixels
CROP = 512  # pixels a side
_STEPS = 8  # corners of squares lie on a grid of CROP / _STEPS pixels


def choose_views(original: Pixels, reconstructions: Sequence[Pixels]) -> tuple[View, ...]:
    """The views of an image ``[H, W, 3]``, given what the tokenizers make of it.

    Of squares that are equal by the rule it is the first from the top, then from the left. Two rules may choose one
    square. There is no largest gain of a single tokenizer.
    """
    height, width = original.shape[:2]
    if max(height, width) <= SHOWN_WHOLE:
        return (View(rule=Rule.WHOLE, left=0, top=0, width=width, height=height),)
    side = min(CROP, height, width)
    sums = np.stack([_errors_of_squares(original, reconstruction, side) for reconstruction in reconstructions])
    chosen = {Rule.LARGEST_ERROR: _corner(sums.sum(axis=0), side)}
    if len(reconstructions) > 1:
        chosen[Rule.LARGEST_GAIN] = _corner(sums.max(axis=0) - sums.min(axis=0), side)
    chosen[Rule.CENTRE] = ((height - side) // 2, (width - side) // 2)
    return (
        View(rule=Rule.OVERVIEW, left=0, top=0, width=width, height=height),
        *(
            # The grid's last square may reach over the edge by less than one of its steps.
            View(rule=rule, left=min(left, width - side), top=min(top, height - side), width=side, height=side)
            for rule, (top, left) in chosen.items()
        ),
    )


def seen(pixels: Pixels, view: View) -> Pixels:
    """What ``view`` shows of an image ``[H, W, 3]``; an overview is resized by Lanczos."""
    if view.native:
        return pixels[view.top : view.top + view.height, view.left : view.left + view.width]
    scale = OVERVIEW / max(view.width, view.height)
    size = max(1, round(view.width * scale)), max(1, round(view.height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _errors_of_squares(original: Pixels, reconstruction: Pixels, side: int) -> Sums:
    """The squared error of each square of the grid, ``[rows, columns]``."""
    step = max(1, side // _STEPS)
    count = side // step
    sums = np.pad(_errors_of_blocks(original, reconstruction, step).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    squares: Sums = sums[count:, count:] - sums[:-count, count:] - sums[count:, :-count] + sums[:-count, :-count]
    return squares


def _errors_of_blocks(original: Pixels, reconstruction: Pixels, step: int) -> Sums:
    """The squared error of each block of ``step`` × ``step`` pixels; one row of blocks at a time bounds the memory."""
    height, width = original.shape[:2]
    rows, columns = height // step, width // step
    sums = np.empty((rows, columns), np.int64)
    for row in range(rows):
        strip = np.s_[row * step : (row + 1) * step, : columns * step]
        error = original[strip].astype(np.int32) - reconstruction[strip]
        sums[row] = np.square(error).reshape(step, columns, -1).sum(axis=(0, 2), dtype=np.int64)
    return sums


def _corner(squares: Sums, side: int) -> tuple[int, int]:
    """Top and left of the largest square."""
    row, column = np.unravel_index(int(squares.argmax()), squares.shape)
    step = max(1, side // _STEPS)
    return int(row) * step, int(column) * step
