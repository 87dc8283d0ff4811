"""The recipe of the small tokenizers: same seed, same crops; closed forms where there are any."""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from vitok_lib.images import leaves, photographs, wallpapers
from vitok_lib.tokenizers.vitok.model import Decoder, Encoder, patchify, unpatchify
from vitok_lib.tokenizers.vitok.variant import parse_variant
from vitok_lib.train import data, initialise, pca
from vitok_lib.train.__main__ import main
from vitok_lib.train.build import build
from vitok_lib.train.data import CropSampler, TrainingImages
from vitok_lib.train.recipe import RECIPES, CropPlan

BY_NAME = {each.name: each for each in wallpapers.wallpapers()}


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    """Two scenes, and noise in place of a photograph: what training needs, without the packages of the photographs."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 160, 3), np.uint8)
    return TrainingImages([leaves.render(seed, 256) for seed in (1, 2)], [noise], ("noise",))


def test_two_samplers_of_one_seed_draw_the_same_crops(images: TrainingImages) -> None:
    first, second, other = CropSampler(images, 3), CropSampler(images, 3), CropSampler(images, 4)
    crops = first.batch(4, 64)
    assert crops.shape == (4, 3, 64, 64)
    assert crops.min() >= -1
    assert crops.max() <= 1
    assert torch.equal(crops, second.batch(4, 64))
    assert not torch.equal(crops, other.batch(4, 64))


def test_crops_are_8_bit_values_and_half_of_them_are_cut_from_the_images_as_they_are(images: TrainingImages) -> None:
    crops = (CropSampler(images, 0).batch(200, 32) + 1) * 127.5
    torch.testing.assert_close(crops, crops.round(), atol=1e-3, rtol=0)
    darkest, brightest = crops.flatten(1).min(1).values, crops.flatten(1).max(1).values
    from_noise = crops.flatten(1).std(1) > 40
    untouched = (darkest < 2) & (brightest > 253) & from_noise
    assert 0.35 < untouched.sum() / from_noise.sum() < 0.7


def test_training_opens_no_photograph_that_is_evaluated_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every photograph of the manifest lies in the folder; those opened are recorded by a hook of the interpreter."""
    monkeypatch.setattr(data, "SCENE_SIZES", (256,))
    for wallpaper in wallpapers.wallpapers():
        Image.new("RGB", (192, 160), "teal").save(tmp_path / f"{wallpaper.name}{Path(wallpaper.path).suffix}")
    monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path))
    monkeypatch.setattr(wallpapers, "_sha256", lambda content: BY_NAME[Path(content.place).stem].sha256)
    opened: set[Path] = set()
    monkeypatch.setattr("builtins.open", _recording(builtins.open, opened))
    monkeypatch.setattr("io.open", _recording(io.open, opened))
    loaded = TrainingImages.load()
    names = {path.stem for path in opened}
    held_out = {each.name for each in photographs.held_out()} | {each.name for each in wallpapers.of_use("evaluate")}
    assert {each.name for each in wallpapers.of_use("train")} <= names
    assert not names & held_out
    assert not set(loaded.names) & held_out


def test_training_without_the_wallpapers_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITOK_WALLPAPERS", str(tmp_path))
    assert main(["pca-f16x64", "--out", str(tmp_path / "out")]) == 2
    assert "apt-get install" in capsys.readouterr().err


def test_components_span_what_scikit_learn_finds(images: TrainingImages) -> None:
    patch, kept = 4, 6
    components = pca.fit(CropSampler(images, 0), patch, 20_000)
    sampler = CropSampler(images, 0)
    tokens = torch.cat([patchify(sampler.batch(32, 128), patch)[0].flatten(0, 1)])
    while len(tokens) < 20_000:
        tokens = torch.cat([tokens, patchify(sampler.batch(32, 128), patch)[0].flatten(0, 1)])
    reference = PCA(kept).fit(tokens.double().numpy())
    overlap = np.abs(reference.components_ @ components.basis[:, :kept].double().numpy())
    np.testing.assert_allclose(overlap, np.eye(kept), atol=1e-3)
    np.testing.assert_allclose(components.deviation[:kept].numpy() ** 2, reference.explained_variance_, rtol=1e-3)


def test_a_vitok_starts_near_the_components_it_was_given(images: TrainingImages) -> None:
    torch.manual_seed(0)
    variant = parse_variant("w64_d1_h2-w64_d1_h2/8x24")
    sampler = CropSampler(images, 0)
    components = pca.fit(sampler, variant.patch, 20_000)
    encoder, decoder = Encoder(variant), Decoder(variant)
    initialise.start_at_components(encoder, decoder, components)
    crops = sampler.batch(8, 128)
    tokens, rows, columns = patchify(crops, variant.patch)
    basis = components.basis[:, : variant.channels - 2]
    linear = unpatchify((tokens - components.mean) @ basis @ basis.T + components.mean, rows, columns, variant.patch)
    with torch.no_grad():
        error = (decoder(encoder(crops)) - crops).square().mean()
    floor = (linear - crops).square().mean()
    assert 10 * torch.log10(error / floor) < 1.5, "dB below the components"


@pytest.mark.parametrize("name", ["nano-f16x64", "nano-kl-f8x16", "pca-f16x64"])
def test_a_moment_of_training_leaves_weights_in_the_layout_they_are_loaded_from(
    name: str, images: TrainingImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitok_lib.train.build.PCA_PATCHES", 4096)
    crops = (CropPlan(1.0, 2, 64),) if RECIPES[name].crops else ()
    built = build(dataclasses.replace(RECIPES[name], crops=crops), images, "cpu")
    if built.training:
        built.training.advance(1, print)
    built.save(tmp_path)
    shipped = {path.name for path in (Path(data.__file__).parents[1] / "weights" / name).iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == shipped - {"training.json"}


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_training_record_states_the_files_that_ship(name: str) -> None:
    folder = Path(data.__file__).parents[1] / "weights" / name
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    others = [file for file in folder.iterdir() if file.name != "training.json"]
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in others}
    assert record["sha256"] == digests
    assert record["architecture"] == RECIPES[name].architecture
    assert record["command"].startswith(f"python -m vitok_lib.train {name}")
    assert not set(record["photographs"]) & {photograph.name for photograph in photographs.held_out()}


def _recording(opening: Callable[..., Any], opened: set[Path]) -> Callable[..., Any]:
    def recorded(file: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(file, (str, Path)):
            opened.add(Path(file))
        return opening(file, *rest, **options)

    return recorded
