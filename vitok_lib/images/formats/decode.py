"""How the bytes of a file become 8-bit RGB, upright and opaque, at the size that the file has.

Pillow decodes. What it reads otherwise than the standards of PNG, BMP and TIFF say is mended here, or refused in
``png``, ``bmp`` and ``tiff``.
"""

from __future__ import annotations

import sys
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, ExifTags, Image, ImageFile, ImageOps, TiffImagePlugin

from vitok_lib.images.errors import ImageError
from vitok_lib.images.formats import bmp, png, tiff
from vitok_lib.images.formats.pillow import MAX_PIXELS

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF", "GIF")
"""What a file may hold, whatever its name says. Pillow knows more, of which EPS would start another program."""

_HIGHEST = 65535
_OTHER_BYTE = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
_GREY_ALPHA = "LA;16B"
_ANIMATED = ("PNG", "WEBP", "AVIF", "GIF")


def decode(stream: BinaryIO) -> Image.Image:
    """The image in ``stream``, mode RGB; raises ImageError, or whatever a decoder raises on damaged data."""
    with _open(stream) as image:
        white_is_zero, key = False, None
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            tiff.check(image)
            white_is_zero = tiff.is_white_zero(image)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{image.width} × {image.height} pixels are more than 16384 × 16384")
        if image.format in _ANIMATED and getattr(image, "is_animated", False):
            raise ImageError("it is an animation, and which of its frames is meant is not said; save that one")
        if isinstance(image, BmpImagePlugin.BmpImageFile):
            bmp.check(image, stream)
        rawmode, colours = _rawmode(image), _palette_size(image, stream)
        if image.format == "PNG":
            key = png.take_colour_key(image, stream)
            image.load()
            png.check_complete(image, stream)
        if image.mode in ("RGB", "RGBA", "CMYK") and rawmode[-4:] in {*_OTHER_BYTE, _GREY_ALPHA[-4:]}:
            values = _16_bit_values(stream, rawmode)
            shown = _on_white(values, image.mode == "CMYK", premultiplied=rawmode.startswith("RGBa"))
            return shown if key is None else _with_white(shown, values, key)
        turned = upright(image)
        if colours is not None and _values(turned).max() >= colours:
            raise ImageError(f"a pixel names a colour beyond the {colours} of the palette")
        if white_is_zero and turned.mode == "I;16":  # Pillow inverts up to 8 bits
            turned = Image.fromarray(_HIGHEST - _values(turned))
        shown = to_rgb(turned)
        return shown if key is None else _with_white(shown, _values(turned), key)


def _values(image: Image.Image) -> NDArray[Any]:
    """A copy of the samples of ``image`` as they are stored, ``[H, W]`` or ``[H, W, C]``."""
    return np.asarray(image.convert("L") if image.mode == "1" else image)


def upright(image: Image.Image) -> Image.Image:
    """``image`` turned as its EXIF orientation says."""
    image.load()
    # Pillow's function would copy an image that is upright already: 268 MB at 8192 × 8192.
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def to_rgb(image: Image.Image) -> Image.Image:
    """``image`` in mode RGB, what is transparent on white; ImageError for pixels without a known range."""
    if image.mode.startswith("I"):
        return _scale_16_bits(image).convert("RGB")
    if image.mode == "F":
        raise ImageError("floating-point pixels have no known range")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _scale_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > _HIGHEST:
        raise ImageError("32-bit pixels beyond the range of 16 bits have no known range")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _open(stream: BinaryIO) -> ImageFile.ImageFile:
    stream.seek(0)
    image = Image.open(stream, formats=FORMATS)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tiff.select_page(image, stream)
    return image


def _rawmode(image: ImageFile.ImageFile) -> str:
    """How the samples lie in the file, in Pillow's words."""
    args = image.tile[0].args if image.tile else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _16_bit_values(stream: BinaryIO, rawmode: str) -> NDArray[np.uint16]:
    """Colour and alpha of 16 bits, ``[H, W, C]``.

    Pillow keeps one byte of each: the image is decoded once for the high bytes and once for the low ones. All of grey
    with alpha fits into the 32 bits of one RGBA pixel.
    """
    if rawmode == _GREY_ALPHA:
        parts = _decoded(stream, "RGBA")
        high, low = parts[..., ::2], parts[..., 1::2]
    else:
        stored = rawmode.replace("RGBa", "RGBA")  # as it is, not divided by alpha
        high, low = _decoded(stream, stored), _decoded(stream, stored[:-4] + _OTHER_BYTE[stored[-4:]])
    return high * np.uint16(256) + low


def _decoded(stream: BinaryIO, rawmode: str) -> NDArray[np.uint8]:
    with _open(stream) as image:
        image.tile = [
            tile._replace(args=(rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode)
            for tile in image.tile
        ]
        return np.array(upright(image))


def _on_white(values: NDArray[np.uint16], cmyk: bool, premultiplied: bool) -> Image.Image:
    """8-bit RGB of 16-bit samples, ``[H, W, C]``: grey or RGB, with alpha or without, or CMYK by Pillow's formula."""
    wide = values.astype(np.uint32)  # holds 65535² and its rounding
    if cmyk:
        wide = ((_HIGHEST - wide[..., :3]) * (_HIGHEST - wide[..., 3:]) + _HIGHEST // 2) // _HIGHEST
    elif wide.shape[-1] in (2, 4):
        colour, alpha = wide[..., :-1], wide[..., -1:]
        white = _HIGHEST - alpha
        if premultiplied:
            wide = np.minimum(colour + white, _HIGHEST)
        else:
            wide = (colour * alpha + _HIGHEST * white + _HIGHEST // 2) // _HIGHEST
    shown = ((wide + 128) // 257).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(shown, (*shown.shape[:2], 3)).copy())


def _palette_size(image: ImageFile.ImageFile, stream: BinaryIO) -> int | None:
    """Colours in the palette of a PNG or BMP file, which Pillow fills up with black; None where any index fits."""
    if image.format == "BMP":
        return bmp.palette_size(stream)
    if image.mode != "P" or image.palette is None or image.format != "PNG":
        return None
    layout, data = image.palette.getdata()
    return len(data) // len(layout)


def _with_white(shown: Image.Image, values: NDArray[np.generic], key: NDArray[np.int64]) -> Image.Image:
    """``shown`` with white where ``values``, ``[H, W]`` or ``[H, W, 3]``, are the colour ``key``."""
    pixels = np.array(shown)
    pixels[(values.reshape(*pixels.shape[:2], -1) == key).all(axis=-1)] = 255
    return Image.fromarray(pixels)
