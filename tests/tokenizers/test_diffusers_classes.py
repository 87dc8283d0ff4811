"""Each class of diffusers' auto-encoders, small, against diffusers' own loading, encoding and decoding."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLCosmos,
    AutoencoderKLFlux2,
    AutoencoderKLHunyuanImage,
    AutoencoderKLLTXVideo,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
    AutoencoderTiny,
    LTXPipeline,
    VQModel,
)
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.tokenizers.autoencoders import Autoencoder
from vitok_lib.tokenizers.load import load_tokenizer

NAME, COMMIT = "diffusers:someone/small/vae", "d" * 40
WEIGHT_FILE = "diffusion_pytorch_model.safetensors"


@dataclass(frozen=True)
class Small:
    """A class with a small configuration, its latent, and the side in pixels of its tiles."""

    model_class: Any
    options: dict[str, Any]
    stride: int
    channels: int
    tile: int


_STATISTICS = {"latents_mean": (0.5, -0.25, 0.0, 1.0), "latents_std": (2.0, 0.5, 1.0, 4.0)}
_KL = {
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 32,
}
_DC_SIDE = {
    "block_types": ("ResBlock", "ResBlock", "EfficientViTBlock"),
    "block_out_channels": (4, 8, 16),
    "layers_per_block": (0, 1, 1),
    "qkv_multiscales": ((), (), ()),
}
_DC = {
    **{f"{side}_{key}": value for side in ("encoder", "decoder") for key, value in _DC_SIDE.items()},
    "latent_channels": 4,
    "attention_head_dim": 4,
    "decoder_norm_types": ("batch_norm", "batch_norm", "rms_norm"),
    "decoder_act_fns": ("relu", "relu", "silu"),
    "scaling_factor": 0.3,
}
_QWEN = {
    "base_dim": 8,
    "z_dim": 4,
    "dim_mult": [1, 2],
    "num_res_blocks": 1,
    "temperal_downsample": [True],
    **_STATISTICS,
}
_WAN = {**_QWEN, "scale_factor_spatial": 2}
_WAN_OF_PATCHES = {
    **_QWEN,
    "dim_mult": [1, 1],
    "is_residual": True,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "scale_factor_spatial": 4,
}
_HUNYUAN = {
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "block_out_channels": (32, 32, 32),
    "layers_per_block": 1,
    "spatial_compression_ratio": 4,
    "sample_size": 32,
    "scaling_factor": 0.75,
}
_COSMOS = {
    "latent_channels": 4,
    "encoder_block_out_channels": (8, 8, 8),
    "decode_block_out_channels": (8, 8, 8),
    "attention_resolutions": (16,),
    "resolution": 32,
    "num_layers": 1,
    "patch_size": 2,
    "spatial_compression_ratio": 4,
    "temporal_compression_ratio": 4,
    "latents_mean": (0.5, 9, -0.25, 9, 0.0, 9, 1.0, 9),
    "latents_std": (2.0, 9, 0.5, 9, 1.0, 9, 4.0, 9),
}
_LTX = {
    "latent_channels": 4,
    "block_out_channels": (8, 8),
    "decoder_block_out_channels": (8, 8),
    "layers_per_block": (1, 1, 1),
    "decoder_layers_per_block": (1, 1, 1),
    "spatio_temporal_scaling": (True, False),
    "decoder_spatio_temporal_scaling": (True, False),
    "patch_size": 2,
    "scaling_factor": 0.5,
}
_TINY = {
    "encoder_block_out_channels": (8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8),
    "num_encoder_blocks": (1, 1, 1),
    "num_decoder_blocks": (1, 1, 1),
    "scaling_factor": 0.5,
    "shift_factor": 0.25,
}
_VQ = {
    **_KL,
    "block_out_channels": (32, 32, 32),
    "norm_num_groups": 32,
    "num_vq_embeddings": 50,
    "vq_embed_dim": 4,
    "norm_type": "spatial",
    "scaling_factor": 0.25,
}
SMALL = {
    "kl": Small(AutoencoderKL, {**_KL, "scaling_factor": 0.25, "shift_factor": 0.125}, 4, 4, 32),
    "kl-by-channel": Small(AutoencoderKL, {**_KL, **_STATISTICS, "scaling_factor": 0.5}, 4, 4, 32),
    "flux2": Small(AutoencoderKLFlux2, _KL, 4, 4, 32),
    "qwen": Small(AutoencoderKLQwenImage, _QWEN, 2, 4, 256),
    "wan": Small(AutoencoderKLWan, _WAN, 2, 4, 256),
    "wan-of-patches": Small(AutoencoderKLWan, _WAN_OF_PATCHES, 4, 4, 512),
    "hunyuan": Small(AutoencoderKLHunyuanImage, _HUNYUAN, 4, 4, 32),
    "ltx": Small(AutoencoderKLLTXVideo, _LTX, 4, 4, 512),
    "cosmos": Small(AutoencoderKLCosmos, _COSMOS, 4, 4, 512),
    "dc": Small(AutoencoderDC, _DC, 4, 4, 512),
    "tiny": Small(AutoencoderTiny, _TINY, 4, 4, 512),
    "vq": Small(VQModel, _VQ, 4, 4, 32),
}


def _parametrised(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("small", [SMALL[name] for name in names], ids=names)


every_scale = _parametrised(*SMALL)
VIDEO = (AutoencoderKLCosmos, AutoencoderKLQwenImage, AutoencoderKLWan, AutoencoderKLLTXVideo)
_WITH_POSTERIOR = ("kl", "flux2", "qwen", "wan", "wan-of-patches", "hunyuan", "ltx")
every_class = _parametrised(*_WITH_POSTERIOR, "cosmos", "dc", "tiny", "vq")
with_posterior = _parametrised(*_WITH_POSTERIOR)
with_tiles = _parametrised("kl", "flux2", "qwen", "wan", "wan-of-patches", "ltx", "dc")
with_slices = _parametrised(*_WITH_POSTERIOR, "cosmos", "dc", "tiny")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one snapshot of ``someone/small`` in an empty hub cache without a network."""
    repository = tmp_path / "hub" / "models--someone--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository / "snapshots" / COMMIT


