"""What is passed over is counted by its reason, on stderr and in the record, alike for folders and archives."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.images import encoded, write_folder, write_table
from vitok_lib.errors import RequestError
from vitok_lib.images import sets
from vitok_lib.images.file_set import FileSet
from vitok_lib.images.files.collection import collect
from vitok_lib.images.files.left_out import sentence
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import Record
from vitok_lib.records.store import read_record


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three images, two of them behind links, and twelve files and folders that are none."""
    files = ("a.png", "b.jfif", "c.HEIC", "d.gif", "e.ppm", "f.heic", "notes", ".hidden.png")
    folder = write_folder(tmp_path / "mixed", {name: encoded(index) for index, name in enumerate(files)})
    write_folder(folder, {"deep/real.dat": encoded(8), ".cache/x.png": encoded(9)})
    (folder / "link.png").symlink_to("deep/real.dat")
    (folder / "chain.png").symlink_to("link.png")
    (folder / "gone.png").symlink_to("/nowhere/x.png")
    (folder / "round.png").symlink_to("round.png")
    (folder / "class1").symlink_to("deep", target_is_directory=True)
    return folder


def _pack(folder: Path, suffix: str) -> Path:
    path = folder.with_suffix(suffix)
    subprocess.run(["tar", "caf", path, "-C", folder, "."], check=True)
    return path


_COUNTS = {"gif": 1, "heic": 2, "ppm": 1, "dat": 1, "without a suffix": 1, "link without a target": 2}


def _opened(path: Path) -> FileSet:
    found = open_image_set(path)
    assert isinstance(found, FileSet)
    return found


def test_a_folder_counts_what_it_leaves_out(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets._said.clear()
    found = _opened(mixed)
    assert found.names() == ("a.png", "b.jfif", "chain.png", "link.png")
    assert found.left_out == _COUNTS | {"hidden": 1, "hidden folder": 1, "linked folder": 1}
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    for part in ("11 files left out", "2 heic", "2 link without a target", "1 linked folder"):
        assert part in said
    open_image_set(mixed)
    assert not capsys.readouterr().err  # said once


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_tar_of_the_folder_holds_the_same_images(mixed: Path, suffix: str) -> None:
    found = _opened(_pack(mixed, suffix))
    assert found.manifest(8) == _opened(mixed).manifest(8)
    assert found.left_out == _COUNTS | {"hidden": 2, "without a suffix": 2}
    for name in found.names():
        np.testing.assert_array_equal(found.load(name, 16), _opened(mixed).load(name, 16))


def test_a_zip_with_links_holds_the_same_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep/real.dat", encoded(0))
        for name, target in {"link.png": "deep/real.dat", "gone.png": "../x.png", "out.png": "/etc/x.png"}.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, target)
    found = _opened(tmp_path / "a.zip")
    assert found.names() == ("link.png",)
    assert found.left_out == {"dat": 1, "link without a target": 2}
    assert found.load("link.png", 16).shape == (7, 9, 3)


def _tar(path: Path, *members: tuple[str, bytes, bytes | str]) -> Path:
    """Members of (name, type, content or target)."""
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(content, str):
                info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_links_and_names_within_a_tar(tmp_path: Path, suffix: str) -> None:
    first, second = encoded(1), encoded(2)
    long = "/".join("n" * 120 for _ in range(3)) + ".png"
    path = _tar(
        tmp_path / f"a{suffix}",
        ("a.png", tarfile.REGTYPE, first),
        ("hard.png", tarfile.LNKTYPE, "a.png"),  # to the first a.png, which is replaced later
        ("soft.png", tarfile.SYMTYPE, "a.png"),  # to what a.png is at the end
        ("./a.png", tarfile.REGTYPE, second),
        ("lost.png", tarfile.LNKTYPE, "never.png"),
        ("queue.png", tarfile.FIFOTYPE, b""),
        ("x/../up.png", tarfile.REGTYPE, first),
        (long, tarfile.REGTYPE, second),
    )
    found = _opened(path)
    sizes = {entry.name: entry.sha256 for entry in found.manifest(8).entries}
    alike = {name for name, sha256 in sizes.items() if sha256 == sizes["hard.png"]}
    assert set(sizes) == {"a.png", "hard.png", "soft.png", "up.png", long}
    assert alike == {"hard.png", "up.png"}
    assert found.left_out == {
        "replaced by a later one of the same name": 1,
        "link without a target": 1,
        "special file": 1,
    }
    np.testing.assert_array_equal(found.load("soft.png", 8), found.load("a.png", 8))


def test_members_whose_names_read_alike_are_refused(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xe9.png")
    path = _tar(tmp_path / "a.tar", (odd, tarfile.REGTYPE, encoded(0)), (r"\xe9.png", tarfile.REGTYPE, encoded(1)))
    with pytest.raises(RequestError, match="read"):
        open_image_set(path)


def test_archives_and_tables_in_a_download_count_too(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "snapshot", {"README.md": b"", "loose.heic": b"x"})
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        archive.writestr("a.png", encoded(0))
        archive.writestr("b.heic", encoded(1))
    write_table(root / "c.parquet", {"c.png": encoded(2)})
    files, left_out = collect(root)
    assert set(files) == {"a.png", "c.png"}
    assert left_out == Counter(heic=2, md=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="a user other than root is tried by root alone")
@pytest.mark.parametrize("locked", ["inside", "folder"])
def test_what_may_not_be_looked_at_is_refused_in_one_sentence(
    mixed: Path, locked: str, as_nobody: Callable[[Callable[[], object]], str]
) -> None:
    place = mixed / "deep" if locked == "inside" else mixed
    place.chmod(0o600 if locked == "inside" else 0)
    try:
        assert as_nobody(lambda: open_image_set(mixed)).startswith("RequestError: ")
    finally:
        place.chmod(0o755)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Callable[[Callable[[], object]], str]:
    """Runs a function as a user without rights and says which error it raised."""

    def run(function: Callable[[], object]) -> str:
        for folder in (tmp_path, *tmp_path.parents):
            if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
                folder.chmod(folder.stat().st_mode | 0o055)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            try:
                function()
                said = "nothing"
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        with os.fdopen(reading) as stream:
            return stream.read()

    return run


def test_the_record_holds_the_counts_and_answers_whatever_else_is_in_the_folder(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "results"))

    def measured() -> Record:
        return evaluate("jpeg:q=75", images=mixed, resolution=16, metrics=["psnr"])

    first = measured()
    (path,) = (tmp_path / "results").glob("*/*/*.json")
    assert json.loads(path.read_bytes())["images"]["left_out"]["heic"] == 2
    assert read_record(path) == first
    (mixed / "README.md").write_text("a note")
    assert measured() == first  # with the same time: it was not measured again


def test_the_sentence_names_the_most_frequent_reasons_first() -> None:
    assert sentence({}) == ""
    assert sentence({"link without a target": 1, "heic": 2}) == "3 files left out: 2 heic, 1 link without a target"
