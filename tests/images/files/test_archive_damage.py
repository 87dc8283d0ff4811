"""An archive is read whole or refused in one sentence; it is never shortened without a word."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.fakes.images import encoded, write_archive
from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import open_image_set

FILES = {f"im{index}.png": encoded(index) for index in range(4)}


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "whole.tar", FILES)


def _offsets(path: Path) -> list[int]:
    with tarfile.open(path) as archive:
        return [info.offset for info in archive]


def _compressed(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".tgz" else data)
    return path


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
@pytest.mark.parametrize("member", [1, 3])
def test_a_damaged_header_is_refused(tmp_path: Path, tar: Path, suffix: str, member: int) -> None:
    data = bytearray(tar.read_bytes())
    data[_offsets(tar)[member] + 148] = ord("9")  # in the checksum
    with pytest.raises(RequestError, match="damaged or cut short"):
        open_image_set(_compressed(tmp_path / f"bad{suffix}", bytes(data)))


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
@pytest.mark.parametrize("member", [0, 1, 2])
def test_a_member_that_is_zeros_is_refused(tmp_path: Path, tar: Path, suffix: str, member: int) -> None:
    """As in a download whose parts come in any order, of which one never came."""
    data, offsets = bytearray(tar.read_bytes()), _offsets(tar)
    start, end = offsets[member], offsets[member + 1]
    data[start:end] = bytes(end - start)
    with pytest.raises(RequestError, match="damaged or cut short"):
        open_image_set(_compressed(tmp_path / f"bad{suffix}", bytes(data)))


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
@pytest.mark.parametrize("past", [0, 100, 512, 600])
def test_a_tar_that_ends_early_is_refused_wherever_it_ends(tmp_path: Path, tar: Path, suffix: str, past: int) -> None:
    """Before a header, within one, after one, and within the data."""
    data = tar.read_bytes()[: _offsets(tar)[2] + past]
    with pytest.raises(RequestError, match="damaged or cut short"):
        open_image_set(_compressed(tmp_path / f"cut{suffix}", data))


@pytest.mark.parametrize("suffix", [".tar", ".tgz"])
def test_archives_one_after_another_are_read_whole(tmp_path: Path, tar: Path, suffix: str) -> None:
    other = write_archive(tmp_path / "other.tar", {"more.png": encoded(9)})
    both = _compressed(tmp_path / f"both{suffix}", tar.read_bytes() + other.read_bytes())
    assert open_image_set(both).names() == (*FILES, "more.png")
    if suffix == ".tgz":  # two streams of gzip are one
        both.write_bytes(gzip.compress(tar.read_bytes()) + gzip.compress(other.read_bytes()))
        assert open_image_set(both).names() == (*FILES, "more.png")


@pytest.mark.parametrize("tail", [b"\0", bytes(700), bytes(20480)])
def test_zeros_may_follow(tar: Path, tail: bytes) -> None:
    tar.write_bytes(tar.read_bytes() + tail)
    assert open_image_set(tar).names() == tuple(FILES)


@pytest.mark.parametrize("tail", [b"x", b"x" * 512, FILES["im0.png"]])
def test_anything_else_that_follows_is_refused(tar: Path, tail: bytes) -> None:
    tar.write_bytes(tar.read_bytes() + tail)
    with pytest.raises(RequestError, match="damaged or cut short"):
        open_image_set(tar)


def test_a_gzip_without_its_last_bytes_is_refused(tmp_path: Path, tar: Path) -> None:
    for missing in (1, 8, 40):
        path = tmp_path / "cut.tar.gz"
        path.write_bytes(gzip.compress(tar.read_bytes())[:-missing])
        with pytest.raises(RequestError, match="damaged or cut short"):
            open_image_set(path)


def test_an_archive_under_another_kinds_name_is_told_as_what_it_is(tmp_path: Path, tar: Path) -> None:
    whole, zipped = tar.read_bytes(), write_archive(tmp_path / "z.zip", FILES).read_bytes()
    contents = {
        "gzip": ("a.tar", gzip.compress(whole)),
        "bzip2": ("b.tar", bz2.compress(whole)),
        "xz": ("c.tar", lzma.compress(whole)),
        "zstd": ("d.tar", b"\x28\xb5\x2f\xfd" + bytes(600)),
        "zip": ("e.tar", zipped),
        "tar": ("f.zip", whole),
    }
    for kind, (name, data) in [*contents.items(), ("tar", ("g.tar.gz", whole)), ("zip", ("h.tgz", zipped))]:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RequestError, match=rf"{name}' is named as \w+ but holds {kind}; "):
            open_image_set(tmp_path / name)


@pytest.mark.parametrize("form", ["gnu", "posix", "0.0", "0.1", "1.0"])
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_sparse_members_are_read_as_they_are(tmp_path: Path, form: str, suffix: str) -> None:
    """A BMP whose middle is a hole, packed by GNU tar in each of its ways."""
    if "GNU tar" not in subprocess.run(["tar", "--version"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs GNU tar")
    folder = tmp_path / "f"
    folder.mkdir()
    data = bytearray(encoded(0, (200, 400), "bmp"))
    data[16384:200704] = bytes(200704 - 16384)
    with (folder / "a.bmp").open("wb") as file:
        file.write(data[:16384])
        file.seek(200704)
        file.write(data[200704:])
    how = [f"--format={form}"] if form.isalpha() else ["--format=posix", f"--sparse-version={form}"]
    path = tmp_path / f"a{suffix}"
    subprocess.run(["tar", "caSf", path, *how, "-C", folder, "a.bmp"], check=True)
    packed, plain = open_image_set(path), open_image_set(folder)
    assert packed.manifest(8) == plain.manifest(8)
    assert (packed.load("a.bmp", 64) == plain.load("a.bmp", 64)).all()


def test_a_zip_after_another_is_refused(tmp_path: Path) -> None:
    """zipfile reads the last of them alone."""
    first = write_archive(tmp_path / "a.zip", FILES).read_bytes()
    other = write_archive(tmp_path / "b.zip", {"more.png": encoded(9)})
    other.write_bytes(first + other.read_bytes())
    with pytest.raises(RequestError, match="does not list"):
        open_image_set(other)


def test_a_zip_before_something_else_is_refused(tmp_path: Path, tar: Path) -> None:
    path = write_archive(tmp_path / "a.zip", FILES)
    path.write_bytes(path.read_bytes() + tar.read_bytes())
    with pytest.raises(RequestError, match="damaged or cut short"):
        open_image_set(path)


def test_a_zip_whose_table_of_contents_is_cut_is_refused(tmp_path: Path) -> None:
    """The record of the end says that the table begins at its second entry."""
    path = write_archive(tmp_path / "a.zip", FILES)
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2", start + 4) - start
    end = data.rindex(b"PK\5\6")
    size = int.from_bytes(data[end + 12 : end + 16], "little") - entry
    data[end + 12 : end + 16] = size.to_bytes(4, "little")
    data[end + 16 : end + 20] = (start + entry).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(RequestError, match="does not list"):
        open_image_set(path)


def test_an_entry_whose_name_swallows_the_next_one_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    last_but_one = data.rindex(b"PK\1\2", 0, data.rindex(b"PK\1\2"))
    data[last_but_one + 28] += len(data[last_but_one : data.rindex(b"PK\1\2")])  # the length of its name
    path.write_bytes(data)
    with pytest.raises(RequestError, match="does not list"):
        open_image_set(path)


def test_a_name_that_is_not_the_text_it_is_marked_as_is_one_images_error(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    data[7] |= 8  # the local header's mark for UTF-8
    data[30] = 0xFF
    path.write_bytes(data)
    images = open_image_set(path)
    with pytest.raises(ImageError, match=r"im0\.png': "):
        images.load("im0.png", 8)


class _Unseekable(io.RawIOBase):
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._file.write(data)  # type: ignore[arg-type]

    def close(self) -> None:
        self._file.close()
        super().close()


def test_data_descriptors_zip64_comments_and_a_stub_before_the_archive_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(_Unseekable(path), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
        archive.comment = b"PK is not all that this comment says"
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    assert open_image_set(path).names() == tuple(FILES)
    path.write_bytes(b"#!/bin/sh\nexec unzip $0\n" + path.read_bytes())
    assert open_image_set(path).load("im1.png", 8).shape == (6, 8, 3)


def test_an_encrypted_member_that_is_no_image_is_counted_and_the_rest_read(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.zip", {"a.png": FILES["im0.png"], "b.txt": b"secret"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert open_image_set(path).names() == ("a.png",)


def test_a_member_of_another_compression_is_named(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 10] = 9  # Deflate64, in the table of contents
    path.write_bytes(data)
    images = open_image_set(path)
    with pytest.raises(ImageError, match=r"im0\.png': "):
        images.load("im0.png", 8)
    assert images.load("im1.png", 8).shape == (6, 8, 3)


def test_names_of_bytes_that_are_no_text_are_escaped_everywhere(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.png")).write_bytes(FILES["im0.png"])
    files = {os.fsdecode(b"\xff.png"): FILES["im0.png"]}
    packed = [write_archive(folder.with_suffix(suffix), files) for suffix in (".tar", ".tgz")]
    for path in (folder, *packed):
        images = open_image_set(path)
        for text in (images.name, images.description, *images.names(), images.manifest(8).text, images.opened_as):  # type: ignore[attr-defined]
            text.encode()
        assert images.names() == (r"\xff.png",)


def test_a_long_name_gives_a_short_name_of_the_set(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 250)
    folder.mkdir()
    (folder / "a.png").write_bytes(FILES["im0.png"])
    shorter = tmp_path / "n"
    shutil.copytree(folder, shorter)
    long, short = open_image_set(folder), open_image_set(shorter)
    assert len(long.name) < 200
    assert long.name[-9:] == short.name[-9:]  # the digest of the images
