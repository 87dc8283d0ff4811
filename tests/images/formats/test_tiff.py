"""TIFF variants against arithmetic on what ``tifffile`` wrote: right, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.images.files.content import FileContent
from vitok_lib.images.prepare import ImageError, read

_ROWS, _COLUMNS = np.mgrid[:20, :24]
_GREY16 = ((_COLUMNS * 2711 + _ROWS * 937) % 65536).astype(np.uint16)
_GREY8 = ((_COLUMNS * 11 + _ROWS * 3) % 256).astype(np.uint8)
_RGB16 = np.stack([_GREY16, _GREY16[::-1], _GREY16[:, ::-1]], -1)
_RGB8 = np.stack([_GREY8, _GREY8[::-1], _GREY8[:, ::-1]], -1)
_ALPHA = (_COLUMNS * 10 % 256)[..., None] / 255
_PALETTE = np.random.default_rng(0).integers(0, 65536, (3, 256), dtype=np.uint16)
_INKS = np.dstack([_RGB16, _GREY16 // 2])


def _grey(levels: NDArray[Any]) -> NDArray[Any]:
    return levels[..., None].repeat(3, -1)


def _read(path: Path) -> NDArray[np.int64]:
    return read(FileContent(path), 64, path.name).astype(np.int64)


def _with_alpha(values: NDArray[Any], highest: int, is_premultiplied: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """The stored samples and what they look like on white."""
    alpha = np.rint(_ALPHA * highest).astype(values.dtype)
    stored = np.rint(values * _ALPHA).astype(values.dtype) if is_premultiplied else values
    colour = stored if is_premultiplied else values * _ALPHA
    return np.concatenate([stored, alpha], -1), np.rint((colour / highest + 1 - _ALPHA) * 255)


_STRAIGHT8, _STRAIGHT8_SHOWN = _with_alpha(_RGB8, 255, False)
_PREMULTIPLIED8, _PREMULTIPLIED8_SHOWN = _with_alpha(_RGB8, 255, True)
_STRAIGHT16, _STRAIGHT16_SHOWN = _with_alpha(_RGB16, 65535, False)
_PREMULTIPLIED16, _PREMULTIPLIED16_SHOWN = _with_alpha(_RGB16, 65535, True)

_RIGHT: dict[str, tuple[NDArray[Any], NDArray[Any], dict[str, Any]]] = {
    "grey 8": (_GREY8, _grey(_GREY8), {"photometric": "minisblack"}),
    "grey 16": (_GREY16, _grey(_GREY16 / 257), {"photometric": "minisblack"}),
    "white is zero 1": (_GREY8 > 99, _grey((_GREY8 <= 99) * 255), {"photometric": "miniswhite"}),
    "white is zero 8": (_GREY8, _grey(255 - _GREY8), {"photometric": "miniswhite"}),
    "colour 8": (_RGB8, _RGB8, {"photometric": "rgb"}),
    "colour 16": (_RGB16, _RGB16 / 257, {"photometric": "rgb"}),
    "planes 8": (np.moveaxis(_RGB8, -1, 0), _RGB8, {"photometric": "rgb", "planarconfig": "separate"}),
    "palette": (_GREY8, (_PALETTE >> 8).T[_GREY8], {"photometric": "palette", "colormap": _PALETTE}),
    "alpha 8": (_STRAIGHT8, _STRAIGHT8_SHOWN, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "premultiplied 8": (_PREMULTIPLIED8, _PREMULTIPLIED8_SHOWN, {"photometric": "rgb", "extrasamples": ["assocalpha"]}),
    "alpha 16": (_STRAIGHT16, _STRAIGHT16_SHOWN, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "premultiplied 16": (
        _PREMULTIPLIED16,
        _PREMULTIPLIED16_SHOWN,
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
    ),
    "fourth sample of no meaning": (_STRAIGHT8, _RGB8, {"photometric": "rgb", "extrasamples": ["unspecified"]}),
    "cmyk 16": (_INKS, (65535 - _INKS[..., :3].astype(float)) * (65535 - _INKS[..., 3:]) / 65535 / 257,
                {"photometric": "separated"}),
}  # fmt: skip


@pytest.mark.parametrize("name", _RIGHT)
@pytest.mark.parametrize(
    "layout",
    [{}, {"byteorder": ">"}, {"compression": "deflate"}, {"compression": "deflate", "tile": (16, 16)}],
    ids=["plain", "big-endian", "deflate", "tiles"],
)
def test_a_variant_is_read_right(tmp_path: Path, name: str, layout: dict[str, Any]) -> None:
    samples, expected, how = _RIGHT[name]
    tifffile.imwrite(tmp_path / "a.tif", samples, **how, **layout)
    assert np.abs(_read(tmp_path / "a.tif") - expected).max() <= 1


def test_16_bits_whose_zero_is_white_are_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", _GREY16, photometric="miniswhite")
    np.testing.assert_array_equal(_read(tmp_path / "a.tif"), np.rint(_grey(255 - _GREY16 / 257)))


_REFUSED: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "signed 8": ((_GREY8.astype(int) - 128).astype(np.int8), {}),
    "signed 16, none below zero": ((_GREY16 // 2).astype(np.int16), {}),
    "signed 16 colour": ((_RGB16 // 2).astype(np.int16), {"photometric": "rgb"}),
    "signed 32": (_GREY16.astype(np.int32), {}),
    "unsigned 32": (_GREY16.astype(np.uint32), {}),
    "floating point": (_GREY16.astype(np.float32), {}),
    "planes of 16 bits": (np.moveaxis(_RGB16, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
    "planes of grey and alpha": (
        np.stack([_GREY8, _GREY8[::-1]]),
        {"planarconfig": "separate", "extrasamples": ["unassalpha"], "compression": "deflate"},
    ),
    "Lab": (_RGB8, {"photometric": "cielab"}),
    "YCbCr without JPEG": (_RGB8, {"photometric": "ycbcr"}),
    "cmyk with alpha": (np.dstack([_RGB8] * 2)[..., :5], {"photometric": "separated", "extrasamples": ["unassalpha"]}),
    "8-bit palette": (_GREY8, {"photometric": "palette", "colormap": _PALETTE >> 8}),
    "two pages": (np.stack([_RGB8, _RGB8]), {"photometric": "rgb"}),
}


@pytest.mark.parametrize("name", _REFUSED)
def test_a_variant_that_pillow_misreads_is_refused_by_name(tmp_path: Path, name: str) -> None:
    samples, how = _REFUSED[name]
    tifffile.imwrite(tmp_path / "a.tif", samples, **{"photometric": "minisblack", **how})
    with pytest.raises(ImageError, match=r"cannot read image 'a\.tif': "):
        _read(tmp_path / "a.tif")


@pytest.mark.parametrize("missing", ["its place is nowhere", "it is not listed"])
@pytest.mark.parametrize("layout", [{"rowsperstrip": 5}, {"tile": (16, 16)}], ids=["strips", "tiles"])
def test_a_piece_that_is_not_in_the_file_is_not_black(tmp_path: Path, layout: dict[str, Any], missing: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", _RGB8, photometric="rgb", metadata=None, **layout)
    np.testing.assert_array_equal(_read(tmp_path / "a.tif"), _RGB8)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        tag = file.pages[0].tags["TileOffsets" if "tile" in layout else "StripOffsets"]
        tag.overwrite(tag.value[:-1] if missing == "it is not listed" else (*tag.value[:-1], 0))
    with pytest.raises(ImageError, match="of 4 TIFF strips or tiles only 3 are in the file"):
        _read(tmp_path / "a.tif")


def _write(path: Path, rows: bytes, bits: int, fill_order: int = 1) -> None:
    """Grey of 20 rows and 24 columns in one strip."""
    tags = {256: 24, 257: 20, 258: bits, 259: 1, 262: 1, 266: fill_order, 273: 0, 277: 1, 278: 20, 279: len(rows)}
    tags[273] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + rows)


def _lowest_bit_first(rows: NDArray[np.uint8]) -> bytes:
    return np.packbits(np.unpackbits(rows.reshape(-1, 1), axis=1)[:, ::-1], axis=1).tobytes()


def test_12_bits_are_refused(tmp_path: Path) -> None:
    bits = (_GREY16[..., None] >> np.arange(4, 16)[::-1] & 1).astype(np.uint8)
    _write(tmp_path / "a.tif", np.packbits(bits.reshape(20, -1), axis=1).tobytes(), 12)
    with pytest.raises(ImageError, match="12 bits"):
        _read(tmp_path / "a.tif")


def test_the_lowest_bit_first_is_turned_around_or_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.tif", _lowest_bit_first(np.packbits(_GREY8 > 99, axis=1)), 1, fill_order=2)
    np.testing.assert_array_equal(_read(tmp_path / "a.tif"), _grey((_GREY8 > 99) * 255))
    _write(tmp_path / "a.tif", _lowest_bit_first(_GREY8), 8, fill_order=2)
    with pytest.raises(ImageError, match="lowest bit"):
        _read(tmp_path / "a.tif")


@pytest.mark.parametrize("order", ["thumbnail first", "thumbnail last", "mask last"])
def test_of_several_pages_the_one_of_full_size_is_read(tmp_path: Path, order: str) -> None:
    pages: list[tuple[NDArray[Any], str, int]] = [(_RGB8, "rgb", 0), (_RGB8[::4, ::4], "rgb", 1)]
    if order == "thumbnail first":
        pages.reverse()
    elif order == "mask last":
        pages[1] = (_GREY8 > 99, "mask", 4)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for samples, photometric, kind in pages:
            writer.write(samples, photometric=photometric, subfiletype=kind)
    np.testing.assert_array_equal(_read(tmp_path / "a.tif"), _RGB8)


def test_a_file_that_pillow_wrote_is_read(tmp_path: Path) -> None:
    for compression in (None, "tiff_lzw", "packbits"):
        Image.fromarray(_RGB8).save(tmp_path / "a.tif", compression=compression)
        np.testing.assert_array_equal(_read(tmp_path / "a.tif"), _RGB8)
