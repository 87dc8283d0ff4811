"""Transformed latents of tokenizers for which the decoded image is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from tests.fakes.patches import Patches
from tests.fakes.tokenizers import Identity, Scaling
from vitok_lib.measure.latents.equivariance import equivariance
from vitok_lib.metrics.pixel import from_uint8

EQUAL = 100.0  # dB


def noise(side: int) -> Tensor:
    return from_uint8(torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(0)))


def test_where_the_latent_is_the_image_every_transformation_commutes() -> None:
    values = equivariance(Identity(), noise(16), 1)
    for name in ("shift_whole", "half_scale", "quarter_turns"):
        assert (values[f"{name}_psnr"], values[f"{name}_loss"]) == (EQUAL, 0)
    assert math.isnan(values["shift_quarter_psnr"]), "a quarter of a pixel is no shift of an image"


def test_patches_move_whole_but_do_not_turn_inside() -> None:
    values = equivariance(Patches(4), noise(64), 4)
    assert values["shift_whole_loss"] == 0
    assert values["quarter_turns_psnr"] == pytest.approx(10 * math.log10(6), abs=0.3), "as two unrelated pixels"
    assert values["quarter_turns_loss"] == pytest.approx(EQUAL - values["quarter_turns_psnr"])


def test_patches_of_one_colour_turn_as_the_image_does() -> None:
    blocks = noise(16).repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert equivariance(Patches(4), blocks, 4)["quarter_turns_loss"] == 0


def test_interpolated_patches_of_a_ramp_are_the_shifted_ramp() -> None:
    """A ramp of two levels a pixel is linear, so that interpolation between patches is exact at any share."""
    ramp = from_uint8((2 * torch.arange(64, dtype=torch.uint8)).expand(1, 3, 64, 64))
    values = equivariance(Patches(4), ramp, 4)
    for name in ("shift_quarter", "shift_half", "shift_whole"):
        assert (values[f"{name}_psnr"], values[f"{name}_loss"]) == (EQUAL, 0)


def test_what_the_tokenizer_loses_anyway_is_no_loss_of_equivariance() -> None:
    values = equivariance(Scaling(0.5), noise(16), 1)
    assert values["quarter_turns_psnr"] < 20
    assert values["quarter_turns_loss"] == pytest.approx(0)


def test_sides_that_are_no_even_number_of_patches_are_cut_and_too_small_ones_have_no_value() -> None:
    assert equivariance(Patches(4), noise(39), 4)["shift_whole_loss"] == 0
    assert all(map(math.isnan, equivariance(Patches(4), noise(31), 4).values()))
