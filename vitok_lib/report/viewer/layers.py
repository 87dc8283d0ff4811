"""The pictures that the viewer's pages load: originals, reconstructions, maps of errors and latents, all lossless.

One scale of colours serves every map of the site, so that equal colours mean equal errors everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.records.store import atomic
from vitok_lib.records.visuals import Picture, Rule
from vitok_lib.report.viewer.cases import ORIGINAL, Shown

Pixels = NDArray[np.uint8]

IMAGES = "img"
ERROR_TOP = 32
"""Levels of 255 at which the scale of errors ends; what is above has the last colour."""
_SCALE = matplotlib.colormaps["inferno"].resampled(ERROR_TOP + 1)
ERROR_COLOURS: Sequence[str] = [to_hex(_SCALE(level)) for level in range(ERROR_TOP + 1)]
"""One for each level."""
START_SIDE = 128
"""Pixels a side of the square that a page opens on where its image is shown whole."""
_VERSION = "2"  # of these pictures, to be raised by a change that moves a pixel
_DIGEST = 20  # hex digits


@dataclass(frozen=True)
class Layers:
    """The pictures of one view, of ``width`` × ``height`` pixels, by name: reconstructions, their errors, latents."""

    width: int
    height: int
    files: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    latents: dict[str, str] = field(default_factory=dict)

    @property
    def every_file(self) -> list[str]:
        return [*self.files.values(), *self.errors.values(), *self.latents.values()]


@dataclass(frozen=True)
class Start:
    """Where a page opens: the centre ``x``, ``y`` of a square of ``side`` pixels in the picture of view ``view``."""

    view: int
    x: float
    y: float
    side: int


def error_levels(original: Pixels, reconstruction: Pixels) -> NDArray[np.float64]:
    """The error ``[H, W]`` of each pixel in levels of 255: the mean of its absolute differences over the channels."""
    difference = np.abs(original.astype(np.int16) - reconstruction)
    levels: NDArray[np.float64] = difference.mean(axis=2)
    return levels


def error_map(original: Pixels, reconstruction: Pixels) -> Pixels:
    """The error of each pixel, rounded to a level, as its colour."""
    levels = np.rint(error_levels(original, reconstruction)).clip(0, ERROR_TOP)
    table = np.array([list(bytes.fromhex(colour[1:])) for colour in ERROR_COLOURS], np.uint8)
    found: Pixels = table[levels.astype(np.intp)]
    return found


def largest_error(original: Pixels, reconstructions: Sequence[Pixels], side: int) -> tuple[float, float]:
    """The centre (x, y) of the square of ``side`` pixels where the squared errors of all reconstructions are largest.

    Of squares that are equal by the rule it is the first from the top, then from the left.
    """
    squared = sum((original.astype(np.float64) - made) ** 2 for made in reconstructions)
    assert isinstance(squared, np.ndarray)
    sums = np.pad(squared.sum(axis=2).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    of_squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(of_squares.argmax()), of_squares.shape)
    return float(left) + side / 2, float(top) + side / 2


def publish(shown: Shown, folder: Path) -> tuple[list[Layers], Start]:
    """Write the pictures of every view into ``folder``, and find where the page opens.

    A picture that is there already is left as it is. A page opens on the view of the largest error, or on that square
    of an image that is shown whole.

    Raises:
        RequestError: a picture is missing, or is not the one that was kept.
    """
    views = [_publish_view(shown, index, folder) for index in range(len(shown.visual.views))]
    rules = [view.rule for view in shown.visual.views]
    index = rules.index(Rule.LARGEST_ERROR) if Rule.LARGEST_ERROR in rules else 0
    width, height = views[index].width, views[index].height
    if rules[index] is not Rule.WHOLE or min(width, height) <= START_SIDE:
        return views, Start(index, width / 2, height / 2, max(width, height))
    pictures = [shown.visual.originals[index], *(made.pictures[index] for made in shown.visual.reconstructions)]
    original, *made = (_read(shown, picture) for picture in pictures)
    return views, Start(index, *largest_error(original, made, START_SIDE), START_SIDE)


def _publish_view(shown: Shown, index: int, folder: Path) -> Layers:
    original = shown.visual.originals[index]

    def put(kind: str, sources: Sequence[Picture], draw: Callable[..., Pixels]) -> str:
        named = "|".join([_VERSION, kind, *(source.sha256 for source in sources)])
        name = f"{IMAGES}/{hashlib.sha256(named.encode()).hexdigest()[:_DIGEST]}.webp"
        if not (folder / name).exists():
            drawn = Image.fromarray(draw(*(_read(shown, source) for source in sources)))
            with atomic(folder / name) as temporary:
                drawn.save(temporary, format="WEBP", lossless=True, exact=True, method=1, quality=20)
        return name

    view = shown.visual.views[index]
    with Image.open(shown.folder / original.file) as image:
        size = image.size
    files, errors, latents = {ORIGINAL: put("picture", [original], lambda pixels: pixels)}, {}, {}
    for made in shown.visual.reconstructions:
        name, picture = made.tokenizer.name, made.pictures[index]
        files[name] = put("picture", [picture], lambda pixels: pixels)
        errors[name] = put("error", [original, picture], error_map)
        if made.latent is not None and view.rule in (Rule.WHOLE, Rule.OVERVIEW):
            patch = made.tokenizer.downsampling or 1
            positions = (view.width / patch, view.height / patch)
            enlarged = partial(enlarged_latent, size=size, positions=positions)
            latents[name] = put(f"latent {size} of {positions}", [made.latent], enlarged)
    return Layers(*size, files, errors, latents)


def enlarged_latent(picture: Pixels, size: tuple[int, int], positions: tuple[float, float]) -> Pixels:
    """A picture of a latent at ``size`` pixels across and down, each position as a rectangle.

    ``positions`` across and down are what the image covers, which ends within the last ones where they reach over it.
    """
    drawn = Image.fromarray(picture).resize(size, Image.Resampling.NEAREST, box=(0, 0, *positions))
    return np.asarray(drawn)


def _read(shown: Shown, picture: Picture) -> Pixels:
    path = shown.folder / picture.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RequestError(f"picture '{path}' cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise RequestError(f"picture '{path}' is not the one that was kept: its SHA-256 is another than its manifest's")
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
