"""PNG at every depth and colour type with a transparent colour, against arithmetic on the samples written by hand."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.images.files.content import FileContent
from vitok_lib.images.prepare import ImageError, read

_GREY, _COLOUR, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 4, 6
_CHANNELS = {_GREY: 1, _COLOUR: 3, _GREY_ALPHA: 2, _COLOUR_ALPHA: 4}


def _write(path: Path, samples: NDArray[np.int64], depth: int, kind: int, key: NDArray[np.int64] | None) -> None:
    """``samples``: [H, W, C]."""
    height, width, _ = samples.shape
    bits = (samples[..., None] >> np.arange(depth)[::-1] & 1).astype(np.uint8)
    rows = np.packbits(bits.reshape(height, -1), axis=1)
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)]
    if key is not None:
        chunks.append(b"tRNS" + key.astype(">u2").tobytes())
    chunks += [b"IDAT" + zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)), b"IEND"]
    framed = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))


def _samples(depth: int, kind: int) -> NDArray[np.int64]:
    return np.random.default_rng(depth).integers(0, 1 << depth, (11, 13, _CHANNELS[kind]))


@pytest.mark.parametrize(
    ("kind", "depth"), [(_GREY, 1), (_GREY, 2), (_GREY, 4), (_GREY, 8), (_GREY, 16), (_COLOUR, 8), (_COLOUR, 16)]
)
@pytest.mark.parametrize("high", [False, True], ids=["dark key", "bright key"])
def test_a_transparent_colour_is_white_and_no_other(tmp_path: Path, kind: int, depth: int, high: bool) -> None:
    samples, highest = _samples(depth, kind), (1 << depth) - 1
    key = np.full(_CHANNELS[kind], highest - 1 if high and depth > 1 else int(high) if depth == 1 else 1)
    samples[3], samples[4] = key, key ^ 1  # the other differs in the lowest bit alone
    _write(tmp_path / "a.png", samples, depth, kind, key)
    shown = np.where((samples == key).all(-1, keepdims=True), 255, np.rint(samples * 255 / highest))
    got = read(FileContent(tmp_path / "a.png"), 64, "a.png")
    np.testing.assert_array_equal(got, np.broadcast_to(shown, got.shape))


@pytest.mark.parametrize("form", ["png", "bmp"])
def test_a_pixel_beyond_the_palette_is_refused(tmp_path: Path, form: str) -> None:
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert("P")
    image.putpalette([value for grey in range(12) for value in (grey * 20, 0, 0)])
    image.save(tmp_path / f"a.{form}")
    got = read(FileContent(tmp_path / f"a.{form}"), 64, "whole")
    np.testing.assert_array_equal(got[..., 0], np.arange(12).reshape(3, 4) * 20)
    data = (tmp_path / f"a.{form}").read_bytes()
    if form == "png":  # a palette of the first eight colours
        at = data.index(b"PLTE") - 4
        length = int.from_bytes(data[at : at + 4])
        chunk = b"PLTE" + data[at + 8 : at + 8 + 24]
        framed = struct.pack(">I", 24) + chunk + struct.pack(">I", zlib.crc32(chunk))
        data = data[:at] + framed + data[at + 12 + length :]
    else:
        data = data[:46] + struct.pack("<I", 8) + data[50:]
    (tmp_path / f"b.{form}").write_bytes(data)
    with pytest.raises(ImageError, match="palette"):
        read(FileContent(tmp_path / f"b.{form}"), 64, "short")


@pytest.mark.parametrize("kind", [_GREY_ALPHA, _COLOUR_ALPHA])
def test_16_bit_alpha_is_laid_on_white(tmp_path: Path, kind: int) -> None:
    samples = _samples(16, kind)
    _write(tmp_path / "a.png", samples, 16, kind, None)
    colour, alpha = samples[..., :-1] / 257, samples[..., -1:] / 65535
    got = read(FileContent(tmp_path / "a.png"), 64, "a.png")
    np.testing.assert_allclose(got, np.broadcast_to(colour * alpha + 255 * (1 - alpha), got.shape), atol=0.51)


def test_a_turned_image_keeps_its_transparent_colour_in_place(tmp_path: Path) -> None:
    samples = _samples(8, _GREY)
    samples[0, :5] = 7
    _write(tmp_path / "a.png", samples, 8, _GREY, np.array([7]))
    data = (tmp_path / "a.png").read_bytes()
    exif = b"eXIf" + b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    chunk = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
    at = data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + chunk + data[at:])
    got = read(FileContent(tmp_path / "a.png"), 64, "a.png")
    shown = np.rot90(np.where(samples == 7, 255, samples), -1)
    np.testing.assert_array_equal(got, np.broadcast_to(shown, got.shape))


def _adam7(samples: NDArray[np.int64]) -> bytes:
    """8-bit rows of the seven passes, in the order of the standard (section 8.2)."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = (samples[top::down, left::across] for top, left, down, across in passes)
    return b"".join(b"\0" + row.astype(np.uint8).tobytes() for part in parts if part.size for row in part)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("height", [1, 10, 11])
def test_rows_that_the_data_does_not_hold_are_no_black_ones(tmp_path: Path, interlaced: bool, height: int) -> None:
    """The data ends as it should, only too early; rows that are black in truth are read."""
    samples = _samples(8, _COLOUR)[:height] | 1
    samples[height // 2 :] = 0
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in samples)
    data = _adam7(samples) if interlaced else rows

    def write(stored: bytes) -> None:
        header = struct.pack(">IIBBBBB", 13, height, 8, _COLOUR, 0, 0, interlaced)
        packed = zlib.compress(stored)
        parts = [b"IDAT" + packed[start : start + 7] for start in range(0, len(packed), 7)]
        framed = (
            struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
            for chunk in [b"IHDR" + header, *parts, b"IEND"]
        )
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(framed))

    write(data)
    np.testing.assert_array_equal(read(FileContent(tmp_path / "a.png"), 64, "a.png"), samples)
    for missing in (1, 40, len(data) // 2):
        write(data[: max(0, len(data) - missing)])
        with pytest.raises(ImageError, match=r"cannot read image 'a\.png': "):
            read(FileContent(tmp_path / "a.png"), 64, "a.png")
