"""What Pillow reads of a PNG file otherwise than its standard says: a transparent colour, and rows that are missing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from vitok_lib.images.errors import ImageError

_HEADER, _SIGNATURE = 16, 8  # bytes before the header's fields, and before the first chunk
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_BLOCK = 1 << 20  # bytes that are unpacked at a time
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of an interlaced file: first column and row, step of columns and of rows (PNG, section 8.2)."""


def take_colour_key(image: ImageFile.ImageFile, stream: BinaryIO) -> NDArray[np.int64] | None:
    """The grey value or colour that the file declares transparent, as its pixels hold it; Pillow forgets it.

    The key is stated at the file's bit depth, while Pillow stretches fewer bits to 8 and cuts 16-bit colour to 8.
    """
    if image.mode not in ("1", "L", "I;16", "RGB") or "transparency" not in image.info:
        return None
    key = np.atleast_1d(np.asarray(image.info.pop("transparency"), np.int64))
    highest = (1 << _header(stream)[2]) - 1
    if image.mode == "1":
        return key
    return (key & highest) * (255 // highest if highest < 255 else 1)


def check_complete(image: ImageFile.ImageFile, stream: BinaryIO) -> None:
    """Raise ImageError if the data of a loaded ``image`` ends before its last row, which Pillow leaves black.

    The data is only unpacked a second time where the row that comes last in the file is black.
    """
    width, height, depth, kind, interlaced = _header(stream)
    last = height - 1 - (interlaced and height % 2)  # an interlaced file ends with the last odd row
    if last >= 0 and np.asarray(image.crop((0, last, width, last + 1))).any():
        return
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    needed = 0
    for left, top, across, down in passes:
        columns, rows = -((left - width) // across), -((top - height) // down)
        needed += rows * (1 + (columns * depth * _CHANNELS[kind] + 7) // 8) if columns > 0 and rows > 0 else 0
    found = sum(_unpacked_sizes(stream))
    if found < needed:
        raise ImageError(f"its pixels end after {found} of {needed} bytes")


def _header(stream: BinaryIO) -> tuple[int, int, int, int, bool]:
    """Width, height, bits of a sample, colour type, and whether the file is interlaced."""
    stream.seek(_HEADER)
    width, height, depth, kind, interlaced = struct.unpack(">IIBB2xB", stream.read(13))
    return width, height, depth, kind, bool(interlaced)


def _unpacked_sizes(stream: BinaryIO) -> Iterator[int]:
    """Of the image data, block by block."""
    inflate = zlib.decompressobj()
    stream.seek(_SIGNATURE)
    while len(head := stream.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name != b"IDAT":
            stream.seek(length + 4, 1)
            continue
        data = stream.read(length)
        while data and not inflate.eof:
            yield len(inflate.decompress(data, _BLOCK))
            data = inflate.unconsumed_tail
        stream.seek(4, 1)
