"""A folder of images: which files, in which order, under which name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.images.files.folder import open_folder
from vitok_lib.images.sets import ImageError, open_image_set


def _image(path: Path, value: int = 0, size: tuple[int, int] = (4, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


def _holiday(root: Path) -> Path:
    folder = root / "my holiday"
    for index, name in enumerate(["b.PNG", "a/z.jpg", "a.jpeg", "deep/er/c.tif", "Z.webp", "d.bmp"]):
        _image(folder / name, index)
    (folder / "notes.txt").write_text("no image")
    _image(folder / ".hidden.png")
    _image(folder / ".cache" / "e.png")
    (folder / "folder.png").mkdir()
    return folder


def test_images_are_found_at_every_depth_in_the_order_of_their_paths(tmp_path: Path) -> None:
    images = open_folder(_holiday(tmp_path))
    assert images.names() == ("Z.webp", "a.jpeg", "a/z.jpg", "b.PNG", "d.bmp", "deep/er/c.tif")
    assert images.description == "The folder 'my holiday' of 6 images."


def test_the_manifest_holds_the_sha256_of_each_file(tmp_path: Path) -> None:
    folder = _holiday(tmp_path)
    for entry in open_folder(folder).manifest(64).entries:
        content = (folder / entry.name).read_bytes()
        assert (entry.size, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_manifest_is_stable_and_at_every_resolution_the_same(tmp_path: Path) -> None:
    folder = _holiday(tmp_path)
    assert open_folder(folder).manifest(64) == open_folder(folder).manifest(128)
    assert open_folder(folder).manifest(64).sha256 == open_folder(folder).manifest(64).sha256


@pytest.mark.parametrize("same_time", [False, True], ids=["later", "at the same time stamp but longer"])
def test_a_changed_byte_changes_manifest_and_name(tmp_path: Path, same_time: bool) -> None:
    folder = _holiday(tmp_path)
    before = open_folder(folder)
    sha256 = before.manifest(64).sha256
    path = folder / "b.PNG"
    modified = path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content) + b"\0" * same_time)
    os.utime(path, ns=(modified + (not same_time), modified + (not same_time)))
    after = open_folder(folder)
    assert after.manifest(64).sha256 != sha256
    assert after.name != before.name


def test_the_name_is_the_folders_and_the_manifests(tmp_path: Path) -> None:
    images = open_folder(_holiday(tmp_path))
    assert images.name == f"my-holiday-{images.manifest(64).sha256[:8]}"


def test_the_same_images_elsewhere_have_the_same_name(tmp_path: Path) -> None:
    assert open_folder(_holiday(tmp_path / "here")).name == open_folder(_holiday(tmp_path / "there")).name


def test_a_relative_path_gets_the_folders_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_holiday(tmp_path))
    assert open_image_set(".").name.startswith("my-holiday-")


def test_the_first_samples(tmp_path: Path) -> None:
    images = open_folder(_holiday(tmp_path))
    assert images.manifest(64, 2).entries == images.manifest(64).entries[:2]
    assert images.manifest(64, 1500) == images.manifest(64)
    with pytest.raises(RequestError, match="at least 1, not 0"):
        images.manifest(64, 0)


def test_load_prepares_at_the_resolution(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    _image(folder / "wide.png", 7, (40, 20))
    np.testing.assert_array_equal(open_folder(folder).load("wide.png", 10), np.full((5, 10, 3), 7))


def test_a_damaged_image_is_named_and_the_others_load(tmp_path: Path) -> None:
    folder = _holiday(tmp_path)
    (folder / "a" / "empty.png").write_bytes(b"")
    images = open_folder(folder)
    with pytest.raises(ImageError, match=r"cannot read image 'a/empty\.png': the file is empty"):
        images.load("a/empty.png", 64)
    assert images.load("b.PNG", 64).shape == (3, 4, 3)


def test_an_unknown_image_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"did you mean b\.PNG"):
        open_folder(_holiday(tmp_path)).load("b.pgn", 64)


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(RequestError, match="holds no image"):
        open_image_set(tmp_path)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"there is no folder .*nowhere"):
        open_image_set(str(tmp_path / "nowhere"))


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"one\.png' is a file"):
        open_image_set(_image(tmp_path / "one.png"))


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "loop"
    _image(folder / "a.png")
    (folder / "again").symlink_to(folder, target_is_directory=True)
    (folder / "broken.png").symlink_to(tmp_path / "gone.png")
    assert open_folder(folder).names() == ("a.png",)


def test_a_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9\n.png"))
    try:
        _image(tmp_path / "a.png").rename(odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    images = open_folder(folder)
    (name,) = images.names()
    assert name == r"caf\xe9\n.png"
    name.encode()  # it can be printed and written
    assert images.load(name, 4).shape == (3, 4, 3)
    odd.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"cannot read image 'caf.xe9.n\.png'") as caught:
        images.load(name, 4)
    assert len(str(caught.value).splitlines()) == 1


def test_two_names_that_read_alike_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    try:
        _image(tmp_path / "a.png").rename(Path(os.fsdecode(os.fsencode(folder) + b"/\xe9.png")))
    except OSError:
        pytest.skip("this file system takes no such name")
    _image(folder / r"\xe9.png")
    with pytest.raises(RequestError, match=r"two files of folder .* rename one"):
        open_folder(folder)


def test_letters_of_any_language_are_left_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    _image(folder / "été 写真.png")
    assert open_folder(folder).names() == ("été 写真.png",)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = _image(tmp_path / "locked" / "secret.png")
    path.chmod(0)
    with pytest.raises(RequestError, match=r"secret\.png': Permission denied"):
        open_folder(path.parent)
