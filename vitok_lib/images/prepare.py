"""How a file becomes the pixels that every tokenizer sees: 8-bit RGB, upright, opaque, of a capped size.

The rule is the published one: the longest side is capped by Lanczos and nothing is ever enlarged. Only the
first frame of a file is read. Embedded colour profiles are not applied.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vitok_lib.errors import RequestError

RULE = "longest side capped by Lanczos, never enlarged"
MAX_RESOLUTION = 16384
MAX_PIXELS = MAX_RESOLUTION * MAX_RESOLUTION

# Pillow refuses images above twice this number as decompression bombs; its own default is below the sizes
# that this project measures. Larger files are refused here, by name, before they are decoded.
if Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MAX_PIXELS)


class ImageError(ValueError):
    """One image cannot be used; from :func:`read` the message names the file and says why in one sentence."""


def check_resolution(value: int) -> None:
    """Raise RequestError unless ``value`` is a whole number of pixels in 1…16384."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"resolution must be a whole number of pixels, not {value!r}")
    if not 1 <= value <= MAX_RESOLUTION:
        raise RequestError(f"resolution must be between 1 and {MAX_RESOLUTION} pixels, not {value}")


def prepare(image: Image.Image, resolution: int) -> NDArray[np.uint8]:
    """``image`` as ``[H, W, 3]`` in 0…255 with max(H, W) = min(``resolution``, its longest side).

    - The EXIF orientation is applied, then dropped.
    - Alpha, and a transparent colour of a palette, is laid on white.
    - Grey is repeated over the channels; a palette is looked up; CMYK is converted by Pillow's formula.
    - 16-bit grey is scaled, v / 257, rounded, and never clipped; of 16-bit colour Pillow's decoders keep the
      high byte of each value.

    Raises ImageError for pixels without a known range (floating point, or 32-bit integers beyond 16 bits).
    """
    upright = ImageOps.exif_transpose(image)
    return np.array(_cap(_to_rgb(upright), resolution), dtype=np.uint8)


def read(path: Path, resolution: int, name: str | None = None) -> NDArray[np.uint8]:
    """The file at ``path`` prepared at ``resolution``: ``[H, W, 3]`` in 0…255.

    Raises ImageError, with ``name`` (by default the path) and the reason, for a file that is missing, empty,
    truncated, no image, or larger than 16384 × 16384 pixels.
    """
    label = name or str(path)
    try:
        if path.stat().st_size == 0:
            raise ImageError("the file is empty")
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(f"{image.width} × {image.height} pixels are more than 16384 × 16384")
            return prepare(image, resolution)
    except MemoryError:
        raise
    except Exception as error:  # Decoders raise anything on damaged data: SyntaxError, struct.error, KeyError …
        raise ImageError(f"cannot read image '{label}': {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged or in no known image format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _scale_16_bits(image).convert("RGB")
    if image.mode == "F":
        raise ImageError("floating-point pixels have no known range")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _scale_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError("32-bit pixels beyond the range of 16 bits have no known range")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _cap(image: Image.Image, resolution: int) -> Image.Image:
    longest = max(image.size)
    if longest <= resolution:
        return image
    width, height = (max(1, round(side * resolution / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