def _publish(small: Small, snapshot: Path, **options: Any) -> Any:
    """Keep a model with batch statistics and a posterior of its own as the hub does; returns what diffusers loads."""
    torch.manual_seed(1)
    model = small.model_class(**small.options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn_like(module.running_mean)
            module.running_var = torch.rand_like(module.running_var) + 0.5
    if isinstance(model, AutoencoderKLLTXVideo):
        model.latents_mean.normal_()
        model.latents_std.uniform_(0.5, 1.5)
    if isinstance(model, VQModel):
        model.quantize.embedding.weight.data.normal_()
    if hasattr(model, "quant_conv"):
        model.quant_conv.bias.data[small.channels :] -= 2  # a posterior of another width than 1
    model.save_pretrained(snapshot / "vae", **options)
    return small.model_class.from_pretrained(snapshot / "vae").eval()


def _images(height: int, width: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1


def _padded(small: Small, images: Tensor) -> Tensor:
    margins = [(0, 0), (0, 0), *((0, -side % small.stride) for side in images.shape[2:])]
    return torch.from_numpy(np.pad(images.numpy(), margins, mode="edge"))


def _mode(model: Any, images: Tensor) -> Tensor:
    """The unscaled latent by diffusers alone."""
    if isinstance(model, VIDEO):
        return model.encode(images[:, :, None]).latent_dist.mode()[:, :, 0]
    if isinstance(model, AutoencoderTiny):
        return model.encode(images).latents
    if isinstance(model, VQModel):
        return model.quantize(model.encode(images).latents)[0]
    if isinstance(model, AutoencoderDC):
        return model.encode(images).latent
    return model.encode(images).latent_dist.mode()


def _decoded(model: Any, raw: Tensor) -> Tensor:
    if isinstance(model, VIDEO):
        return model.decode(raw[:, :, None]).sample[:, :, 0]
    return model.decode(raw).sample


def _scaled(model: Any, raw: Tensor) -> Tensor:
    """The latent as diffusers' pipelines hand it to the generator."""
    config = model.config
    if isinstance(model, AutoencoderKLFlux2):
        return F.pixel_shuffle(model.bn(F.pixel_unshuffle(raw, 2)), 2)
    if isinstance(model, AutoencoderKLLTXVideo):
        normalised = LTXPipeline._normalize_latents(
            raw[:, :, None], model.latents_mean, model.latents_std, config["scaling_factor"]
        )
        return normalised[:, :, 0]
    if isinstance(model, AutoencoderKLCosmos):  # as CosmosTextToWorldPipeline reads them, before the scheduler's part
        mean, std = (torch.tensor(config[key]).view(1, 4, -1, 1, 1) for key in ("latents_mean", "latents_std"))
        return ((raw[:, :, None] - mean[:, :, :1]) / std[:, :, :1])[:, :, 0]
    if config.get("latents_mean") is None:
        return (raw - (config.get("shift_factor") or 0)) * config["scaling_factor"]
    mean, std = (torch.tensor(config[key]).view(1, -1, 1, 1) for key in ("latents_mean", "latents_std"))
    return (raw - mean) * config.get("scaling_factor", 1.0) / std


def _loaded(**options: Any) -> Any:
    return load_tokenizer(NAME, **options)


@every_scale
@torch.no_grad()
def test_the_latent_is_the_scaled_mode_of_diffusers(small: Small, cache: Path) -> None:
    model, images = _publish(small, cache), _images(22, 32, 2)
    latent = _loaded().encode(images)
    expected = _scaled(model, _mode(model, _padded(small, images)))
    torch.testing.assert_close(latent.values.permute(0, 3, 1, 2), expected, atol=1e-5, rtol=1e-5)


@every_scale
@torch.no_grad()
def test_a_reconstruction_is_the_one_of_diffusers_cut_back(small: Small, cache: Path) -> None:
    model, images = _publish(small, cache), _images(21, 18, 2)
    expected = _decoded(model, _mode(model, _padded(small, images)))[:, :, :21, :18]
    torch.testing.assert_close(_loaded().reconstruct(images), expected, atol=1e-5, rtol=1e-5)


@every_class
def test_the_spec_states_the_grid_that_encoding_gives(small: Small, cache: Path) -> None:
    model, tokenizer = _publish(small, cache), _loaded()
    spec = tokenizer.spec
    assert (spec.downsampling, spec.latent_channels) == (small.stride, small.channels)
    assert spec.parameters == model.num_parameters()
    grid = (-(-17 // small.stride), -(-30 // small.stride))
    assert tokenizer.encode(_images(17, 30)).values.shape == (1, *grid, small.channels)


@every_class
def test_the_commit_the_weights_and_the_configuration_are_recorded(small: Small, cache: Path) -> None:
    _publish(small, cache)
    identity = _loaded().weights
    assert (identity.source, identity.repository, identity.revision) == ("released", "someone/small", COMMIT)
    files = (cache / "vae" / WEIGHT_FILE, cache / "vae" / "config.json")
    assert identity.files == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@every_class
@pytest.mark.parametrize("weights", ["released", "random", "file"])
def test_another_configuration_of_the_same_tensors_is_another_tokenizer(
    small: Small, cache: Path, weights: str
) -> None:
    _publish(small, cache)
    options = {"weights": cache if weights == "file" else weights}
    before = _loaded(**options).weights
    file = cache / "vae" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "act_fn": "relu"}))
    after = _loaded(**options).weights
    assert after != before
    assert after.files["config.json"] == hashlib.sha256(file.read_bytes()).hexdigest()


@with_tiles
@torch.no_grad()
def test_tiling_is_that_of_diffusers(small: Small, cache: Path) -> None:
    model, images = _publish(small, cache), _images(small.tile + 24, 16)
    model.enable_tiling()
    tokenizer = _loaded(tiling=True)
    expected = _decoded(model, _mode(model, images))
    torch.testing.assert_close(tokenizer.reconstruct(images), expected, atol=1e-5, rtol=1e-5)
    assert not torch.equal(tokenizer.reconstruct(images), _loaded().reconstruct(images))
    assert tokenizer.settings.tiling is True


@with_slices
def test_slicing_runs_one_image_at_a_time_to_the_same_end(small: Small, cache: Path) -> None:
    _publish(small, cache)
    tokenizer, images = _loaded(slicing=True), _images(16, 16, 3)
    seen: list[int] = []
    for side in (tokenizer.model.encoder, tokenizer.model.decoder):
        side.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    torch.testing.assert_close(tokenizer.reconstruct(images), _loaded().reconstruct(images), atol=1e-5, rtol=1e-5)
    assert seen == [1] * 6
    assert tokenizer.settings.slicing is True


@_parametrised("cosmos", "hunyuan", "tiny", "vq")
def test_tiles_where_diffusers_has_none_are_refused(small: Small, cache: Path) -> None:
    _publish(small, cache)
    with pytest.raises(RequestError, match=r"no working tiles .* leave tiling out"):
        _loaded(tiling=True)
    with pytest.raises(RequestError, match=r"no working tiles .* leave tiling out"):
        _loaded().tiled()


def test_slices_where_diffusers_has_none_are_refused(cache: Path) -> None:
    _publish(SMALL["vq"], cache)
    with pytest.raises(RequestError, match=r"no slices .*VQModel.* leave slicing out"):
        _loaded(slicing=True)


@torch.no_grad()
def test_a_discrete_latent_holds_codes_and_takes_the_bits_of_their_indices(cache: Path) -> None:
    model, images = _publish(SMALL["vq"], cache), _images(21, 18, 2)
    latent = _loaded().encode(images)
    positions = latent.values.reshape(-1, 4) / 0.25
    distances = torch.cdist(positions.double(), model.quantize.embedding.weight.double()).min(1).values
    assert distances.max() < 1e-5
    assert latent.bits == (6 * 5 * 6,) * 2, "6 × 5 positions; an index among 50 codes takes 6 bits"


def test_a_decoder_that_denoises_is_refused(cache: Path) -> None:
    _publish(Small(AutoencoderKLLTXVideo, {**_LTX, "timestep_conditioning": True}, 4, 4, 512), cache)
    with pytest.raises(RequestError, match="denoises as it decodes"):
        _loaded()


def test_what_is_off_is_not_in_the_settings(cache: Path) -> None:
    _publish(SMALL["kl"], cache)
    settings = _loaded().settings
    assert (settings.tiling, settings.slicing, settings.posterior) == (None, None, None)


@with_posterior
def test_a_sample_of_a_batch_is_that_of_its_images_alone(small: Small, cache: Path) -> None:
    _publish(small, cache)
    tokenizer, images = _loaded(posterior="sample", seed=5), _images(16, 24, 3)
    together = tokenizer.encode(images).values
    alone = torch.cat([tokenizer.encode(image[None]).values for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert tokenizer.settings.posterior == "sample"


@torch.no_grad()
def test_a_sample_is_normal_around_the_mode_with_the_posteriors_width(cache: Path) -> None:
    model, images = _publish(SMALL["kl"], cache), _images(160, 160)
    raw = _loaded(posterior="sample", seed=5).encode(images).values.permute(0, 3, 1, 2) / 0.25 + 0.125
    posterior = model.encode(images).latent_dist
    noise = (raw - posterior.mean) / posterior.std
    ordered = torch.sort(noise.flatten()).values
    distance = (torch.special.ndtr(ordered) - (torch.arange(len(ordered)) + 0.5) / len(ordered)).abs().max()
    assert len(ordered) == 6400
    assert distance < 1.63 / len(ordered) ** 0.5, "a Kolmogorov-Smirnov test at 1 %"


def test_a_sample_follows_its_seed(cache: Path) -> None:
    _publish(SMALL["kl"], cache)
    images = _images(16, 16)
    first, again, other = (_loaded(posterior="sample", seed=seed).encode(images).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_sample_where_there_is_no_posterior_is_refused(cache: Path) -> None:
    _publish(SMALL["dc"], cache)
    with pytest.raises(RequestError, match="has no posterior to sample from; leave posterior at 'mode'"):
        _loaded(posterior="sample")


@every_class
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_random_weights_need_the_configuration_alone_and_keep_activations_in_range(
    small: Small, cache: Path, dtype: str
) -> None:
    _publish(small, cache)
    (cache / "vae" / WEIGHT_FILE).unlink()
    tokenizer = _loaded(weights="random", dtype=dtype)
    if (small.model_class, dtype) == (AutoencoderKLCosmos, "bfloat16"):  # a CPU has no average over a volume in it
        with pytest.raises(UnsupportedError, match=r"not implemented for 'BFloat16'.*try float32"):
            tokenizer.encode(_images(32, 32))
        return
    latent = tokenizer.encode(_images(32, 32))
    assert 0.01 < latent.values.float().std() < 10
    assert 0.01 < tokenizer.decode(latent).float().std() < 10
    assert latent.values.dtype == getattr(torch, dtype)
    assert tokenizer.weights.source == "random:0"


@every_class
def test_random_weights_follow_their_seed(small: Small, cache: Path) -> None:
    _publish(small, cache)
    first, again, other = (_loaded(weights="random", seed=seed).model.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("part", ["", "vae"], ids=["the-repository", "the-auto-encoder"])
def test_a_folder_is_the_whole_repository_or_its_part(cache: Path, tmp_path: Path, part: str) -> None:
    _publish(SMALL["kl"], cache)
    shutil.copytree(cache, tmp_path / "copy")
    found = _loaded(weights=tmp_path / "copy" / part)
    assert torch.equal(found.reconstruct(_images(16, 16)), _loaded().reconstruct(_images(16, 16)))
    assert found.weights.source == "file"


def test_weights_in_several_files_are_put_together(cache: Path) -> None:
    model = _publish(SMALL["kl"], cache, max_shard_size="40KB")
    tokenizer = _loaded()
    assert len(tokenizer.weights.files.keys() - {"config.json"}) > 1
    found = tokenizer.model.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in model.state_dict().items())


def test_an_index_that_misses_a_tensor_is_named(cache: Path) -> None:
    _publish(SMALL["kl"], cache, max_shard_size="40KB")
    index = cache / "vae" / f"{WEIGHT_FILE}.index.json"
    index.write_text(index.read_text().replace("decoder.conv_in.weight", "decoder.conv_on.weight"))
    with pytest.raises(RequestError, match=r"index\.json' is no index .*decoder\.conv_in\.weight"):
        _loaded()


def test_attention_layers_under_their_older_names_are_read_as_diffusers_reads_them(cache: Path) -> None:
    small = SMALL["kl"]
    _publish(small, cache)
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
    found = _loaded().model.state_dict()
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"_class_name": "AutoencoderOobleck"},
            "is of the diffusers class 'AutoencoderOobleck', which is not supported",
        ),
        ({"_class_name": None}, "is of the diffusers class 'None'"),
        ({"down_block_types": ["NoSuchBlock"] * 3}, "diffusers cannot build .* from its configuration"),
        ({"in_channels": 4}, "takes images of 4 channels"),
    ],
    ids=["class", "no-class", "block", "channels"],
)
def test_a_configuration_that_cannot_be_used_is_one_sentence(cache: Path, change: dict[str, Any], message: str) -> None:
    _publish(SMALL["kl"], cache)
    file = cache / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(RequestError, match=message) as caught:
        _loaded()
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


def test_a_tiled_twin_shares_the_weights_and_leaves_the_whole_one_as_it_is() -> None:
    whole = load_tokenizer("nano-kl-f8x4")
    assert isinstance(whole, Autoencoder)
    image = torch.rand(1, 3, 96, 80, generator=torch.Generator().manual_seed(2)) * 2 - 1
    before = whole.reconstruct(image)
    tiled = whole.tiled()
    assert (tiled.settings.tiling, whole.settings.tiling) == (True, None)
    assert tiled.model.use_tiling
    assert {id(tensor) for tensor in tiled.model.parameters()} == {id(tensor) for tensor in whole.model.parameters()}
    assert torch.equal(whole.reconstruct(image), before)
