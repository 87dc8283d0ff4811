"""The full-size auto-encoders of the registry, from their shipped configurations, on the meta device."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from vitok_lib.tokenizers.diffusers_classes.adapters import decode, encode
from vitok_lib.tokenizers.diffusers_classes.architectures import build_on_meta
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, REGISTRY, describe

DIFFUSERS = [name for name, entry in REGISTRY.items() if entry.family in CONVOLUTIONAL]

PUBLISHED_PARAMETERS = {
    "flux": 83_819_683,
    "flux2": 84_046_115,
    "sd": 83_653_863,
    "sdxl": 83_653_863,
    "qwen": 126_892_531,  # the file of Qwen-Image's VAE, as of Wan 2.1's, holds 194 tensors of so many values
    "qwen-repa-e": 126_892_531,
    "sd3.5": 83_819_683,  # the network of FLUX.1's
    "wan2.1": 126_892_531,
}


@pytest.mark.parametrize(("name", "count"), PUBLISHED_PARAMETERS.items(), ids=PUBLISHED_PARAMETERS)
def test_the_architecture_has_the_published_number_of_parameters(name: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in build_on_meta(REGISTRY[name]).parameters()) == count


def _dc_ae_parameters(channels: int, widths: list[int]) -> int:
    """Counted by hand from Chen et al. 2024: stages of residual blocks below 512, of EfficientViT blocks from there.

    A residual block has two 3 × 3 kernels (the first with a bias) and a norm; an EfficientViT block has q, k, v and
    output matrices, a gated 1 × 1 – depthwise – 1 × 1 bottleneck of four times its width, and two norms.
    """

    def conv(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    def residual(width: int) -> int:
        return conv(width, width) + 9 * width**2 + 2 * width

    def efficient_vit(width: int) -> int:
        inverted, depthwise, point = 8 * width**2 + 8 * width, 9 * 8 * width + 8 * width, 4 * width**2
        return 4 * width**2 + inverted + depthwise + point + 2 * 2 * width

    stages = widths[1:]
    encoder = conv(3, stages[0] // 4) + conv(widths[-1], channels)
    decoder = conv(channels, widths[-1]) + conv(stages[0], 4 * 3) + 2 * stages[0]
    encoder += sum(conv(inner, outer // 4) for inner, outer in pairwise(stages))
    decoder += sum(conv(outer, 4 * inner) for inner, outer in pairwise(stages))
    encoder += 4 * residual(256) + 8 * residual(512) + 2 * sum(map(efficient_vit, stages[2:]))
    decoder += 5 * residual(256) + 10 * residual(512) + 2 * sum(map(efficient_vit, stages[2:]))
    return encoder + decoder


@pytest.mark.parametrize(
    ("name", "channels", "widths", "millions"),
    [
        ("dc-ae-f32", 32, [128, 256, 512, 512, 1024, 1024], 323),
        ("dc-ae-f64", 128, [128, 256, 512, 512, 1024, 1024, 2048], 677),
    ],
    ids=["f32", "f64"],
)
def test_dc_ae_has_the_parameters_of_its_paper(name: str, channels: int, widths: list[int], millions: int) -> None:
    count = sum(parameter.numel() for parameter in build_on_meta(REGISTRY[name]).parameters())
    assert count == _dc_ae_parameters(channels, widths)
    assert round(count / 1e6) == millions


def _vit_parameters(width: int, hidden: int, depth: int, scaled: bool) -> int:
    """Blocks of four matrices and a perceptron, each part with a norm, and in DINOv2 a scale, of its own."""
    matrices = 4 * (width**2 + width) + 2 * width * hidden + hidden + width
    return depth * (matrices + 4 * width + (2 * width if scaled else 0))


def test_rae_has_the_parameters_of_dinov2_with_registers_and_of_a_vit_xl() -> None:
    model: Any = build_on_meta(REGISTRY["rae-dinov2"])
    patches = 3 * 14**2 * 768 + 768 + (1 + 37**2) * 768  # with a position each of an image of 518 px
    encoder = _vit_parameters(768, 3072, 12, scaled=True) + patches + (1 + 4 + 1) * 768  # class, registers, mask
    ends = 768 * 1152 + 1152 + 1152 + 2 * 1152 + 1152 * 3 * 16**2 + 3 * 16**2
    assert sum(parameter.numel() for parameter in model.encoder.parameters()) == encoder
    decoder = _vit_parameters(1152, 4096, 28, scaled=False) + ends
    assert sum(parameter.numel() for parameter in model.decoder.parameters()) == decoder


@pytest.mark.parametrize("name", DIFFUSERS)
@torch.no_grad()
def test_shapes_on_the_meta_device_are_those_of_the_registry(name: str) -> None:
    model, spec = build_on_meta(REGISTRY[name]), describe(name)
    assert spec.downsampling is not None
    height, width = (256, 256) if name == "rae-dinov2" else (512, 1024)
    latent = encode(model, torch.empty(2, 3, height, width, device="meta"))
    assert latent.shape == (2, spec.latent_channels, height // spec.downsampling, width // spec.downsampling)
    images = decode(model, latent)
    assert images.shape == (2, 3, height, width)
    assert {tensor.device.type for tensor in (latent, images, *model.state_dict().values())} == {"meta"}


@pytest.mark.parametrize(
    ("name", "scale", "shift"),
    [
        ("sd", 0.18215, None),
        ("sdxl", 0.13025, None),
        ("flux", 0.3611, 0.1159),
        ("sd3.5", 1.5305, 0.0609),
        ("taesd", 1.0, 0.0),
    ],
    ids=["sd", "sdxl", "flux", "sd3.5", "taesd"],
)
def test_the_scale_of_the_latent_is_the_published_one(name: str, scale: float, shift: float | None) -> None:
    config = build_on_meta(REGISTRY[name]).config
    assert (config["scaling_factor"], config["shift_factor"]) == (scale, shift)
