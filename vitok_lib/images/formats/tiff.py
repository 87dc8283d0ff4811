"""Which TIFF files Pillow reads as the standard means them; the others are refused by name.

TIFF 6.0 (Adobe, 1992) leaves much open, and Pillow guesses where it does not know a variant: signed samples are read as
unsigned, 12 bits as 16, 16-bit planes by their wrong bytes, strips that are not there as black. Only what was compared
with an independent reader passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from PIL import TiffImagePlugin as Tiff

from vitok_lib.images.errors import ImageError

_GREY_WHITE_IS_ZERO, _GREY, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {_GREY_WHITE_IS_ZERO: 1, _GREY: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_UNSIGNED = 1
_BITS = (1, 2, 4, 8, 16)
_SEPARATE_PLANES = 2
_JPEG = (6, 7)
_REDUCED_OR_MASK = 0b101
_NEW_SUBFILE_TYPE, _INK_SET = 254, 332  # tags
_CMYK_INKS = 1
_BIG_TIFF = (b"+\0", b"\0+")


def select_page(image: Tiff.TiffImageFile, stream: BinaryIO) -> None:
    """Go to the one page of full size, which need not be the first; ImageError if several are."""
    full = [number for number, kind in enumerate(_page_kinds(stream)) if not kind & _REDUCED_OR_MASK]
    if len(full) > 1:
        raise ImageError(f"it holds {len(full)} pages, and which is meant is not said; split it")
    if full and full[0] > 0:
        image.seek(full[0])


def _page_kinds(stream: BinaryIO) -> Iterator[int]:
    """The NewSubfileType of each page, read without a look at its pixels, which Pillow may not know."""
    stream.seek(0)
    header = stream.read(8)
    directory = Tiff.ImageFileDirectory_v2(header + (stream.read(8) if header[2:4] in _BIG_TIFF else b""))
    seen: set[int] = set()
    while directory.next and directory.next not in seen:
        seen.add(directory.next)
        stream.seek(directory.next)
        directory.load(stream)
        yield directory.get(_NEW_SUBFILE_TYPE, 0)


def check(image: Tiff.TiffImageFile) -> None:
    """Raise ImageError unless the pixels of the current page come out right."""
    tags = image.tag_v2
    photometric = tags.get(Tiff.PHOTOMETRIC_INTERPRETATION)
    if photometric not in _CHANNELS:
        raise ImageError(f"photometric interpretation {photometric} of TIFF is not read")
    bits = set(tags.get(Tiff.BITSPERSAMPLE, (1,)))
    formats = set(tags.get(Tiff.SAMPLEFORMAT, (_UNSIGNED,)))
    if formats != {_UNSIGNED}:
        raise ImageError("TIFF samples that are signed, floating-point or complex have no known range")
    if len(bits) > 1 or not bits <= set(_BITS):
        raise ImageError(f"TIFF samples of {', '.join(map(str, sorted(bits)))} bits are not read")
    samples = tags.get(Tiff.SAMPLESPERPIXEL, 1)
    extra = tags.get(Tiff.EXTRASAMPLES, ())
    extra = extra if isinstance(extra, tuple) else (extra,)
    if samples - _CHANNELS[photometric] > len(extra):
        raise ImageError(f"of {samples} TIFF samples a pixel some have no stated meaning")
    in_planes = samples > 1 and tags.get(Tiff.PLANAR_CONFIGURATION) == _SEPARATE_PLANES
    if in_planes and (bits == {16} or _CHANNELS[photometric] == 1):
        raise ImageError("TIFF samples in separate planes are not read where they have 16 bits, or are grey and alpha")
    if tags.get(Tiff.FILLORDER, 1) != 1 and bits != {1}:
        raise ImageError("TIFF bytes whose lowest bit comes first are not read")
    if photometric == _CMYK and (any(extra) or tags.get(_INK_SET, _CMYK_INKS) != _CMYK_INKS):
        raise ImageError("TIFF inks other than CMYK, or CMYK with transparency, are not read")
    if photometric == _YCBCR and tags.get(Tiff.COMPRESSION) not in _JPEG:
        raise ImageError("YCbCr in TIFF is only read where it is compressed as JPEG")
    if photometric == _PALETTE and max(tags.get(Tiff.COLORMAP, (0,))) < 256:
        raise ImageError("the TIFF palette holds 8-bit values where the standard has 16-bit ones")
    _check_complete(tags, samples if in_planes else 1)


def _check_complete(tags: Tiff.ImageFileDirectory_v2, planes: int) -> None:
    """Raise ImageError if a strip or a tile is not in the file, which some programs leave out where all is black."""
    width, height = tags[Tiff.IMAGEWIDTH], tags[Tiff.IMAGELENGTH]
    across = tags.get(Tiff.TILEWIDTH) or width
    down = tags.get(Tiff.TILELENGTH) or tags.get(Tiff.ROWSPERSTRIP) or height
    needed = -(-width // across) * -(-height // down) * planes
    offsets = tags.get(Tiff.TILEOFFSETS) or tags.get(Tiff.STRIPOFFSETS)
    if offsets is None and tags.get(Tiff.COMPRESSION) in _JPEG:
        return  # the old kind keeps one JPEG file elsewhere
    held = sum(offset > 0 for offset in offsets or ())
    if held < needed:
        raise ImageError(f"of {needed} TIFF strips or tiles only {held} are in the file")


def is_white_zero(image: Tiff.TiffImageFile) -> bool:
    """Whether grey runs from white (0) to black."""
    return bool(image.tag_v2.get(Tiff.PHOTOMETRIC_INTERPRETATION) == _GREY_WHITE_IS_ZERO)
