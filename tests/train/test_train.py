"""The recipe of the small tokenizers: same seed, same crops; closed forms where there are any."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from vitok_lib.images import photographs
from vitok_lib.tokenizers.vitok.model import Decoder, Encoder, patchify, unpatchify
from vitok_lib.tokenizers.vitok.variant import parse_variant
from vitok_lib.train import data, initialise, pca
from vitok_lib.train.build import build
from vitok_lib.train.data import CropSampler
from vitok_lib.train.recipe import RECIPES


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "SCENE_SIZES", (256, 256))


def test_two_samplers_of_one_seed_draw_the_same_crops() -> None:
    first, second, other = CropSampler(3), CropSampler(3), CropSampler(4)
    crops = first.batch(4, 64)
    assert crops.shape == (4, 3, 64, 64)
    assert crops.min() >= -1
    assert crops.max() <= 1
    assert torch.equal(crops, second.batch(4, 64))
    assert not torch.equal(crops, other.batch(4, 64))


def test_training_never_opens_a_held_out_photograph(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    original = photographs.Photograph.file

    def watched(self: photographs.Photograph) -> Path:
        opened.append(self.name)
        return original(self)

    monkeypatch.setattr(photographs.Photograph, "file", watched)
    CropSampler(0).batch(2, 64)
    assert opened
    assert not set(opened) & {photograph.name for photograph in photographs.held_out()}


def test_components_span_what_scikit_learn_finds() -> None:
    patch, kept = 4, 6
    components = pca.fit(CropSampler(0), patch, 20_000)
    sampler = CropSampler(0)
    tokens = torch.cat([patchify(sampler.batch(32, 128), patch)[0].flatten(0, 1)])
    while len(tokens) < 20_000:
        tokens = torch.cat([tokens, patchify(sampler.batch(32, 128), patch)[0].flatten(0, 1)])
    reference = PCA(kept).fit(tokens.double().numpy())
    overlap = np.abs(reference.components_ @ components.basis[:, :kept].double().numpy())
    np.testing.assert_allclose(overlap, np.eye(kept), atol=1e-3)
    np.testing.assert_allclose(components.deviation[:kept].numpy() ** 2, reference.explained_variance_, rtol=1e-3)


def test_a_vitok_starts_near_the_components_it_was_given() -> None:
    torch.manual_seed(0)
    variant = parse_variant("w64_d1_h2-w64_d1_h2/8x24")
    sampler = CropSampler(0)
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


@pytest.mark.parametrize("name", ["nano-f16x64", "nano-kl-f8x4", "pca-f16x64"])
def test_a_moment_of_training_leaves_weights_in_the_layout_they_are_loaded_from(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitok_lib.train.build.PCA_PATCHES", 4096)
    progress = build(RECIPES[name], tmp_path, 0.02, "cpu", lambda _: None)
    assert (progress.steps > 0) == (name != "pca-f16x64")
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
