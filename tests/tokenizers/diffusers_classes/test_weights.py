"""Weights of diffusers' auto-encoders: random ones, folders, files in parts, and configurations that are refused."""

from __future__ import annotations

import json
import shutil
from functools import partial
from inspect import isclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLCosmos
from diffusers.models import autoencoders
from safetensors.torch import load_file, save_file

from tests.fakes.autoencoders import SMALL, WEIGHT_FILE, Small, every_class, loaded, publish, random_images
from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.tokenizers.diffusers_classes import architectures
from vitok_lib.tokenizers.load import load_tokenizer


@every_class
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_random_weights_need_the_configuration_alone_and_keep_activations_in_range(
    small: Small, cache: Path, dtype: str
) -> None:
    publish(small, cache)
    (cache / "vae" / WEIGHT_FILE).unlink()
    tokenizer = loaded(weights="random", dtype=dtype)
    if (small.model_class, dtype) == (AutoencoderKLCosmos, "bfloat16"):  # a CPU has no average over a volume in it
        with pytest.raises(UnsupportedError, match=r"not implemented for 'BFloat16'.*try float32"):
            tokenizer.encode(random_images(32, 32))
        return
    latent = tokenizer.encode(random_images(32, 32))
    assert 0.01 < latent.values.float().std() < 10
    assert 0.01 < tokenizer.decode(latent).float().std() < 10
    assert latent.values.dtype == getattr(torch, dtype)
    assert tokenizer.weights.source == "random:0"


@every_class
def test_random_weights_follow_their_seed(small: Small, cache: Path) -> None:
    publish(small, cache)
    first, again, other = (loaded(weights="random", seed=seed).model.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("part", ["", "vae"], ids=["the-repository", "the-auto-encoder"])
def test_a_folder_is_the_whole_repository_or_its_part(cache: Path, tmp_path: Path, part: str) -> None:
    publish(SMALL["kl"], cache)
    shutil.copytree(cache, tmp_path / "copy")
    found = loaded(weights=tmp_path / "copy" / part)
    assert torch.equal(found.reconstruct(random_images(16, 16)), loaded().reconstruct(random_images(16, 16)))
    assert found.weights.source == "file"


def test_weights_in_several_files_are_put_together(cache: Path) -> None:
    model = publish(SMALL["kl"], cache, max_shard_size="40KB")
    tokenizer = loaded()
    assert len(tokenizer.weights.files.keys() - {"config.json"}) > 1
    found = tokenizer.model.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in model.state_dict().items())


def test_an_index_that_misses_a_tensor_is_named(cache: Path) -> None:
    publish(SMALL["kl"], cache, max_shard_size="40KB")
    index = cache / "vae" / f"{WEIGHT_FILE}.index.json"
    index.write_text(index.read_text().replace("decoder.conv_in.weight", "decoder.conv_on.weight"))
    with pytest.raises(RequestError, match=r"index\.json' is no index .*decoder\.conv_in\.weight"):
        loaded()


def test_attention_layers_under_their_older_names_are_read_as_diffusers_reads_them(cache: Path) -> None:
    small = SMALL["kl"]
    publish(small, cache)
    file = cache / "vae" / WEIGHT_FILE
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(file)
    for new, old in older.items():
        for key in [key for key in tensors if f".attentions.0.{new}." in key]:
            tensors[key.replace(new, old)] = tensors.pop(key)
    file.unlink()
    save_file(tensors, file, metadata={"format": "pt"})
    assert sum("proj_attn" in key for key in tensors) == 4
    expected = small.model_class.from_pretrained(cache / "vae").state_dict()
    found = loaded().model.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())


def test_rae_is_read_with_the_names_that_its_encoder_had_and_the_positions_that_it_makes_itself(cache: Path) -> None:
    model = publish(SMALL["rae"], cache)
    file = cache / "vae" / WEIGHT_FILE
    tensors = load_file(file) | {"decoder.decoder_pos_embed": torch.zeros(1)}
    older = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value"}
    for new, old in (older | {"o_proj": "output.dense"}).items():
        for key in [key for key in tensors if f".attention.{new}." in key]:
            tensors[key.replace(new, old)] = tensors.pop(key)
    file.unlink()
    save_file(tensors, file, metadata={"format": "pt"})
    assert sum("attention.output.dense" in key for key in tensors) == 2
    found = loaded().model
    assert all(torch.equal(found.state_dict()[key], tensor) for key, tensor in model.state_dict().items())
    assert torch.equal(found.decoder.decoder_pos_embed, model.decoder.decoder_pos_embed)


@pytest.mark.parametrize("name", [name for name, found in vars(autoencoders).items() if isclass(found)])
def test_every_class_of_the_installed_diffusers_is_a_tokenizer_or_refused_with_a_reason(cache: Path, name: str) -> None:
    if name in {small.model_class.__name__ for small in SMALL.values()}:
        return  # its reconstructions are compared with diffusers' own
    (cache / "vae").mkdir(parents=True)
    (cache / "vae" / "config.json").write_text(json.dumps({"_class_name": name}))
    with pytest.raises(RequestError, match=rf"diffusers class '{name}', which is not supported: it") as caught:
        loaded(weights="random")
    assert "\n" not in str(caught.value)


def test_a_class_that_the_installed_packages_lack_is_named_with_the_way_out(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(SMALL["rae"], cache)
    monkeypatch.setattr(architectures, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"AutoencoderRAE.* package transformers, .* pip install") as caught:
        loaded()
    assert caught.value.code == "missing-package"
    monkeypatch.setattr(architectures, "diffusers_class", partial(getattr, object()))
    with pytest.raises(RequestError, match="'AutoencoderRAE', which the installed diffusers does not have"):
        loaded()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "'UNet2DConditionModel', which is not supported: this library has"),
        ({"_class_name": None}, "is of the diffusers class 'None'"),
        ({"down_block_types": ["NoSuchBlock"] * 3}, "diffusers cannot build .* from its configuration"),
        ({"in_channels": 4}, "takes images of 4 channels"),
    ],
    ids=["class", "no-class", "block", "channels"],
)
def test_a_configuration_that_cannot_be_used_is_one_sentence(cache: Path, change: dict[str, Any], message: str) -> None:
    publish(SMALL["kl"], cache)
    file = cache / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(RequestError, match=message) as caught:
        loaded()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_random_weights_without_a_cached_configuration_say_how_to_get_it() -> None:
    with pytest.raises(RequestError, match=r"fetch it with 'hf download someone/absent vae/config\.json'"):
        load_tokenizer("diffusers:someone/absent/vae", weights="random")


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("place", ["some one/small", "someone/small/../vae"])
def test_random_weights_of_a_name_that_the_hub_cannot_hold_are_refused(place: str) -> None:
    with pytest.raises(RequestError, match=f"'diffusers:{place}' names no place on the hub"):
        load_tokenizer(f"diffusers:{place}", weights="random")
