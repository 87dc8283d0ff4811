"""DIV8K and COCO, from a copy on this machine and from the hub's cache, checked by their counts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from huggingface_hub import constants

from tests.fakes.images import encoded, write_archive, write_folder, write_table
from vitok_lib.errors import RequestError
from vitok_lib.images.facts import IMAGE_SET_FACTS, ImageSetFacts
from vitok_lib.images.remote import REMOTES
from vitok_lib.images.sets import open_image_set

PIXELS = encoded(0, (64, 48))


def _names(count: int) -> dict[str, bytes]:
    return {f"{index:012d}.png": PIXELS for index in range(count)}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, no network, and no copies on this machine."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for remote in REMOTES.values():
        monkeypatch.delenv(remote.variable, raising=False)
    return tmp_path / "hub"


def _snapshot(hub: Path, name: str) -> Path:
    remote = REMOTES[name]
    return hub / f"datasets--{remote.repository.replace('/', '--')}" / "snapshots" / remote.revision


def test_div8k_is_the_training_split_from_the_hubs_archive(hub: Path) -> None:
    write_archive(_snapshot(hub, "div8k") / "DIV8K.zip", {f"DIV8K/{name}": data for name, data in _names(1500).items()})
    images = open_image_set("div8k")
    assert images.name == "div8k"
    assert "training split" in images.description
    assert images.rule == "longest side capped by Lanczos, never enlarged"
    assert images.names() == tuple(_names(1500))
    assert images.load("000000000007.png", 32).shape == (24, 32, 3)


def test_coco_is_val2017_cropped_and_shares_the_case_of_the_published_figures(hub: Path) -> None:
    data = _snapshot(hub, "coco") / "data"
    halves = list(_names(5000).items())
    write_table(data / "val-00000-of-00002.parquet", dict(halves[:2500]), 100)
    write_table(data / "val-00001-of-00002.parquet", dict(halves[2500:]), 100)
    write_table(data / "test-00000-of-00014.parquet", {"x.png": PIXELS}, 100)  # another part of the data set
    images = open_image_set("coco")
    assert images.name == "coco-val2017-centre-crop"
    assert images.names() == tuple(_names(5000))
    assert images.load("000000004999.png", 56).shape == (56, 56, 3)
    assert open_image_set("coco", rule="cap").name == "coco-val2017"


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_a_copy_on_this_machine_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setitem(
        cast(dict[str, ImageSetFacts], IMAGE_SET_FACTS), "coco", replace(IMAGE_SET_FACTS["coco"], count=30)
    )  # 5,000 files take seconds
    files = {f"val2017/{name}": data for name, data in _names(30).items()}
    if form == "folder":
        place = write_folder(tmp_path / "coco", files)
    else:
        place = write_archive(tmp_path / "val2017.zip", files)
    monkeypatch.setenv("VITOK_COCO", str(place))
    images = open_image_set("coco")
    assert images.names() == tuple(_names(30))
    assert images.description == IMAGE_SET_FACTS["coco"].description


@pytest.mark.parametrize("count", [1499, 1501, 0])
def test_another_count_is_an_error_that_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setenv("VITOK_DIV8K", str(write_archive(tmp_path / "DIV8K.zip", _names(count))))
    with pytest.raises(RequestError, match=rf"'div8k' has 1500 images, but '.*DIV8K\.zip' holds {count}"):
        open_image_set("div8k")


def test_an_archive_that_was_cut_short_does_not_pass_for_the_set(hub: Path) -> None:
    path = write_archive(_snapshot(hub, "div8k") / "DIV8K.zip", _names(1500))
    os.truncate(path, path.stat().st_size * 3 // 4)
    with pytest.raises(RequestError, match=r"DIV8K\.zip' is damaged or cut short"):
        open_image_set("div8k")


LAYOUTS = {
    "imagenet-val-256": "n01440764/ILSVRC2012_val_{:08d}.JPEG",
    "kodak": "kodim{:02d}.png",
    "clic2020-professional-valid": "valid/photo-{:03d}.png",
    "div2k-valid": "DIV2K_valid_HR/{:04d}.png",
    "omnidoc-tokenbench": "crops/{:05d}.png",
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_of_the_literature_is_its_own_count_under_its_own_rule(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = replace(IMAGE_SET_FACTS[name], count=7)  # as many small files as the sets have take minutes
    monkeypatch.setitem(cast(dict[str, ImageSetFacts], IMAGE_SET_FACTS), name, facts)
    files = {LAYOUTS[name].format(index): PIXELS for index in range(1, 8)}
    monkeypatch.setenv(REMOTES[name].variable, str(write_folder(tmp_path / "copy", files)))
    images = open_image_set(name)
    assert len(images.names()) == 7
    square = name == "imagenet-val-256"
    assert images.load(images.names()[0], 32).shape == ((32, 32, 3) if square else (24, 32, 3))
    assert images.name.endswith("-centre-crop") == square
    (tmp_path / "copy" / LAYOUTS[name].format(7)).unlink()
    with pytest.raises(RequestError, match=f"'{name}' has 7 images, but .* holds 6"):
        open_image_set(name)


TOKBENCH = {
    "annotations/text_ic13.json": b"{}",
    "annotations/face_meta.json": b"{}",
    **{
        f"images/text_data/{part}/{part}_{index}.jpg": PIXELS
        for part in ("cord", "docvqa", "ic13", "ic15", "infograph", "sroie", "textocr", "tt")
        for index in range(2)
    },
    "images/face_data/wflw/0--Parade/face.jpg": PIXELS,
}


def test_tokbench_is_the_images_of_its_nine_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write_folder(tmp_path / "TokBench", TOKBENCH)
    for shown in (place, place / "images"):
        monkeypatch.setenv("VITOK_TOKBENCH", str(shown))
        names = open_image_set("tokbench").names()
        assert len(names) == 17
        assert (names[0], names[-1]) == ("face_data/wflw/0--Parade/face.jpg", "text_data/tt/tt_1.jpg")
    (place / "images/face_data/wflw/0--Parade/face.jpg").unlink()
    with pytest.raises(RequestError, match="holds no image in 'face_data/wflw'; fetch it again"):
        open_image_set("tokbench")


def test_tokbench_with_its_archive_beside_the_images_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_folder(tmp_path / "TokBench", TOKBENCH)
    write_archive(place / "images.zip", {name: data for name, data in TOKBENCH.items() if name.startswith("images")})
    monkeypatch.setenv("VITOK_TOKBENCH", str(place))
    with pytest.raises(RequestError, match=r"but .* holds 'images.*' too; .* to its folder 'images' alone"):
        open_image_set("tokbench")


@pytest.mark.parametrize("name", [*LAYOUTS, "tokbench"])
def test_a_set_that_no_hub_has_is_asked_for_by_its_variable(name: str) -> None:
    with pytest.raises(RequestError, match=f"set {REMOTES[name].variable} to a folder or an archive") as raised:
        open_image_set(name)
    assert raised.value.code == "images-not-found"


@pytest.mark.parametrize("name", ["div8k", "coco"])
def test_a_set_that_is_not_to_be_had_names_the_ways_out(name: str) -> None:
    with pytest.raises(RequestError, match="from the hub") as caught:
        open_image_set(name)
    message = str(caught.value)
    assert "HF_TOKEN" in message
    assert f"set {REMOTES[name].variable} to a folder or an archive" in message
    assert "\n" not in message


def test_a_variable_that_leads_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_DIV8K", "/nowhere/at/all")
    with pytest.raises(RequestError, match=r"VITOK_DIV8K \(='/nowhere/at/all'\) is no folder and no archive"):
        open_image_set("div8k")


@pytest.mark.parametrize(("variable", "name"), [("VITOK_KODAK", "kodak"), ("VITOK_WALLPAPERS", "wallpapers")])
def test_a_variable_that_no_file_system_takes_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    monkeypatch.setenv(variable, 300 * "a")
    with pytest.raises(RequestError, match=f"^{variable} .* over 255 bytes"):
        open_image_set(name)
