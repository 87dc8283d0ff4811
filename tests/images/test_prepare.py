"""Preparation against arrays worked out by hand."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vitok_lib.images.files.content import FileContent
from vitok_lib.images.formats.pillow import MAX_PIXELS, reading
from vitok_lib.images.prepare import CENTRE_CROP, ImageError, prepare, read

_ORIENTATION_TAG = 0x0112
_RNG = np.random.default_rng(0)
_PIXELS = _RNG.integers(0, 256, (7, 5, 3), dtype=np.uint8)

# What the EXIF standard says a viewer must do with the stored rows and columns.
_UPRIGHT = {
    1: _PIXELS,
    2: _PIXELS[:, ::-1],
    3: _PIXELS[::-1, ::-1],
    4: _PIXELS[::-1],
    5: _PIXELS.transpose(1, 0, 2),
    6: np.rot90(_PIXELS, -1),
    7: _PIXELS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(_PIXELS, 1),
}


def _png(image: Image.Image, **options: object) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "png", **options)
    return Image.open(file)


@pytest.mark.parametrize("orientation", _UPRIGHT)
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    prepared = prepare(_png(Image.fromarray(_PIXELS), exif=exif), 64)
    np.testing.assert_array_equal(prepared, _UPRIGHT[orientation])


def test_alpha_is_laid_on_white() -> None:
    alpha = _RNG.integers(0, 256, (7, 5, 1), dtype=np.uint8)
    image = Image.fromarray(np.concatenate([_PIXELS, alpha], axis=-1))
    share = alpha / 255
    expected = _PIXELS * share + 255 * (1 - share)
    assert np.abs(prepare(image, 64) - expected).max() <= 1


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "L").convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    prepared = prepare(_png(image, transparency=0), 64)
    white, colour = [255, 255, 255], [200, 100, 50]
    np.testing.assert_array_equal(prepared, [[white, colour], [colour, white]])


def test_a_palette_is_looked_up() -> None:
    image = Image.new("P", (1, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    np.testing.assert_array_equal(prepare(image, 64), [[[200, 100, 50]], [[200, 100, 50]]])


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey_is_repeated_over_the_channels(mode: str) -> None:
    grey = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert(mode)
    np.testing.assert_array_equal(prepare(grey, 64), np.array([[0, 255], [255, 0]])[..., None].repeat(3, -1))


def test_cmyk_is_converted() -> None:
    cyan, black = (255, 0, 0, 0), (0, 0, 0, 255)
    image = Image.new("CMYK", (2, 1))
    image.putdata([cyan, black])
    np.testing.assert_array_equal(prepare(image, 64), [[[0, 255, 255], [0, 0, 0]]])


@pytest.mark.parametrize("format", ["png", "tiff", "ppm"])
def test_16_bit_grey_is_scaled_and_not_clipped(format: str) -> None:
    values = np.array([[0, 128, 129, 257], [32768, 65278, 65407, 65535]], np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, format)
    prepared = prepare(Image.open(file), 64)
    np.testing.assert_array_equal(prepared[..., 1], np.rint(values / 257))
    assert prepared.shape == (2, 4, 3)


def test_16_bit_colour_is_scaled_and_rounded(tmp_path: Path) -> None:
    values = np.array([[[0, 255, 256], [32768, 65279, 65535]]], np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    _write_png(tmp_path / "deep.png", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0), rows)
    prepared = read(FileContent(tmp_path / "deep.png"), 64, "deep.png")
    np.testing.assert_array_equal(prepared, np.rint(values / 257))


@pytest.mark.parametrize("value", [-1, 65536])
def test_integers_beyond_16_bits_are_refused(value: int) -> None:
    with pytest.raises(ImageError, match="no known range"):
        prepare(Image.fromarray(np.full((2, 2), value, np.int32)), 64)


def test_floating_point_is_refused() -> None:
    with pytest.raises(ImageError, match="no known range"):
        prepare(Image.fromarray(np.ones((2, 2), np.float32)), 64)


@pytest.mark.parametrize(
    ("size", "resolution", "expected"),
    [
        ((1, 1), 256, (1, 1)),
        ((100, 50), 100, (100, 50)),
        ((100, 50), 99, (99, 50)),
        ((100, 50), 4000, (100, 50)),
        ((640, 427), 320, (320, 214)),
        ((20000, 10), 512, (512, 1)),
        ((10, 20000), 512, (1, 512)),
        ((3, 5000), 1, (1, 1)),
    ],
)
def test_the_longest_side_is_capped(size: tuple[int, int], resolution: int, expected: tuple[int, int]) -> None:
    prepared = prepare(Image.new("RGB", size, (9, 8, 7)), resolution)
    assert prepared.shape == (expected[1], expected[0], 3)
    assert prepared.dtype == np.uint8
    assert (prepared == (9, 8, 7)).all()


def test_the_capped_size_for_random_sizes() -> None:
    for width, height, resolution in _RNG.integers(1, 300, (200, 3)):
        rows, columns, _ = prepare(Image.new("RGB", (int(width), int(height))), int(resolution)).shape
        assert max(rows, columns) == min(resolution, max(width, height))
        assert rows <= height
        assert columns <= width
        scale = min(1, resolution / max(width, height))
        assert abs(rows - height * scale) <= max(0.5, 1 - height * scale)
        assert abs(columns - width * scale) <= max(0.5, 1 - width * scale)


@pytest.mark.parametrize("size", [(1, 1), (20000, 10), (10, 20000), (640, 427), (3, 5000)])
@pytest.mark.parametrize("resolution", [1, 56])
def test_a_centre_crop_is_square_and_of_the_resolution(size: tuple[int, int], resolution: int) -> None:
    prepared = prepare(Image.new("RGB", size, (9, 8, 7)), resolution, CENTRE_CROP)
    assert prepared.shape == (resolution, resolution, 3)
    assert (prepared == (9, 8, 7)).all()


@pytest.mark.parametrize(("size", "resolution"), [((90, 30), 10), ((24, 36), 12), ((40, 20), 40)])
def test_a_centre_crop_is_the_resized_images_middle(size: tuple[int, int], resolution: int) -> None:
    """Resizing all of it and cutting out the middle is the same where the sizes divide."""
    width, height = size
    image = Image.fromarray(_RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))
    short = min(size)
    whole = image.resize((width * resolution // short, height * resolution // short), Image.Resampling.LANCZOS)
    left, top = (whole.width - resolution) // 2, (whole.height - resolution) // 2
    expected = np.asarray(whole.crop((left, top, left + resolution, top + resolution)))
    difference = np.abs(prepare(image, resolution, CENTRE_CROP).astype(int) - expected)
    assert difference.max() <= 1, difference.max()  # weights are rounded at another place of the filter


def test_a_centre_crop_of_a_square_of_the_resolution_is_the_image() -> None:
    square = _RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    np.testing.assert_array_equal(prepare(Image.fromarray(square), 12, CENTRE_CROP), square)
    wide = np.concatenate([square[:, :3] * 0, square, square[:, :3] * 0], axis=1)
    np.testing.assert_array_equal(prepare(Image.fromarray(wide), 12, CENTRE_CROP), square)


def test_an_image_that_fits_is_left_alone() -> None:
    np.testing.assert_array_equal(prepare(Image.fromarray(_PIXELS), 7), _PIXELS)


def test_prepared_pixels_are_writable_and_contiguous() -> None:
    prepared = prepare(Image.fromarray(_PIXELS), 64)
    assert prepared.flags.writeable
    assert prepared.flags.c_contiguous


def _noise(side: int = 64) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    Image.fromarray(_noise()).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ImageError, match=f"half.{suffix}"):
        read(FileContent(path), 64, path.name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"not an image", "known image format"), (b"\x89PNG\r\n\x1a\n", "damaged")],
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"cannot read image 'holiday/half.png': .*{reason}"):
        read(FileContent(path), 64, "holiday/half.png")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png': No such file"):
        read(FileContent(tmp_path / "gone.png"), 64, "gone.png")


def _write_png(path: Path, header: bytes, rows: bytes) -> None:
    data = [b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"]
    chunks = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in data]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _empty_png(path: Path, width: int, height: int) -> None:
    """A PNG whose header promises pixels that do not follow."""
    _write_png(path, struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"")


def test_the_largest_size_passes_the_guard_against_bombs(tmp_path: Path) -> None:
    _empty_png(tmp_path / "large.png", 16384, 16384)
    with pytest.raises(ImageError, match=r"large\.png': .*truncated"):  # it got as far as the missing pixels
        read(FileContent(tmp_path / "large.png"), 64, "large.png")


@pytest.mark.parametrize("height", [16385, 65535])
def test_a_larger_image_is_refused(tmp_path: Path, height: int) -> None:
    _empty_png(tmp_path / "bomb.png", 16384, height)
    with pytest.raises(ImageError, match=r"bomb\.png': .*(16384 × 16384|exceeds limit)"):
        read(FileContent(tmp_path / "bomb.png"), 64, "bomb.png")


def test_reading_leaves_pillows_limit_and_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    assert limit is not None
    assert limit < MAX_PIXELS
    Image.fromarray(_PIXELS).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")

    def read_both(_: int) -> None:
        read(FileContent(tmp_path / "a.png"), 64, "a.png")
        with pytest.raises(ImageError):
            read(FileContent(tmp_path / "b.png"), 64, "b.png")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_both, range(100)))
    assert limit == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters
    with reading():
        assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS


def test_a_warning_about_damaged_metadata_is_neither_an_error_nor_noise(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description that is kept apart"
    exif[_ORIENTATION_TAG] = 1
    stream = io.BytesIO()
    Image.fromarray(_PIXELS).save(stream, "png", exif=exif)
    data = stream.getvalue()
    position = data.index(b"eXIf")
    chunk = data[position : position + 4 + struct.unpack(">I", data[position - 4 : position])[0]]
    entry = chunk.index(struct.pack(">HH", 0x010E, 2))
    damaged = chunk[: entry + 4] + struct.pack(">I", 0x7FFFFFFF) + chunk[entry + 8 :]
    checked = damaged + struct.pack(">I", zlib.crc32(damaged))
    path = tmp_path / "odd.png"
    path.write_bytes(data.replace(chunk + struct.pack(">I", zlib.crc32(chunk)), checked))
    with pytest.warns(UserWarning, match="larger than file"), Image.open(path) as image:
        image.getexif()
    np.testing.assert_array_equal(read(FileContent(path), 64, "odd.png"), _PIXELS)


def test_a_file_that_would_start_another_program_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.new("RGB", (8, 8)).save(path, format="EPS")
    with pytest.raises(ImageError, match=r"cannot read image 'page': it is damaged or in no known image format"):
        read(FileContent(path), 64, "page")


@pytest.mark.parametrize("form", ["png", "webp", "gif", "avif"])
def test_an_animation_is_refused_and_an_image_of_one_frame_is_not(tmp_path: Path, form: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / f"one.{form}")
    frames[0].save(tmp_path / f"two.{form}", save_all=True, append_images=frames[1:])
    assert read(FileContent(tmp_path / f"one.{form}"), 64, "one").shape == (16, 16, 3)
    with pytest.raises(ImageError, match="cannot read image 'two': it is an animation"):
        read(FileContent(tmp_path / f"two.{form}"), 64, "two")
