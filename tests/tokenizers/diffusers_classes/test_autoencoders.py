"""The path of the KL auto-encoders against diffusers called directly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.tokenizers.diffusers_classes import autoencoders
from vitok_lib.tokenizers.diffusers_classes.adapters import encode
from vitok_lib.tokenizers.diffusers_classes.architectures import build_on_meta
from vitok_lib.tokenizers.identify import identify
from vitok_lib.tokenizers.load import load_tokenizer, requested_of
from vitok_lib.tokenizers.registry import SHIPPED, find

NAME = "nano-kl-f8x16"
SCALE, SHIFT = 0.25, 0.125
ROUNDING = 5e-5
"""Of float32, an image in [-1, 1]: diffusers is called channels first here, which sums in another order."""


def _image(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1


def _padded_by_edge(image: torch.Tensor) -> torch.Tensor:
    margins = [(0, 0), (0, 0), *((0, -side % 8) for side in image.shape[2:])]
    return torch.from_numpy(np.pad(image.numpy(), margins, mode="edge"))


@pytest.fixture
def reference(tmp_path: Path) -> AutoencoderKL:
    """A small auto-encoder with scale and shift, kept in ``tmp_path / "kl"``."""
    torch.manual_seed(1)
    model = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=SCALE,
        shift_factor=SHIFT,
    ).eval()
    model.save_pretrained(tmp_path / "kl")
    return model


@pytest.mark.parametrize("size", [(32, 40), (37, 53), (1, 9)], ids=str)
@torch.no_grad()
def test_the_latent_is_the_scaled_mode_of_the_image_padded_by_its_edge(
    reference: AutoencoderKL, tmp_path: Path, size: tuple[int, int]
) -> None:
    image = _image(*size)
    mode = reference.encode(_padded_by_edge(image)).latent_dist.mode()
    latent = load_tokenizer(NAME, weights=tmp_path / "kl").encode(image)
    expected = ((mode - SHIFT) * SCALE).permute(0, 2, 3, 1)
    torch.testing.assert_close(latent.values, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(32, 40), (37, 53), (1, 9)], ids=str)
@torch.no_grad()
def test_the_reconstruction_is_the_decoded_mode_cut_back(
    reference: AutoencoderKL, tmp_path: Path, size: tuple[int, int]
) -> None:
    image = _image(*size)
    mode = reference.encode(_padded_by_edge(image)).latent_dist.mode()
    expected = reference.decode(mode).sample[:, :, : size[0], : size[1]]
    found = load_tokenizer(NAME, weights=tmp_path / "kl").reconstruct(image)
    torch.testing.assert_close(found, expected, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("strips", [False, True])
@pytest.mark.parametrize("size", [(32, 40), (37, 53)], ids=str)
def test_on_a_cpu_every_layer_works_channels_last_whatever_layout_it_is_given(
    size: tuple[int, int], strips: bool
) -> None:
    tokenizer = load_tokenizer(NAME, strips=strips)
    seen: list[bool] = []
    for block in (tokenizer.model.encoder, tokenizer.model.decoder):
        for layer in (module for module in block.modules() if isinstance(module, torch.nn.Conv2d)):
            layer.register_forward_pre_hook(
                lambda _, inputs: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
            )
        block.register_forward_hook(lambda *called: seen.append(called[2].stride(1) == 1))
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        latent = tokenizer.encode(_image(*size).contiguous(memory_format=layout))
        values = latent.values.permute(0, 3, 1, 2).contiguous(memory_format=layout).permute(0, 2, 3, 1)
        found.append(tokenizer.decode(replace(latent, values=values)))
    assert seen
    assert all(seen)
    assert torch.equal(*found)


@torch.no_grad()
def test_the_shipped_auto_encoder_equals_diffusers_own_loading() -> None:
    model = AutoencoderKL.from_pretrained(SHIPPED / NAME, torch_dtype=torch.float32).eval()
    image = _image(24, 16)
    expected = model.decode(model.encode(image).latent_dist.mode()).sample
    torch.testing.assert_close(load_tokenizer(NAME).reconstruct(image), expected, atol=ROUNDING, rtol=0)


@pytest.mark.usefixtures("reference")
def test_the_activation_in_the_configuration_changes_image_and_identity(tmp_path: Path) -> None:
    found = []
    for activation in ("silu", "relu"):
        file = tmp_path / "kl" / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "act_fn": activation}))
        tokenizer = load_tokenizer(NAME, weights=tmp_path / "kl")
        found.append((tokenizer.reconstruct(_image(32, 32)), tokenizer.weights))
    (first, weights), (second, others) = found
    assert not torch.equal(first, second)
    assert weights != others


@pytest.mark.usefixtures("reference")
def test_shards_of_one_name_in_two_folders_are_all_part_of_the_identity(tmp_path: Path) -> None:
    folder = tmp_path / "kl"
    file = folder / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    file.unlink()
    places = {key: f"{'encoder' if key.startswith('encoder') else 'rest'}/part.safetensors" for key in tensors}
    index = folder / f"{file.name}.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    found = []
    for _ in range(2):
        for place in sorted(set(places.values())):
            (folder / place).parent.mkdir(exist_ok=True)
            save_file({key: tensor for key, tensor in tensors.items() if places[key] == place}, folder / place)
        tokenizer = load_tokenizer(NAME, weights=folder)
        known = identify(requested_of(tokenizer))
        assert known is not None
        assert known[0].weights == tokenizer.weights
        found.append(tokenizer.weights)
        tensors["encoder.conv_in.bias"] = tensors["encoder.conv_in.bias"] + 1
    assert not found[0].same_content(found[1])


def test_random_weights_of_a_configuration_of_the_library_need_no_digest() -> None:
    assert load_tokenizer(NAME, weights="random").weights.files == {}


def test_nothing_is_sampled() -> None:
    tokenizer = load_tokenizer(NAME)
    image = _image(16, 16)
    assert torch.equal(tokenizer.reconstruct(image), tokenizer.reconstruct(image))


def test_stride_channels_and_parameters_are_the_models(reference: AutoencoderKL, tmp_path: Path) -> None:
    spec = load_tokenizer(NAME, weights=tmp_path / "kl").spec
    assert (spec.downsampling, spec.latent_channels) == (8, 4)
    assert spec.parameters == reference.num_parameters()


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"\xff", b"[" * 100_000 + b"]" * 100_000],
    ids=["missing", "empty", "cut", "list", "no-text", "deep"],
)
def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    config = tmp_path / "kl" / "config.json"
    config.unlink()
    if content is not None:
        config.write_bytes(content)
    with pytest.raises(RequestError, match=r"config\.json' cannot be read as a diffusers configuration"):
        load_tokenizer(NAME, weights=tmp_path / "kl")


@pytest.mark.usefixtures("reference")
def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "kl" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"kl' has no diffusion_pytorch_model\.safetensors"):
        load_tokenizer(NAME, weights=tmp_path / "kl")


@pytest.mark.usefixtures("reference")
def test_weights_of_another_configuration_are_recognised(tmp_path: Path) -> None:
    file = tmp_path / "kl" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"latent_channels": 8}))
    with pytest.raises(RequestError, match="is it a checkpoint of another variant"):
        load_tokenizer(NAME, weights=tmp_path / "kl")


@pytest.mark.parametrize("kernel", ["flash", "math"])
def test_a_kernel_of_attention_changes_no_more_than_rounding(kernel: str) -> None:
    image = _image(40, 24)
    tokenizer = load_tokenizer(NAME, attention=kernel)
    assert tokenizer.settings.attention == kernel
    torch.testing.assert_close(tokenizer.reconstruct(image), load_tokenizer(NAME).reconstruct(image), atol=1e-5, rtol=0)


def test_encoding_and_decoding_ask_for_the_kernel_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = F.scaled_dot_product_attention
    enabled: list[tuple[bool, bool]] = []

    def noting(*args: Any, **kwargs: Any) -> torch.Tensor:
        enabled.append((torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()))
        return plain(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", noting)
    tokenizer = load_tokenizer(NAME, attention="math", tiling=True)
    tokenizer.reconstruct(_image(16, 16))
    tokenizer.tiled().reconstruct(_image(16, 16))  # type: ignore[attr-defined]
    load_tokenizer(NAME).reconstruct(_image(16, 16))
    assert enabled == [(False, True)] * 4 + [(True, True)] * 2


def test_a_kernel_that_does_not_run_here_is_not_supported() -> None:
    tokenizer = load_tokenizer(NAME, attention="cudnn")
    with pytest.raises(UnsupportedError, match="attention kernel 'cudnn' cannot do this attention here"):
        tokenizer.encode(_image(16, 16))


def test_an_error_that_is_not_the_kernels_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr("vitok_lib.tokenizers.diffusers_classes.autoencoders.encode", fail)
    with pytest.raises(RuntimeError, match="something else"):
        load_tokenizer(NAME, attention="math").encode(_image(16, 16))


def test_an_unknown_kernel_is_named() -> None:
    with pytest.raises(RequestError, match="unknown attention kernel 'flesh'; did you mean flash"):
        load_tokenizer(NAME, attention="flesh")


@pytest.mark.parametrize("name", ["flux", "flux2", "sd", "qwen", "wan2.1", "hunyuan-image", "cosmos", "dc-ae-f32"])
def test_a_kernel_can_be_asked_for_where_torchs_attention_is_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    plain = F.scaled_dot_product_attention
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda *args, **kwargs: called.append(1) or plain(*args, **kwargs)
    )
    model = build_on_meta(find(name))
    encode(model, torch.empty(1, 3, 64, 64, device="meta"))
    assert autoencoders._attends(model) == bool(called)
    if not called:
        with pytest.raises(RequestError, match="has no attention that torch's kernels compute; leave it out"):
            load_tokenizer(name, weights="random", attention="math")
