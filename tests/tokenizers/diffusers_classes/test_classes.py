"""Each class of diffusers' auto-encoders, small, against diffusers' own loading, encoding and decoding."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderDC,
    AutoencoderKLCosmos,
    AutoencoderKLFlux2,
    AutoencoderKLLTXVideo,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
    AutoencoderRAE,
    AutoencoderTiny,
    LTXPipeline,
    VQModel,
)
from torch import Tensor

from tests.fakes.autoencoders import (
    COMMIT,
    SMALL,
    WEIGHT_FILE,
    WITH_POSTERIOR,
    Small,
    every_class,
    loaded,
    parametrised,
    publish,
    random_images,
)
from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.tokenizers.diffusers_classes.autoencoders import Autoencoder
from vitok_lib.tokenizers.load import load_tokenizer

every_scale = parametrised(*SMALL)
VIDEO = (AutoencoderKLCosmos, AutoencoderKLQwenImage, AutoencoderKLWan, AutoencoderKLLTXVideo)
with_posterior = parametrised(*WITH_POSTERIOR)
with_tiles = parametrised("kl", "flux2", "qwen", "wan", "wan-of-patches", "ltx", "kvae", "dc")
with_slices = parametrised(*WITH_POSTERIOR, "cosmos", "dc", "tiny")


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
    if isinstance(model, AutoencoderRAE):
        return model.encode((images + 1) / 2).latent
    return model.encode(images).latent_dist.mode()


def _decoded(model: Any, raw: Tensor) -> Tensor:
    if isinstance(model, VIDEO):
        return model.decode(raw[:, :, None]).sample[:, :, 0]
    if isinstance(model, AutoencoderRAE):
        return 2 * model.decode(raw).sample - 1
    return model.decode(raw).sample


def _scaled(model: Any, raw: Tensor) -> Tensor:
    """The latent as diffusers' pipelines hand it to the generator."""
    config = model.config
    if isinstance(model, AutoencoderRAE):  # encode has done so
        return raw
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
        return (raw - (config.get("shift_factor") or 0)) * config.get("scaling_factor", 1.0)
    mean, std = (torch.tensor(config[key]).view(1, -1, 1, 1) for key in ("latents_mean", "latents_std"))
    return (raw - mean) * config.get("scaling_factor", 1.0) / std


@every_scale
@torch.no_grad()
def test_the_latent_is_the_scaled_mode_of_diffusers(small: Small, cache: Path) -> None:
    model, images = publish(small, cache), random_images(30, 32, 2)
    latent = loaded().encode(images)
    expected = _scaled(model, _mode(model, _padded(small, images)))
    torch.testing.assert_close(latent.values.permute(0, 3, 1, 2), expected, atol=1e-5, rtol=1e-5)


@every_scale
@torch.no_grad()
def test_a_reconstruction_is_the_one_of_diffusers_cut_back(small: Small, cache: Path) -> None:
    model, images = publish(small, cache), random_images(29, 30, 2)
    expected = _decoded(model, _mode(model, _padded(small, images)))[:, :, :29, :30]
    torch.testing.assert_close(loaded().reconstruct(images), expected, atol=1e-5, rtol=1e-5)


@every_scale
@torch.no_grad()
def test_shift_and_scale_of_each_channel_give_the_raw_latent_back(small: Small, cache: Path) -> None:
    model, images = publish(small, cache), random_images(32, 32)
    found = loaded().channel_scaling()
    if isinstance(model, AutoencoderKLFlux2):
        assert found is None, "they differ by the place in a patch"
        return
    shift, scale = found
    raw = loaded().encode(images).values / scale + shift
    torch.testing.assert_close(raw.permute(0, 3, 1, 2), _mode(model, images).double(), atol=1e-5, rtol=1e-5)


