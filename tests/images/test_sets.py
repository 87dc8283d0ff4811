"""The named image sets and how they are opened."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.images import challenge, leaves, photographs
from vitok_lib.images.formats.pillow import MAX_RESOLUTION
from vitok_lib.images.sets import IMAGE_SET_FACTS, IMAGE_SETS, check_resolution, open_image_set

HERE = ("photos", "leaves", "challenge", "text")
"""The sets whose images are on every machine."""


@pytest.mark.parametrize("name", HERE)
def test_a_set_is_named_as_in_the_registry_and_described_in_one_sentence(name: str) -> None:
    images = open_image_set(name)
    assert images.name == name
    assert images.description.endswith(".")
    assert images.rule
    assert len(set(images.names())) == len(images.names()) > 0
    facts = IMAGE_SET_FACTS[name]
    assert (facts.benchmark, facts.description, facts.count) == (name, images.description, len(images.names()))


def test_every_set_is_described_without_its_images() -> None:
    assert set(IMAGE_SET_FACTS) == set(IMAGE_SETS)
    for name, facts in IMAGE_SET_FACTS.items():
        assert facts.name == name
        assert facts.description.endswith(".")
        assert facts.count is None or facts.count > 0


@pytest.mark.parametrize("name", HERE)
def test_two_manifests_are_equal_and_in_order(name: str) -> None:
    first, second = (open_image_set(name).manifest(32, 5) for _ in range(2))
    assert first == second
    assert first.sha256 == second.sha256
    assert tuple(entry.name for entry in first.entries) == open_image_set(name).names()[:5]


def test_the_manifest_hash_is_of_the_canonical_text() -> None:
    manifest = open_image_set("photos").manifest(32)
    rows = [[entry.name, entry.size, entry.sha256] for entry in manifest.entries]
    lines = [json.dumps(row).replace(", ", ",") + "\n" for row in rows]
    assert manifest.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_order_matters_to_the_hash() -> None:
    manifest = open_image_set("photos").manifest(32)
    assert type(manifest)(manifest.entries[::-1]).sha256 != manifest.sha256


def test_leaves_are_the_rendered_scenes() -> None:
    images = open_image_set("leaves")
    assert images.names()[:2] == ("leaf-00", "leaf-01")
    assert len(images.names()) == 64
    pixels = leaves.render(1, 48)
    np.testing.assert_array_equal(images.load("leaf-01", 48), pixels)
    entry = images.manifest(48, 2).entries[1]
    assert (entry.size, entry.sha256) == (pixels.nbytes, hashlib.sha256(pixels.tobytes()).hexdigest())


def test_drawn_sets_differ_by_resolution() -> None:
    images = open_image_set("leaves")
    assert images.manifest(32, 1).sha256 != images.manifest(48, 1).sha256


def test_a_drawn_image_is_the_callers_own() -> None:
    images = open_image_set("leaves")
    images.load("leaf-00", 32)[:] = 0
    np.testing.assert_array_equal(images.load("leaf-00", 32), leaves.render(0, 32))


def test_the_challenge_set_holds_the_five_scenes() -> None:
    assert open_image_set("challenge").names() == tuple(challenge.SCENES)


def test_photos_are_the_held_out_photographs_capped() -> None:
    images = open_image_set("photos")
    assert images.names() == tuple(photograph.name for photograph in photographs.held_out())
    for photograph in photographs.held_out():
        with Image.open(photograph.file()) as original:
            longest = max(original.size)
        assert max(images.load(photograph.name, 256).shape) == 256
        assert max(images.load(photograph.name, 4096).shape) == longest


def test_an_unknown_set_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown image set 'leafs'; did you mean leaves"):
        open_image_set("leafs")


def test_an_empty_name_is_not_the_working_folder() -> None:
    with pytest.raises(RequestError, match="unknown image set ''"):
        open_image_set("")


def test_a_name_wins_over_a_folder_and_a_path_reaches_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert open_image_set("photos").name == "photos"
    assert open_image_set("./photos").names() == ("a.png",)
    assert open_image_set(Path("photos")).names() == ("a.png",)


@pytest.mark.parametrize("name", ["leaves", "challenge"])
def test_an_unknown_image_names_the_nearest(name: str) -> None:
    images = open_image_set(name)
    with pytest.raises(RequestError, match=f"did you mean .*{images.names()[1]}"):
        images.load(images.names()[1] + "x", 32)


def test_another_rule_is_another_benchmark(tmp_path: Path) -> None:
    Image.new("RGB", (8, 4)).save(tmp_path / "a.png")
    usual, capped, cropped = (open_image_set(tmp_path, rule=rule) for rule in (None, "cap", "centre-crop"))
    assert usual == capped
    assert cropped.name == f"{usual.name}-centre-crop"
    assert cropped.rule != usual.rule
    assert cropped.load("a.png", 16).shape == (16, 16, 3)
    assert open_image_set("photos", rule="centre-crop").name == "photos-centre-crop"


def test_a_rule_that_is_unknown_or_does_not_apply_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown size rule 'center-crop'; did you mean centre-crop"):
        open_image_set("photos", rule="center-crop")
    with pytest.raises(RequestError, match="'leaves' are rendered at the resolution: size rule 'cap' does not apply"):
        open_image_set("leaves", rule="cap")


@pytest.mark.parametrize("value", [1, 384, MAX_RESOLUTION])
def test_resolutions_that_pass(value: int) -> None:
    check_resolution(value)


@pytest.mark.parametrize("value", [0, -1, MAX_RESOLUTION + 1, 512.0, "512", True, None])
def test_resolutions_that_are_refused_by_value(value: object) -> None:
    with pytest.raises(RequestError, match=str(value)):
        check_resolution(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("resolution", [0, -1])
@pytest.mark.parametrize("name", HERE)
def test_no_set_loads_at_a_resolution_below_one(name: str, resolution: int) -> None:
    images = open_image_set(name)
    with pytest.raises(RequestError, match=f"not {resolution}"):
        images.load(images.names()[0], resolution)


def test_image_sets_need_nothing_heavy() -> None:
    code = (
        "import sys, vitok_lib.images.sets; sys.exit(bool({'torch', 'huggingface_hub', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
