"""How a file becomes the pixels that every tokenizer sees: 8-bit RGB, upright, opaque, sized by a rule.

An animation and a TIFF file of several full-size pages are refused. Embedded colour profiles, gamma and transfer curves
are not applied. What is odd is treated so:

- The orientation that EXIF or XMP states is applied, then dropped.
- Alpha, and a colour that is declared transparent, is laid on white.
- Grey is repeated over the channels; a palette is looked up; CMYK is converted by Pillow's formula.
- 16 bits are scaled, v / 257, rounded, and never clipped; alpha and CMYK of 16 bits are computed in 16 bits.
- Pixels without a known range (floating point, signed, 32-bit) and variants that Pillow misreads are refused.
- A file that is empty, truncated, damaged, no image, or larger than 16384 × 16384 pixels is refused. Within the data of
  a JPEG, which has no checksum, damage shows only where the decoder stops at it.
- Any other size is taken: 1 × 1, and 20000 × 10, of which no side gets below one pixel.

What is refused is one image's :class:`ImageError`, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vitok_lib.errors import RequestError
from vitok_lib.images.errors import ImageError as ImageError
from vitok_lib.images.files.content import Content
from vitok_lib.images.formats.decode import decode, to_rgb, upright
from vitok_lib.images.formats.pillow import MAX_RESOLUTION, reading

VERSION = 3
"""Of the preparation, in the keys of the cache of prepared images: to be raised by any change that moves a pixel."""

_STRIP = 2**18
"""Pixels that are copied at a time."""


@dataclass(frozen=True)
class Rule:
    """How an image gets its size: ``sentence`` is what a record keeps, ``resize`` takes an image and a resolution."""

    name: str
    sentence: str
    resize: Callable[[Image.Image, int], Image.Image]


def check_resolution(value: int) -> None:
    """Raise RequestError unless ``value`` is a whole number of pixels in 1…16384."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"resolution must be a whole number of pixels, not {value!r}")
    if not 1 <= value <= MAX_RESOLUTION:
        raise RequestError(f"resolution must be between 1 and {MAX_RESOLUTION} pixels, not {value}")


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of ``HEIGHTxWIDTH`` in pixels; RequestError if it reads otherwise."""
    height, _, width = text.strip().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise RequestError(f"size '{text}' must read HEIGHTxWIDTH in pixels, such as 512x768")
    return int(height), int(width)


def cap(image: Image.Image, resolution: int) -> Image.Image:
    """``image`` with max(H, W) = min(``resolution``, its longest side): the published rule for DIV8K."""
    longest = max(image.size)
    if longest <= resolution:
        return image
    width, height = (max(1, round(side * resolution / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def centre_crop(image: Image.Image, resolution: int) -> Image.Image:
    """The middle of ``image``, ``resolution`` × ``resolution``, its shorter side resized to that.

    An image whose shorter side is below ``resolution`` is enlarged, so that every image of a set has one size: most
    of COCO is 480 pixels high and is measured at 512. Sources of published figures say "centre crop" and no more.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    # One resampling of the middle alone; the rest of a 20000 × 10 image would take gigabytes at 512.
    box = (left, top, left + side, top + side)
    return image.resize((resolution, resolution), Image.Resampling.LANCZOS, box=box)


def native(image: Image.Image, resolution: int) -> Image.Image:
    """``image`` itself, whatever the ``resolution``."""
    return image


CAP = Rule("cap", "longest side capped by Lanczos, never enlarged", cap)
CENTRE_CROP = Rule(
    "centre-crop", "shorter side resized by Lanczos, enlarged where it is smaller, centre square", centre_crop
)
NATIVE = Rule("native", "native size, not resized", native)
RULES: Mapping[str, Rule] = {rule.name: rule for rule in (CAP, CENTRE_CROP)}
"""The rules that take a resolution; :data:`NATIVE` takes the place of one."""


def prepare(image: Image.Image, resolution: int, rule: Rule = CAP) -> NDArray[np.uint8]:
    """``image`` as ``[H, W, 3]`` in 0…255, upright and opaque, sized by ``rule``; ``image`` itself is left alone.

    Raises ImageError for pixels without a known range.
    """
    return _pixels(rule.resize(to_rgb(upright(image)), resolution))


def read(content: Content, resolution: int, name: str, rule: Rule = CAP) -> NDArray[np.uint8]:
    """The image in ``content`` prepared at ``resolution``: ``[H, W, 3]`` in 0…255.

    Raises ImageError, with ``name`` and the reason in one line, for whatever cannot be read.
    """
    try:
        if content.digest().size == 0:
            raise ImageError("the file is empty")
        with reading(), content.open() as stream:
            return _pixels(rule.resize(decode(stream), resolution))
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise anything on damaged data: SyntaxError, struct.error, KeyError …
        raise ImageError(f"cannot read image '{name}': {_reason(error)}") from error


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The values of ``image``, mode RGB, ``[H, W, 3]``.

    By strips of rows that a core's cache holds: of a whole image Pillow would make a list of pieces and one more copy.
    """
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def longest_side(content: Content) -> int | None:
    """Pixels of the longer side of the image in ``content``, from its header; None where it cannot be read."""
    try:
        with reading(), content.open() as stream, Image.open(stream) as image:
            return max(image.size)
    except Exception:  # as in read, which says why
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged or in no known image format or variant"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
