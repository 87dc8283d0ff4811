"""Strip by strip, an AutoencoderKL gives what it gives of the whole image, in less memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from vitok_lib.errors import RequestError
from vitok_lib.measure.predict.meta_memory import trace_memory
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.diffusers_classes.adapters import diffusers_class
from vitok_lib.tokenizers.diffusers_classes.strips import _statistics, check_strips, work_in_strips
from vitok_lib.tokenizers.load import load_tokenizer

FEW_VALUES = 3000
"""Of a strip: one to a few rows of the small models."""
SMALL = {
    "block_out_channels": (8, 16, 16),
    "layers_per_block": 2,
    "latent_channels": 3,
    "norm_num_groups": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
}


def _model(name: str = "AutoencoderKL", **options: Any) -> Any:
    torch.manual_seed(0)
    model = diffusers_class(name)(**SMALL | options).eval()
    return torch.nn.Module.to(model, torch.float64)


def _in_strips(model: Any, values: int = FEW_VALUES) -> Any:
    check_strips(model, "small")
    model = copy.deepcopy(model)
    work_in_strips(model, "cpu", values)
    return model


@pytest.mark.parametrize("name", ["AutoencoderKL", "AutoencoderKLFlux2"])
@pytest.mark.parametrize("size", [(64, 64), (52, 92)], ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@torch.no_grad()
def test_strips_give_what_the_whole_gives(name: str, size: tuple[int, int], layout: torch.memory_format) -> None:
    whole = _model(name)
    strips = _in_strips(whole)
    images = (torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1).contiguous(memory_format=layout)
    moments = [model.encode(images).latent_dist.parameters for model in (whole, strips)]
    torch.testing.assert_close(moments[1], moments[0], rtol=1e-10, atol=1e-12)
    latent = torch.randn_like(moments[0][:, : SMALL["latent_channels"]])  # type: ignore[misc]
    decoded = [model.decode(latent).sample for model in (whole, strips)]
    torch.testing.assert_close(decoded[1], decoded[0], rtol=1e-10, atol=1e-12)


@torch.no_grad()
def test_strips_without_attention_in_the_middle() -> None:
    whole = _model(mid_block_add_attention=False)
    latent = torch.randn(1, 3, 9, 11, dtype=torch.float64)
    torch.testing.assert_close(_in_strips(whole).decode(latent).sample, whole.decode(latent).sample)


@torch.no_grad()
def test_only_the_input_and_output_of_a_layer_are_whole() -> None:
    """At the decoder's full size: a block's input, what its first convolution gives, and its output."""
    whole = _model(block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2,
                   up_block_types=("UpDecoderBlock2D",) * 2)  # fmt: skip
    strips = _in_strips(whole, 32_000)
    latent = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    pixel = 8 * 128 * 128  # bytes of a channel at full size
    (_, plain), (_, striped) = (trace_memory(lambda: model.decode(latent)) for model in (whole, strips))  # noqa: B023
    assert plain.peak_bytes >= pixel * (64 + 64 + 64)  # the input, normalised, activated
    assert striped.peak_bytes == pytest.approx(pixel * (64 + 32 + 32), rel=0.1)


def test_statistics_of_groups_far_from_zero_are_those_of_float64() -> None:
    """A mean a thousand times the deviation, where the difference of two sums would lose float32's last digits."""
    torch.manual_seed(1)
    x = (1000 + torch.randn(2, 6, 37, 41)).float()
    exact = x.double().reshape(2, 3, -1)
    mean, variance = _statistics(x, 3, values=1000)
    torch.testing.assert_close(mean, exact.mean(-1), rtol=1e-7, atol=0)
    torch.testing.assert_close(variance, exact.var(-1, correction=0), rtol=1e-4, atol=0)


def test_a_tokenizer_works_in_strips_and_its_settings_say_so() -> None:
    images = torch.rand(1, 3, 50, 70) * 2 - 1
    whole, strips = (load_tokenizer("nano-kl-f8x16", strips=asked) for asked in (False, True))
    assert (whole.settings.strips, strips.settings.strips) == (None, True)
    torch.testing.assert_close(strips.reconstruct(images), whole.reconstruct(images), rtol=1e-4, atol=1e-5)
    assert strips.spec == whole.spec


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("qwen", {"weights": "random"}, "'qwen' (AutoencoderKLQwenImage) does not work in strips"),
        ("nano-f16x64", {}, "'nano-f16x64' is no convolutional auto-encoder"),
        ("nano-kl-f8x16", {"tiling": True}, "strips take the image as a whole"),
    ],
)
def test_what_has_no_strips_is_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError) as caught:
        load_tokenizer(name, strips=True, **options)
    assert said in str(caught.value)


def test_norms_that_differ_by_place_are_refused() -> None:
    """A VQModel may have the same sides, with norms that read the latent at each place."""
    model = diffusers_class("VQModel")(block_out_channels=(32,), norm_type="spatial")
    with pytest.raises(RequestError, match=r"'spatial' \(VQModel\) does not work in strips"):
        check_strips(model, "spatial")


def test_a_plan_knows_what_strips_save_at_any_size() -> None:
    """Of flux in 16 bits 512 + 256 + 256 bytes a pixel, and the same operations as of the whole."""
    whole, strips = (
        plan_of(RunConfig(name="flux", dtype="bfloat16", device="cuda", strips=asked), 4096) for asked in (False, True)
    )
    assert strips.decode_bytes is not None
    assert strips.decode_bytes == pytest.approx(1024 * 4096**2, rel=0.05)
    assert strips.decode_work == whole.decode_work


def test_a_plan_of_strips_with_plain_attention_grows_with_the_scores() -> None:
    """No strip holds fewer of them than the whole; a straight line from 2048 px on would fall short by half."""
    whole, strips = (
        plan_of(RunConfig(name="nano-kl-f8x16", device="cuda", attention="math", strips=asked), 4096)
        for asked in (False, True)
    )
    assert whole.decode_bytes is not None
    assert strips.decode_bytes == pytest.approx(whole.decode_bytes, rel=0.02)


def test_strips_are_planned_for_a_device_of_any_kind() -> None:
    assert plan_of(RunConfig(name="nano-kl-f8x16", device="mps", strips=True), 64).total_bytes is not None
