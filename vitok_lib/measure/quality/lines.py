"""Reading the known lines of an image before and after a tokenizer, and what of them is still right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.images.drawn import TextLine
from vitok_lib.images.sets import ImageSet
from vitok_lib.metrics.text.edit_distance import exact_match, ned
from vitok_lib.metrics.text.recogniser import Read

Pixels = NDArray[np.uint8]
Lines = Callable[[str], Sequence[TextLine]]
"""The known lines of an image by its name; none where it has no text."""
SCORES: dict[str, Callable[[str, str], float]] = {"ned": ned, "exact-match": exact_match}
"""Of the text that was recognised and the true one."""


@dataclass(frozen=True)
class ReadLine:
    """A line and what the recogniser reads in its box: in the original and in the reconstruction."""

    line: TextLine
    original: str
    reconstruction: str

    @property
    def counts(self) -> bool:
        """Whether the original is read rightly: what it is not says nothing of a tokenizer."""
        return self.original == self.line.text


def read_lines(original: Pixels, reconstruction: Pixels, lines: Sequence[TextLine], read: Read) -> tuple[ReadLine, ...]:
    """Read each of ``lines`` in two images ``[H, W, 3]`` of one size, 8-bit RGB."""
    found = []
    for line in lines:
        left, top, right, bottom = line.box
        first, second = (read(image[top:bottom, left:right]) for image in (original, reconstruction))
        found.append(ReadLine(line, first, second))
    return tuple(found)


def mean_score(name: str, lines: Sequence[ReadLine]) -> float:
    """The mean of a score of :data:`SCORES` over the lines that count; NaN where none does."""
    scores = [SCORES[name](each.reconstruction, each.line.text) for each in lines if each.counts]
    return math.fsum(scores) / len(scores) if scores else math.nan


def as_pixels(image: Tensor) -> Pixels:
    """A uint8 ``[3, H, W]`` on any device as ``[H, W, 3]``."""
    pixels: Pixels = image.permute(1, 2, 0).cpu().numpy()
    return pixels


def known_lines(image_set: ImageSet, resolution: int, what: str) -> Lines:
    """What gives the lines of an image of ``image_set`` at ``resolution`` by its name.

    Raises:
        RequestError: the set does not know them, so that ``what`` cannot be measured.
    """
    lines: Callable[[str, int], Sequence[TextLine]] | None = getattr(image_set, "lines", None)
    if lines is None:
        raise RequestError(
            f"{what} needs the true text of the lines, which image set '{image_set.name}' does not have; "
            "take image set text, han or challenge"
        )
    return lambda name: lines(name, resolution)
