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
