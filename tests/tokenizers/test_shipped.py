"""What holds for every tokenizer that ships with the library, however good its weights are."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

from vitok_lib.errors import RequestError
from vitok_lib.project import ROOT
from vitok_lib.records.store import read_record
from vitok_lib.tokenizers import files
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import REGISTRY, SHIPPED, describe

NAMES = [name for name, entry in REGISTRY.items() if entry.sha256 is not None]
LEARNED = [name for name in NAMES if REGISTRY[name].family != "pca"]
BATCH_TOLERANCE = 2e-5  # float32: a batch may take another order of additions, through every layer


@pytest.fixture(params=NAMES)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return load_tokenizer(request.param)


def _images(count: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 5, 7, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def test_the_family_is_complete() -> None:
    assert set(NAMES) == {
        "nano-f16x64",
        "nano-f16x32",
        "nano-f32x128",
        "nano-f32x64",
        "nano-kl-f8x16",
        "pca-f16x64",
        "pca-f16x32",
        "pca-f32x64",
    }


def test_an_odd_size_comes_back(tokenizer: Tokenizer) -> None:
    images = _images(1, 37, 53)
    latent = tokenizer.encode(images)
    stride = tokenizer.spec.downsampling
    assert latent.values.shape == (1, -(-37 // stride), -(-53 // stride), tokenizer.spec.latent_channels)
    reconstruction = tokenizer.decode(latent)
    assert reconstruction.shape == images.shape
    assert reconstruction.isfinite().all()


def test_reconstruct_is_decode_of_encode(tokenizer: Tokenizer) -> None:
    images = _images(1, 32, 32)
    assert torch.equal(tokenizer.reconstruct(images), tokenizer.decode(tokenizer.encode(images)))


def test_a_batch_equals_its_images_one_by_one(tokenizer: Tokenizer) -> None:
    images = _images(3, 32, 64)
    alone = torch.cat([tokenizer.reconstruct(image[None]) for image in images])
    difference = (tokenizer.reconstruct(images) - alone).abs().max().item()
    assert difference <= BATCH_TOLERANCE, f"maximum difference {difference:.3g}"


def test_the_declared_compression_is_that_of_an_image(tokenizer: Tokenizer) -> None:
    images = _images(1, 64, 96)
    assert images.numel() / tokenizer.encode(images).values.numel() == tokenizer.spec.compression_ratio


def test_the_registry_describes_what_is_loaded(tokenizer: Tokenizer) -> None:
    described, loaded = describe(tokenizer.spec.name), tokenizer.spec
    assert (described.downsampling, described.latent_channels) == (loaded.downsampling, loaded.latent_channels)
    assert loaded.parameters
    assert described.parameters in (None, loaded.parameters)


def test_the_name_says_stride_and_channels(tokenizer: Tokenizer) -> None:
    spec = tokenizer.spec
    assert spec.name.endswith(f"f{spec.downsampling}x{spec.latent_channels}")


@pytest.mark.parametrize("name", NAMES)
def test_each_weight_file_is_the_registrys_and_at_most_8_mb(name: str) -> None:
    found = [file for file in (SHIPPED / name).iterdir() if file.name != "training.json"]
    digests = REGISTRY[name].sha256
    assert digests == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in found}
    assert max(file.stat().st_size for file in found) <= 8e6
    assert load_tokenizer(name).weights.files == digests


@pytest.mark.parametrize("name", NAMES)
def test_the_training_record_is_of_the_registrys_architecture(name: str) -> None:
    record = json.loads((SHIPPED / name / "training.json").read_text(encoding="utf-8"))
    entry = REGISTRY[name]
    assert (record["name"], record["family"], record["architecture"]) == (name, entry.family, entry.architecture)


def test_committed_records_of_shipped_weights_answer_for_what_loads_today() -> None:
    records = [
        read_record(file) for file in (ROOT / "results" / "cpu").glob("*/*.json") if file.parent.name != "visuals"
    ]
    records = [record for record in records if record.tokenizer.weights.source == "shipped"]
    assert {record.tokenizer.name for record in records} <= set(NAMES)
    loaded = {name: load_tokenizer(name).weights for name in {record.tokenizer.name for record in records}}
    assert len(loaded) > 3
    for record in records:
        assert record.tokenizer.weights == loaded[record.tokenizer.name]


@pytest.mark.parametrize(
    ("name", "file_name", "at"), [("pca-f16x64", "pca.safetensors", -1), ("nano-kl-f8x16", "config.json", -2)]
)
def test_a_shipped_file_that_was_changed_is_refused(
    name: str, file_name: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED / name, tmp_path / name)
    file = tmp_path / name / file_name
    content = file.read_bytes()
    file.write_bytes(content[:at] + (b" " + content[at:] if file_name.endswith("json") else bytes([content[at] ^ 1])))
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    with pytest.raises(RequestError, match=rf"{file_name}' is not the one that was shipped \(sha256 differs\)"):
        load_tokenizer(name)


@pytest.mark.parametrize("name", ["nano-kl-f8x16", "pca-f16x64"])
@pytest.mark.parametrize("setting", [{"window": 3}, {"part": "encoder"}], ids=["window", "part"])
def test_what_only_a_vitok_has_is_refused(name: str, setting: dict[str, object]) -> None:
    with pytest.raises(RequestError, match=f"tokenizer '{name}' is no ViTok"):
        load_tokenizer(name, **setting)  # type: ignore[arg-type]


def test_a_closed_form_has_no_random_weights() -> None:
    with pytest.raises(RequestError, match="closed form: random weights do not apply"):
        load_tokenizer("pca-f16x64", weights="random")


@pytest.mark.parametrize("name", LEARNED)
def test_random_weights_differ_by_seed_alone(name: str) -> None:
    images = _images(1, 16, 16)
    first, again, other = (load_tokenizer(name, weights="random", seed=seed).reconstruct(images) for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", ["nano-f16x64", "nano-kl-f8x16", "pca-f16x64"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_the_dtype_asked_for_is_that_of_latent_and_image(name: str, dtype: str) -> None:
    tokenizer = load_tokenizer(name, dtype=dtype)
    latent = tokenizer.encode(_images(1, 32, 32))
    assert latent.values.dtype == tokenizer.decode(latent).dtype == getattr(torch, dtype)
    assert tokenizer.settings.dtype == dtype
