"""Which BMP files Pillow reads as their bits mean; the others are refused by name.

The format is that of Microsoft's BITMAPINFOHEADER and its successors. Pillow fills what a file leaves out, cuts runs at
the end of a row without a word, and takes a palette of black and white for pixels of one bit.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from PIL import BmpImagePlugin

from vitok_lib.images.errors import ImageError

_CORE_HEADER = 12  # bytes, of OS/2, which has neither compression nor masks
_FILE_HEADER = 14  # bytes before it
_WITH_ALPHA_MASK = 56  # bytes of the first header that has one
_RLE, _BITFIELDS = {1: 8, 2: 4}, 3  # compressions, of run lengths with their bits a pixel
_END_OF_ROW, _END, _DELTA = 0, 1, 2
_BITS_OF_GREY = {"1": 1, "L": 8}  # by Pillow's raw mode


def check(image: BmpImagePlugin.BmpImageFile, stream: BinaryIO) -> None:
    """Raise ImageError unless the pixels come out right."""
    bits, compression, masks = _header(stream)
    tile = image.tile[0]
    if compression in _RLE:
        stream.seek(tile.offset)
        _check_runs(stream.read(), image.size, _RLE[compression], tile.offset)
    if _BITS_OF_GREY.get(str(tile.args[0]), bits) != bits:  # type: ignore[index]
        raise ImageError(f"{bits}-bit BMP pixels with a palette of greys alone are not read")
    if compression == _BITFIELDS and (not any(masks) or (bits == 16 and masks[3])):
        raise ImageError("these BMP masks of colour and alpha are not read")


def palette_size(stream: BinaryIO) -> int | None:
    """Colours in the palette where they are fewer than the bits of a pixel can name, else None."""
    bits, _, _ = _header(stream)
    stream.seek(_FILE_HEADER)
    header = stream.read(36)
    size, colours = struct.unpack("<I28xI", header)
    return colours if size > _CORE_HEADER and 0 < colours < 1 << bits <= 256 else None


def _header(stream: BinaryIO) -> tuple[int, int, tuple[int, ...]]:
    """Bits a pixel, compression, and the masks of red, green, blue and alpha."""
    stream.seek(_FILE_HEADER)
    header = stream.read(_WITH_ALPHA_MASK).ljust(_WITH_ALPHA_MASK, b"\0")
    size: int = struct.unpack_from("<I", header)[0]
    if size == _CORE_HEADER:
        return struct.unpack_from("<H", header, 10)[0], 0, ()
    bits, compression = struct.unpack_from("<HI", header, 14)
    masks = struct.unpack_from("<4I" if size >= _WITH_ALPHA_MASK else "<3I4x", header, 40)
    return bits, compression, (*masks, 0)


def _check_runs(data: bytes, size: tuple[int, int], bits: int, offset: int) -> None:
    """Raise ImageError unless the run lengths give each pixel of each row one colour."""
    position, x, rows = 0, 0, 0
    while position + 1 < len(data):
        count, value = data[position : position + 2]
        position += 2
        if count:
            x += count
        elif value == _END_OF_ROW and x == size[0]:
            x, rows = 0, rows + 1
        elif value == _END:
            break
        elif value > _DELTA and offset % 2 == 0:  # Pillow pads to 16 bits of the file, not of its pixels
            x += value
            length = (value * bits + 7) // 8
            position += length + length % 2
        else:
            raise ImageError("BMP run lengths that leave pixels without a colour are not read")
        if x > size[0]:
            raise ImageError("BMP run lengths that go past the end of a row are not read")
    if (rows, x) not in ((size[1], 0), (size[1] - 1, size[0])):
        raise ImageError(f"BMP run lengths give {rows} rows of {size[1]}")
