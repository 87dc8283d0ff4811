"""Noise and midpoints where the latent is the image itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.fakes.tokenizers import Identity
from vitok_lib.measure.latents.decoding import halfway, under_noise
from vitok_lib.metrics.pixel import from_uint8


def noise(seed: int) -> Tensor:
    return torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_noise_of_a_known_deviation_gives_its_closed_form() -> None:
    """Of a grey image nothing is clamped: the mean square error is (s·σ)², the range of values 2."""
    tokenizer, grey = Identity(), torch.full((1, 3, 128, 128), 128, dtype=torch.uint8)
    latent = tokenizer.encode(from_uint8(grey))
    std = torch.tensor([0.1, 0.2, 0.2])
    values = under_noise(tokenizer, grey, latent, std, torch.Generator().manual_seed(0))
    assert values["noise_0_psnr"] == 100
    for percent in (30, 100):
        error = (percent / 100) ** 2 * float(std.square().mean())
        assert values[f"noise_{percent}_psnr"] == pytest.approx(10 * math.log10(4 / error), abs=0.1)


def test_the_midpoint_of_a_linear_tokenizer_is_that_of_the_images_and_half_as_steep() -> None:
    values = halfway(Identity(), (noise(0), noise(1)))
    assert values["midpoint_psnr"] == 100
    assert values["midpoint_sharpness"] == pytest.approx(0.5, abs=0.03)


def test_an_image_halfway_to_itself_is_as_sharp_and_a_flat_one_has_no_sharpness() -> None:
    for image, expected in ((noise(0), 1.0), (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), math.nan)):
        assert halfway(Identity(), (image, image))["midpoint_sharpness"] == pytest.approx(expected, nan_ok=True)
