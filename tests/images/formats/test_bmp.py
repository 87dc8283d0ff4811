"""BMP variants written by hand, against the colours that their bits stand for: right, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vitok_lib.images.files.content import FileContent
from vitok_lib.images.prepare import ImageError, read

_RGB, _RLE8, _RLE4, _BITFIELDS = range(4)
_END_OF_ROW, _END = b"\0\0", b"\0\1"
_ROWS, _COLUMNS = np.mgrid[:5, :8]
_INDEX = ((_ROWS * 5 + _COLUMNS * 3) % 16).astype(np.uint8)
_PALETTE = np.random.default_rng(0).integers(0, 256, (16, 3), np.uint8)


def _write(path: Path, bits: int, data: bytes, *, kind: int = _RGB, masks: bytes = b"", top_down: bool = False) -> None:
    palette = b"".join(bytes([*colour[::-1], 0]) for colour in _PALETTE) if bits <= 8 else b""
    size = 40 if len(masks) <= 12 else 56
    offset = 14 + 40 + len(masks) + len(palette)
    height = -5 if top_down else 5
    header = struct.pack("<IiiHHIIiiII", size, 8, height, 1, bits, kind, len(data), 2835, 2835, len(palette) // 4, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + header + masks + palette + data)


def _bottom_up(rows: NDArray[np.generic]) -> bytes:
    return b"".join(row.tobytes() for row in rows[::-1])


def _read(path: Path) -> NDArray[np.uint8]:
    return read(FileContent(path), 64, path.name)


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_palette_of_4_and_8_bits(tmp_path: Path, bits: int, top_down: bool) -> None:
    stored = _INDEX if bits == 8 else _INDEX[:, ::2] << 4 | _INDEX[:, 1::2]
    _write(tmp_path / "a.bmp", bits, _bottom_up(stored[::-1] if top_down else stored), top_down=top_down)
    np.testing.assert_array_equal(_read(tmp_path / "a.bmp"), _PALETTE[_INDEX])


@pytest.mark.parametrize("kind", [_RLE8, _RLE4])
def test_run_lengths(tmp_path: Path, kind: int) -> None:
    """Each row: a run of three, then five as they are, padded to 16 bits."""
    index = _INDEX.copy()
    index[:, 1:3] = index[:, :1]
    coded = b""
    for row in index[::-1]:
        if kind == _RLE8:
            coded += bytes([3, row[0], 0, 5, *row[3:], 0, 0, 0])
        else:
            pairs = [row[3] << 4 | row[4], row[5] << 4 | row[6], row[7] << 4, 0]
            coded += bytes([3, row[0] << 4 | row[0], 0, 5, *pairs, 0, 0])
    _write(tmp_path / "a.bmp", 8 if kind == _RLE8 else 4, coded[:-2] + b"\0\1", kind=kind)
    np.testing.assert_array_equal(_read(tmp_path / "a.bmp"), _PALETTE[index])


@pytest.mark.parametrize(("layout", "kind"), [((5, 5, 5), _RGB), ((5, 5, 5), _BITFIELDS), ((5, 6, 5), _BITFIELDS)])
def test_16_bits_a_pixel(tmp_path: Path, layout: tuple[int, int, int], kind: int) -> None:
    levels = np.stack(
        [(_ROWS * 7 + _COLUMNS * step) % (1 << bits) for bits, step in zip(layout, (3, 5, 9), strict=True)], -1
    )
    red, green, blue = layout
    pixels = (levels[..., 0] << green + blue | levels[..., 1] << blue | levels[..., 2]).astype("<u2")
    masks = [(1 << red) - 1 << green + blue, (1 << green) - 1 << blue, (1 << blue) - 1]
    _write(tmp_path / "a.bmp", 16, _bottom_up(pixels), kind=kind, masks=struct.pack("<3I", *masks) if kind else b"")
    expected = levels * 255 / ((1 << np.array(layout)) - 1)
    assert np.abs(_read(tmp_path / "a.bmp") - expected).max() <= 1


def _four_bytes() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (5, 8, 4), np.uint8)  # blue, green, red, alpha


def test_the_fourth_byte_of_plain_32_bits_is_ignored(tmp_path: Path) -> None:
    pixels = _four_bytes()
    _write(tmp_path / "a.bmp", 32, _bottom_up(pixels))
    np.testing.assert_array_equal(_read(tmp_path / "a.bmp"), pixels[..., 2::-1])


def test_alpha_by_a_mask_is_laid_on_white(tmp_path: Path) -> None:
    pixels = _four_bytes()
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    _write(tmp_path / "a.bmp", 32, _bottom_up(pixels), kind=_BITFIELDS, masks=masks)
    alpha = pixels[..., 3:] / 255
    assert np.abs(_read(tmp_path / "a.bmp") - (pixels[..., 2::-1] * alpha + 255 * (1 - alpha))).max() <= 1


@pytest.mark.parametrize("masks", [(0xE00, 0x1F0, 0x00F), (0xF00, 0x0F0, 0x00F)], ids=["3 5 4", "4 4 4"])
def test_other_masks_are_refused(tmp_path: Path, masks: tuple[int, int, int]) -> None:
    _write(tmp_path / "a.bmp", 16, bytes(80), kind=_BITFIELDS, masks=struct.pack("<3I", *masks))
    with pytest.raises(ImageError, match=r"cannot read image 'a\.bmp'"):
        _read(tmp_path / "a.bmp")


def test_a_mask_of_alpha_in_16_bits_is_refused(tmp_path: Path) -> None:
    masks = struct.pack("<4I", 0x7C00, 0x3E0, 0x1F, 0x8000)
    _write(tmp_path / "a.bmp", 16, bytes(80), kind=_BITFIELDS, masks=masks)
    with pytest.raises(ImageError, match="masks"):
        _read(tmp_path / "a.bmp")


_ROW = bytes([8, 1]) + _END_OF_ROW


@pytest.mark.parametrize(
    "runs",
    [
        bytes([9, 1]) + _END_OF_ROW + _ROW * 4 + _END,
        bytes([0, 12, *range(12), 4, 1]) + _END_OF_ROW + _ROW * 3 + _END,
        bytes([3, 1]) + _END_OF_ROW + _ROW * 4 + _END,
        bytes([2, 1, 0, 2, 6, 0]) + _END_OF_ROW + _ROW * 4 + _END,
        _ROW * 3 + _END,
        _ROW * 3,
    ],
    ids=["run past a row", "pixels past a row", "short row", "gap", "early end", "cut"],
)
def test_run_lengths_that_do_not_give_each_pixel_a_colour_are_refused(tmp_path: Path, runs: bytes) -> None:
    """The file of bmpsuite that Pillow fills with what it likes, ``badrle.bmp``, is of the first kind."""
    _write(tmp_path / "whole.bmp", 8, _ROW * 5 + _END, kind=_RLE8)
    np.testing.assert_array_equal(_read(tmp_path / "whole.bmp"), np.broadcast_to(_PALETTE[1], (5, 8, 3)))
    _write(tmp_path / "a.bmp", 8, runs, kind=_RLE8)
    with pytest.raises(ImageError, match=r"cannot read image 'a\.bmp': "):
        _read(tmp_path / "a.bmp")


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_a_palette_of_black_and_white_alone(tmp_path: Path, bits: int) -> None:
    """Of one bit it is right; of more, Pillow would take eight pixels for each byte."""
    index = _INDEX % 2
    packed = np.packbits(index, axis=1) if bits == 1 else index[:, ::2] << 4 | index[:, 1::2] if bits == 4 else index
    rows = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))
    header = struct.pack("<IiiHHIIiiII", 40, 8, 5, 1, bits, 0, rows.size, 0, 0, 2, 0)
    palette = bytes([0, 0, 0, 0, 255, 255, 255, 0])
    data = b"BM" + struct.pack("<IHHI", 62 + rows.size, 0, 0, 62) + header + palette + _bottom_up(rows)
    (tmp_path / "a.bmp").write_bytes(data)
    if bits == 1:
        np.testing.assert_array_equal(_read(tmp_path / "a.bmp"), (index * 255)[..., None].repeat(3, -1))
    else:
        with pytest.raises(ImageError, match="palette of greys"):
            _read(tmp_path / "a.bmp")


def test_a_grey_beyond_a_palette_of_greys_is_refused(tmp_path: Path) -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, 8, 0, 4, 0, 0, 16, 0)
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in range(16))
    start = b"BM" + struct.pack("<IHHI", 122, 0, 0, 118) + header + palette
    (tmp_path / "a.bmp").write_bytes(start + bytes([0, 5, 9, 15]))
    np.testing.assert_array_equal(_read(tmp_path / "a.bmp")[0, :, 0], [0, 5, 9, 15])
    (tmp_path / "a.bmp").write_bytes(start + bytes([0, 5, 9, 16]))
    with pytest.raises(ImageError, match="beyond the 16 of the palette"):
        _read(tmp_path / "a.bmp")
