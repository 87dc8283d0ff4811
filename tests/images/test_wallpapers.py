"""The set of packaged photographs: its manifest, where its files are found, and what is said when they are not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.images import encoded
from vitok_lib.errors import RequestError
from vitok_lib.images import wallpapers
from vitok_lib.images.sets import open_image_set
from vitok_lib.images.wallpapers import Wallpaper

FREE = {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "GPL-2+"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> tuple[Wallpaper, ...]:
    """Two photographs of each use, from two packages, whose bytes are those of :func:`_content`."""
    first = wallpapers.wallpapers()[0]
    listed = tuple(
        replace(
            first,
            name=f"{use}-{index}",
            use=use,
            package=f"package-{index}",
            path=f"usr/share/backgrounds/{use}/{index}.png",
            sha256=hashlib.sha256(_content(index)).hexdigest(),
        )
        for use in ("evaluate", "train")
        for index in (0, 1)
    )
    monkeypatch.setattr(wallpapers, "wallpapers", lambda: listed)
    return listed


def _content(index: int) -> bytes:
    return encoded(index, (64, 48))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_the_manifest_holds_twenty_photographs_to_evaluate_on_that_are_never_trained_on() -> None:
    evaluated, trained = wallpapers.of_use("evaluate"), wallpapers.of_use("train")
    assert len(evaluated) >= 20
    assert len(evaluated) + len(trained) == len(wallpapers.wallpapers())
    for field in ("name", "path", "sha256"):
        assert len({getattr(each, field) for each in wallpapers.wallpapers()}) == len(wallpapers.wallpapers())
    assert all(max(each.width, each.height) >= 2048 for each in evaluated)
    sides = [max(each.width, each.height) for each in evaluated]
    assert sides == sorted(sides, reverse=True)


def test_every_photograph_states_author_licence_and_package() -> None:
    for each in wallpapers.wallpapers():
        assert each.author
        assert each.subject
        assert each.version
        assert each.licence in FREE
        assert len(each.sha256) == 64


def test_unpacked_packages_and_a_flat_folder_are_the_same_set(
    small: tuple[Wallpaper, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index, each in enumerate(wallpapers.of_use("evaluate")):
        _write(tmp_path / "unpacked" / each.path, _content(index))
        _write(tmp_path / "flat" / f"{each.name}.png", _content(index))
    manifests = []
    for folder in ("unpacked", "flat"):
        monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path / folder))
        images = open_image_set("wallpapers")
        assert images.names() == ("evaluate-0", "evaluate-1")
        assert images.load("evaluate-1", 32).shape == (24, 32, 3)
        manifests.append(images.manifest(32).sha256)
    assert manifests[0] == manifests[1]


def test_missing_packages_are_named_with_how_to_get_them(
    small: tuple[Wallpaper, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path))
    _write(tmp_path / small[0].path, _content(0))
    with pytest.raises(RequestError, match="package-1") as raised:
        open_image_set("wallpapers")
    assert raised.value.code == "images-not-found"
    assert "package-0" not in str(raised.value)
    assert "apt-get install package-1" in str(raised.value)


def test_a_file_of_another_version_is_refused_by_name(
    small: tuple[Wallpaper, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path))
    for index, each in enumerate(wallpapers.of_use("evaluate")):
        _write(tmp_path / each.path, _content(index) if index == 0 else _content(7))
    with pytest.raises(RequestError, match=r"1\.png") as raised:
        open_image_set("wallpapers")
    assert raised.value.code == "images-incomplete"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path / "nowhere"))
    with pytest.raises(RequestError, match="nowhere"):
        open_image_set("wallpapers")
