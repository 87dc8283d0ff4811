"""Archives are read in place and say the same of their images as a folder of them."""

from __future__ import annotations

import hashlib
import random
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.images import encoded, write_archive, write_folder
from vitok_lib.errors import RequestError
from vitok_lib.images.files import content, stamp, tar_stream
from vitok_lib.images.sets import ImageError, open_image_set

FILES = {"b.PNG": encoded(1), "deep/er/z.jpg": encoded(2, format="jpeg"), "a.webp": encoded(3, (40, 20), "webp")}
OTHERS = {"notes.txt": b"no image", "__MACOSX/._b.png": b"no image", ".hidden/c.png": encoded(4)}
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_the_same_set_as_its_folder(tmp_path: Path, suffix: str) -> None:
    folder = open_image_set(write_folder(tmp_path / "kodak", FILES | OTHERS))
    before = write_archive(tmp_path / f"kodak{suffix}", FILES | OTHERS)
    left = set(tmp_path.iterdir())
    archive = open_image_set(str(before))
    assert archive.names() == folder.names() == ("a.webp", "b.PNG", "deep/er/z.jpg")
    assert archive.manifest(64) == folder.manifest(64)
    assert archive.name == folder.name
    assert archive.description == f"The archive 'kodak{suffix}' of 3 images."
    for name in FILES:
        np.testing.assert_array_equal(archive.load(name, 16), folder.load(name, 16))
    assert set(tmp_path.iterdir()) - left <= {tmp_path / "cache"}  # nothing was unpacked beside it


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_manifest_holds_size_and_sha256_of_each_member(tmp_path: Path, suffix: str) -> None:
    archive = open_image_set(write_archive(tmp_path / f"a{suffix}", FILES))
    for entry in archive.manifest(64).entries:
        data = FILES[entry.name]
        assert (entry.size, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_names_do_not_lead_out_of_the_archive_and_begin_without_a_dot(tmp_path: Path) -> None:
    files = {"./a.png": encoded(1), "../../b.png": encoded(2), "/etc/c.png": encoded(3)}
    assert open_image_set(write_archive(tmp_path / "a.tar", files)).names() == ("a.png", "b.png", "etc/c.png")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_members_may_be_read_in_any_order_and_from_any_thread(tmp_path: Path, suffix: str) -> None:
    files = {f"{index:02d}.png": encoded(index, (24, 24)) for index in range(20)}
    packed, order = (random.Random(seed).sample(list(files), len(files)) for seed in (0, 1))
    archive = open_image_set(write_archive(tmp_path / f"a{suffix}", {name: files[name] for name in packed}))
    expected = {name: open_image_set(write_folder(tmp_path / "f", files)).load(name, 24) for name in files}
    (tmp_path / "cache").rename(tmp_path / "of the folder")
    with ThreadPoolExecutor(4) as pool:
        for name, pixels in zip(order, pool.map(lambda name: archive.load(name, 24), order), strict=True):
            np.testing.assert_array_equal(pixels, expected[name])


def test_threads_that_ask_a_little_out_of_order_do_not_start_a_stream_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{index}.png": encoded(index) for index in range(6)}
    archive = open_image_set(write_archive(tmp_path / "a.tgz", files))
    starts = []
    start = tar_stream._Stream._start
    monkeypatch.setattr(tar_stream._Stream, "_start", lambda stream: (starts.append(1), start(stream)))
    for index in (1, 0, 3, 2, 5, 4):
        archive.load(f"{index}.png", 16)
    assert len(starts) == 1
    archive.load("0.png", 8)
    assert len(starts) == 2


def test_a_damaged_member_is_one_image_and_the_others_load(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored, so that a byte of the file is a byte of a member
        for name, data in FILES.items():
            archive.writestr(name, data)
    whole = path.read_bytes()
    position = whole.index(FILES["b.PNG"]) + len(FILES["b.PNG"]) // 2
    path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    images = open_image_set(path)
    with pytest.raises(ImageError, match=r"cannot read image 'b\.PNG': Bad CRC"):
        images.load("b.PNG", 16)
    assert images.load("a.webp", 16).shape == (8, 16, 3)
    entry = images.manifest(16).entries[1]
    assert entry.name == "b.PNG"
    assert entry.sha256 not in {hashlib.sha256(data).hexdigest() for data in FILES.values()}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kept", [0.6, 0.0], ids=["cut", "empty"])
def test_an_archive_that_was_cut_short_is_refused_in_one_sentence(tmp_path: Path, suffix: str, kept: float) -> None:
    path = write_archive(tmp_path / f"cut{suffix}", {f"{index}.png": encoded(index, (60, 60)) for index in range(3)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(RequestError, match=rf"cut{suffix}' (is damaged|holds no image)") as caught:
        open_image_set(path)
    assert "\n" not in str(caught.value)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "secret.zip", {"a.png": encoded(0)})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the table of contents
    path.write_bytes(bytes(data))
    with pytest.raises(RequestError, match=r"secret\.zip' is encrypted"):
        open_image_set(path)


def test_an_archive_without_images(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"notes\.zip' holds no image \(looked for .*png"):
        open_image_set(write_archive(tmp_path / "notes.zip", {"notes.txt": b"no image"}))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_unchanged_archive_is_hashed_once_by_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(stamp, "_UNSETTLED_NS", 0)
    monkeypatch.setattr(stamp, "_SMALL", 0)
    path = write_archive(tmp_path / f"a{suffix}", FILES)
    manifest = open_image_set(path).manifest(16)

    def fail(*_: object) -> str:
        raise AssertionError("hashed again")

    for module in ("archive", "tar_stream", "content"):
        monkeypatch.setattr(f"vitok_lib.images.files.{module}.sha256_of", fail)
    assert open_image_set(path).manifest(16) == manifest
    with path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(AssertionError, match="hashed again"):
        open_image_set(path)


def test_what_was_just_written_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that keeps whole seconds a second change would have the time of the first."""
    monkeypatch.setattr(stamp, "_SMALL", 0)
    path = tmp_path / "a.png"
    path.write_bytes(encoded(0))
    assert content.FileContent(path).digest().sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not (tmp_path / "cache").exists()
