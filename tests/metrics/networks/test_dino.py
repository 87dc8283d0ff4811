"""DINO features against transformers called directly, on tiny models in a cache laid out as the hub does."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.metrics.networks import dino
from vitok_lib.metrics.networks.dino import DINOV2, DINOV3, Release
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.features import load_extractor
from vitok_lib.metrics.networks.pins import PINS

transformers = pytest.importorskip("transformers", reason="transformers comes with the GPU extra")

SMALL = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
RELEASES = [DINOV2, DINOV3]


def _tiny(release: Release) -> torch.nn.Module:
    torch.manual_seed(0)
    if release is DINOV2:
        configuration = transformers.Dinov2Config(**SMALL, mlp_ratio=2, patch_size=14, image_size=518)
    else:
        configuration = transformers.DINOv3ViTConfig(
            **SMALL, intermediate_size=48, patch_size=16, num_register_tokens=4
        )
    return getattr(transformers, release.model)(configuration).eval()


def _folder(root: Path, release: Release) -> Path:
    return root / f"models--{release.repository.replace('/', '--')}" / "snapshots" / release.revision


def _published(folder: Path, release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the files in ``folder`` for those that were published."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in PINS[release.extractor]}
    monkeypatch.setitem(PINS, release.extractor, digests)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def _images(count: int, side: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.extractor)
@pytest.mark.parametrize("changed", ["config.json", "model.safetensors"])
def test_files_that_are_not_the_published_ones_are_refused(
    release: Release, changed: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(cache, release)
    _tiny(release).save_pretrained(folder)
    _published(folder, release, monkeypatch)
    (folder / changed).write_bytes((folder / changed).read_bytes() + b" ")
    with pytest.raises(RequestError, match=rf"{changed}' holds other weights than '{release.extractor}'"):
        load_extractor(release.extractor, "cpu")


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.extractor)
def test_features_are_the_class_token_of_transformers(
    release: Release, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _tiny(release)
    folder = _folder(cache, release)
    model.save_pretrained(folder)
    _published(folder, release, monkeypatch)
    extractor = load_extractor(release.extractor, "cpu")
    images = _images(2, EXTRACTORS[release.extractor].crop_side)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalised = (images.movedim(1, -1).numpy() / 255 - mean) / deviation
    with torch.no_grad():
        expected = model(torch.from_numpy(normalised).movedim(-1, 1).float()).pooler_output
    found = extractor.features(images)
    assert extractor.dimensions == SMALL["hidden_size"]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    np.testing.assert_allclose(extractor.features(images[1:]), found[1:], atol=1e-5)
    weights = extractor.weights
    assert (weights.repository, weights.revision) == (release.repository, release.revision)
    assert weights.files["model.safetensors"] == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.extractor)
def test_weights_that_cannot_be_fetched_are_one_sentence_with_a_way_out(release: Release) -> None:
    with pytest.raises(RequestError) as raised:
        load_extractor(release.extractor, "cpu")
    message = str(raised.value)
    assert f"cannot fetch '{release.repository}' at revision '{release.revision}'" in message
    assert "HF_TOKEN" in message
    assert ("accept its licence" in message) == release.gated
    assert "\n" not in message


def test_an_error_without_words_is_named_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(RequestError, match=r"from the hub \(TimeoutError\)"):
        load_extractor("dinov2", "cpu")


def test_a_repository_without_safetensors_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = _tiny(DINOV2)
    folder = _folder(cache, DINOV2)
    model.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    _published(folder, DINOV2, monkeypatch)
    (folder / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"weights of 'dinov2' are not at .*fetched again") as raised:
        load_extractor("dinov2", "cpu")
    assert "\n" not in str(raised.value)


def test_damaged_weights_are_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(cache, DINOV2)
    _tiny(DINOV2).save_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"damaged")
    _published(folder, DINOV2, monkeypatch)
    with pytest.raises(RequestError, match=r"cannot be read .*fetch it again"):
        load_extractor("dinov2", "cpu")


def test_weights_of_another_model_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(cache, DINOV2)
    _tiny(DINOV2).save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    from safetensors.torch import save_file

    save_file({"something.else": torch.zeros(3)}, folder / "model.safetensors", metadata={"format": "pt"})
    _published(folder, DINOV2, monkeypatch)
    with pytest.raises(RequestError, match="lacks weights of Dinov2Model"):
        load_extractor("dinov2", "cpu")


def test_a_missing_transformers_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RequestError, match=r"needs a transformers that has DINOv3ViTModel.*pip install"):
        load_extractor("dinov3", "cpu")


def test_a_transformers_without_the_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    older = Release("dinov3", DINOV3.repository, DINOV3.revision, "NoSuchModel", gated=True)
    monkeypatch.setattr(dino, "DINOV3", older)
    with pytest.raises(RequestError, match="needs a transformers that has NoSuchModel"):
        load_extractor("dinov3", "cpu")