@every_class
def test_the_spec_states_the_grid_that_encoding_gives(small: Small, cache: Path) -> None:
    model, tokenizer = publish(small, cache), loaded()
    spec = tokenizer.spec
    assert (spec.downsampling, spec.latent_channels) == (small.stride, small.channels)
    assert spec.parameters == model.num_parameters()
    grid = (-(-29 // small.stride), -(-30 // small.stride))
    assert tokenizer.encode(random_images(29, 30)).values.shape == (1, *grid, small.channels)


@every_class
def test_the_commit_the_weights_and_the_configuration_are_recorded(small: Small, cache: Path) -> None:
    publish(small, cache)
    identity = loaded().weights
    assert (identity.source, identity.repository, identity.revision) == ("released", "someone/small", COMMIT)
    files = (cache / "vae" / WEIGHT_FILE, cache / "vae" / "config.json")
    assert identity.files == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@every_class
@pytest.mark.parametrize("weights", ["released", "random", "file"])
def test_another_configuration_of_the_same_tensors_is_another_tokenizer(
    small: Small, cache: Path, weights: str
) -> None:
    publish(small, cache)
    options = {"weights": cache if weights == "file" else weights}
    before = loaded(**options).weights
    file = cache / "vae" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "act_fn": "relu"}))
    after = loaded(**options).weights
    assert after != before
    assert after.files["config.json"] == hashlib.sha256(file.read_bytes()).hexdigest()


@with_tiles
@torch.no_grad()
def test_tiling_is_that_of_diffusers(small: Small, cache: Path) -> None:
    model, images = publish(small, cache), random_images(small.tile + 24, 16)
    model.enable_tiling()
    tokenizer = loaded(tiling=True)
    expected = _decoded(model, _mode(model, images))
    torch.testing.assert_close(tokenizer.reconstruct(images), expected, atol=1e-5, rtol=1e-5)
    assert not torch.equal(tokenizer.reconstruct(images), loaded().reconstruct(images))
    assert tokenizer.settings.tiling is True


@with_slices
def test_slicing_runs_one_image_at_a_time_to_the_same_end(small: Small, cache: Path) -> None:
    publish(small, cache)
    tokenizer, images = loaded(slicing=True), random_images(16, 16, 3)
    seen: list[int] = []
    for side in (tokenizer.model.encoder, tokenizer.model.decoder):
        side.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    torch.testing.assert_close(tokenizer.reconstruct(images), loaded().reconstruct(images), atol=1e-5, rtol=1e-5)
    assert seen == [1] * 6
    assert tokenizer.settings.slicing is True


@parametrised("cosmos", "hunyuan", "rae", "tiny", "vq")
def test_tiles_where_diffusers_has_none_are_refused(small: Small, cache: Path) -> None:
    publish(small, cache)
    with pytest.raises(RequestError, match=r"no working tiles .* leave tiling out"):
        loaded(tiling=True)
    with pytest.raises(RequestError, match=r"no working tiles .* leave tiling out"):
        loaded().tiled()


def test_slices_where_diffusers_has_none_are_refused(cache: Path) -> None:
    publish(SMALL["vq"], cache)
    with pytest.raises(RequestError, match=r"no slices .*VQModel.* leave slicing out"):
        loaded(slicing=True)


@torch.no_grad()
def test_a_discrete_latent_holds_codes_and_takes_the_bits_of_their_indices(cache: Path) -> None:
    model, images = publish(SMALL["vq"], cache), random_images(21, 18, 2)
    latent = loaded().encode(images)
    positions = latent.values.reshape(-1, 4) / 0.25
    distances = torch.cdist(positions.double(), model.quantize.embedding.weight.double()).min(1).values
    assert distances.max() < 1e-5
    assert latent.bits == (6 * 5 * 6,) * 2, "6 × 5 positions; an index among 50 codes takes 6 bits"


