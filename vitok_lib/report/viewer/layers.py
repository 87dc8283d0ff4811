"""The pictures that the viewer's pages load: originals, reconstructions, and maps of their errors, all lossless.

One scale of colours serves every map of the site, so that equal colours mean equal errors everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bokeh.palettes import inferno, interp_palette
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.records.store import atomic
from vitok_lib.records.visuals import Picture
from vitok_lib.report.viewer.cases import ORIGINAL, Shown, difference_of, error_of, pairs

Pixels = NDArray[np.uint8]

IMAGES = "img"
ERROR_TOP = 32
"""Levels of 255 at which the scale of errors ends; what is above has the last colour."""
DIFFERENCE_TOP = 16
ERROR_COLOURS: Sequence[str] = inferno(ERROR_TOP + 1)  # one for each level
DIFFERENCE_COLOURS: Sequence[str] = interp_palette(["#0072b2", "#f2f2f2", "#d55e00"], 2 * DIFFERENCE_TOP + 1)
_VERSION = "1"  # of these pictures, to be raised by a change that moves a pixel
_DIGEST = 20  # hex digits


@dataclass(frozen=True)
class Layers:
    """The pictures of one view: ``files`` by layer, of images of ``width`` × ``height``.

    A picture that is not square lies at the top left of a transparent square of ``side`` pixels.
    """

    width: int
    height: int
    files: dict[str, str]

    @property
    def side(self) -> int:
        return max(self.width, self.height)


def error_levels(original: Pixels, reconstruction: Pixels) -> NDArray[np.float64]:
    """The error ``[H, W]`` of each pixel in levels of 255: the mean of its absolute differences over the channels."""
    difference = np.abs(original.astype(np.int16) - reconstruction)
    levels: NDArray[np.float64] = difference.mean(axis=2)
    return levels


def error_map(original: Pixels, reconstruction: Pixels) -> Pixels:
    """The error of each pixel, rounded to a level, as its colour."""
    levels = np.rint(error_levels(original, reconstruction)).clip(0, ERROR_TOP)
    return _coloured(levels, ERROR_COLOURS)


def difference_map(original: Pixels, first: Pixels, second: Pixels) -> Pixels:
    """By how many levels the first's error is below the second's (the blue side) or above it, as a colour."""
    gain = error_levels(original, second) - error_levels(original, first)
    return _coloured(DIFFERENCE_TOP - np.rint(gain).clip(-DIFFERENCE_TOP, DIFFERENCE_TOP), DIFFERENCE_COLOURS)


def publish(shown: Shown, folder: Path) -> list[Layers]:
    """Write the pictures of every view into ``folder``; one that is there already is left as it is.

    Raises:
        RequestError: a picture is missing, or is not the one that was kept.
    """
    return [_publish_view(shown, index, folder) for index in range(len(shown.visual.views))]


def _publish_view(shown: Shown, index: int, folder: Path) -> Layers:
    original = shown.visual.originals[index]
    made = {made.tokenizer.name: made.pictures[index] for made in shown.visual.reconstructions}

    def read(picture: Picture) -> Pixels:
        return _read(shown.folder / picture.file, picture.sha256)

    def put(kind: str, sources: Sequence[Picture], draw: Callable[..., Pixels]) -> str:
        named = "|".join([_VERSION, kind, *(source.sha256 for source in sources)])
        name = f"{IMAGES}/{hashlib.sha256(named.encode()).hexdigest()[:_DIGEST]}.webp"
        if not (folder / name).exists():
            drawn = Image.fromarray(_squared(draw(*map(read, sources))))
            with atomic(folder / name) as temporary:
                drawn.save(temporary, format="WEBP", lossless=True, exact=True, method=1, quality=20)
        return name

    files = {ORIGINAL: put("picture", [original], lambda pixels: pixels)}
    for name, picture in made.items():
        files[name] = put("picture", [picture], lambda pixels: pixels)
        files[error_of(name)] = put("error", [original, picture], error_map)
    for first, second in pairs(list(made)):
        sources = [original, made[first], made[second]]
        files[difference_of(first, second)] = put("difference", sources, difference_map)
    with Image.open(shown.folder / original.file) as image:
        return Layers(*image.size, files)


def _read(path: Path, sha256: str) -> Pixels:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"picture '{path}' cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RequestError(f"picture '{path}' is not the one that was kept: its SHA-256 is another than its manifest's")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _coloured(indices: NDArray[np.float64], colours: Sequence[str]) -> Pixels:
    table = np.array([list(bytes.fromhex(colour[1:])) for colour in colours], np.uint8)
    found: Pixels = table[indices.astype(np.intp)]
    return found


def _squared(pixels: Pixels) -> Pixels:
    """``pixels`` at the top left of a square that is transparent elsewhere: the browser shows squares alone."""
    height, width = pixels.shape[:2]
    if height == width:
        return pixels
    square = np.zeros((max(height, width), max(height, width), 4), np.uint8)
    square[:height, :width, :3] = pixels
    square[:height, :width, 3] = 255
    return square