@torch.no_grad()
def test_the_latent_of_rae_is_the_normalised_features_of_its_encoder(cache: Path) -> None:
    model, images = publish(SMALL["rae"], cache), random_images(32, 32)
    resized = F.interpolate((images + 1) / 2, size=(112, 112), mode="bicubic")
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    features = model.encoder((resized - mean) / std).last_hidden_state[:, 5:]  # after the class token and 4 registers
    mean, std = (torch.tensor(model.config[f"latents_{name}"]) for name in ("mean", "std"))
    expected = 0.5 * (features.transpose(1, 2).view(1, 64, 8, 8) - mean) / (std + 1e-5)
    torch.testing.assert_close(loaded().encode(images).values.permute(0, 3, 1, 2), expected, atol=1e-5, rtol=1e-5)


def test_an_image_of_another_size_than_rae_is_bound_to_is_unsupported(cache: Path) -> None:
    publish(SMALL["rae"], cache)
    with pytest.raises(UnsupportedError, match=r"AutoencoderRAE reconstructs 32 × 32 px alone.*40 × 32 px"):
        loaded().encode(random_images(32, 40))


def test_a_decoder_that_denoises_is_refused(cache: Path) -> None:
    publish(Small(AutoencoderKLLTXVideo, {**SMALL["ltx"].options, "timestep_conditioning": True}, 4, 4, 512), cache)
    with pytest.raises(RequestError, match="denoises as it decodes"):
        loaded()


def test_what_is_off_is_not_in_the_settings(cache: Path) -> None:
    publish(SMALL["kl"], cache)
    settings = loaded().settings
    assert (settings.tiling, settings.slicing, settings.posterior) == (None, None, None)


@with_posterior
def test_a_sample_of_a_batch_is_that_of_its_images_alone(small: Small, cache: Path) -> None:
    publish(small, cache)
    tokenizer, images = loaded(posterior="sample", seed=5), random_images(16, 24, 3)
    together = tokenizer.encode(images).values
    alone = torch.cat([tokenizer.encode(image[None]).values for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    assert tokenizer.settings.posterior == "sample"


@torch.no_grad()
def test_a_sample_is_normal_around_the_mode_with_the_posteriors_width(cache: Path) -> None:
    model, images = publish(SMALL["kl"], cache), random_images(160, 160)
    raw = loaded(posterior="sample", seed=5).encode(images).values.permute(0, 3, 1, 2) / 0.25 + 0.125
    posterior = model.encode(images).latent_dist
    noise = (raw - posterior.mean) / posterior.std
    ordered = torch.sort(noise.flatten()).values
    distance = (torch.special.ndtr(ordered) - (torch.arange(len(ordered)) + 0.5) / len(ordered)).abs().max()
    assert len(ordered) == 6400
    assert distance < 1.63 / len(ordered) ** 0.5, "a Kolmogorov-Smirnov test at 1 %"


def test_a_sample_follows_its_seed(cache: Path) -> None:
    publish(SMALL["kl"], cache)
    images = random_images(16, 16)
    first, again, other = (loaded(posterior="sample", seed=seed).encode(images).values for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_sample_where_there_is_no_posterior_is_refused(cache: Path) -> None:
    publish(SMALL["dc"], cache)
    with pytest.raises(RequestError, match="has no posterior to sample from; leave posterior at 'mode'"):
        loaded(posterior="sample")


def test_a_tiled_twin_shares_the_weights_and_leaves_the_whole_one_as_it_is() -> None:
    whole = load_tokenizer("nano-kl-f8x16")
    assert isinstance(whole, Autoencoder)
    image = torch.rand(1, 3, 96, 80, generator=torch.Generator().manual_seed(2)) * 2 - 1
    before = whole.reconstruct(image)
    tiled = whole.tiled()
    assert (tiled.settings.tiling, whole.settings.tiling) == (True, None)
    assert tiled.model.use_tiling
    assert {id(tensor) for tensor in tiled.model.parameters()} == {id(tensor) for tensor in whole.model.parameters()}
    assert torch.equal(whole.reconstruct(image), before)
