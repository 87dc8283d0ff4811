"""What a decoder makes of a latent with noise, and of one halfway between those of two images."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Size, Tensor

from vitok_lib.metrics.pixel import from_uint8, psnr, to_uint8
from vitok_lib.tokenizers.interface import Latent, Tokenizer
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded

NOISE_PERCENT = (0, 10, 30, 100)
"""Standard deviations of the noise in percent of each channel's own."""


def pixels_of(tokenizer: Tokenizer, latent: Latent, shape: Size) -> Tensor:
    """``latent`` decoded to 8 bits, ``[3, H, W]`` of an image of ``shape`` ``[1, 3, H, W]``.

    Raises:
        RequestError: the tokenizer gives another shape.
        ValueError: a decoded value is not finite.
    """
    images = decoded(tokenizer, latent, shape)
    check_finite(images)
    return to_uint8(images)[0]


def under_noise(
    tokenizer: Tokenizer, original: Tensor, latent: Latent, std: Tensor, generator: torch.Generator
) -> dict[str, float]:
    """PSNR in dB of D(z + s·σ·ε) against the image: ε standard normal, σ each channel's deviation over a set.

    How much of a generator's error a decoder passes on: the σ in the latent that Yang et al. 2025 (l-DeTok) and Zheng
    et al. 2025 (RAE) train decoders against, as a share of the latent's own spread.

    Args:
        original: 8-bit ``[1, 3, H, W]``; ``latent`` is the latent of it.
        std: σ, ``[C]``.
        generator: on the CPU; one draw of noise serves all s, so that they differ by its size alone.
    """
    noise = torch.randn(latent.values.shape, generator=generator).to(latent.values) * std.to(latent.values)
    return {
        f"noise_{percent}_psnr": psnr(
            original[0],
            pixels_of(tokenizer, replace(latent, values=latent.values + noise * (percent / 100)), original.shape),
        )
        for percent in NOISE_PERCENT
    }


def halfway(tokenizer: Tokenizer, originals: tuple[Tensor, Tensor]) -> dict[str, float]:
    """What the mean of the latents of two images of one size decodes to.

    ``midpoint_psnr`` in dB is of that against the mean of the two images, pixel by pixel: how linear encoding and
    decoding are together; a linear tokenizer has what it has on any image. ``midpoint_sharpness`` is its squared
    gradient over the mean of those of the two reconstructions: ½ of a mean of unrelated pixels, and 1 of an image as
    sharp as the two. Neither says that the image is a likely one (Berthelot, Raffel, Roy & Goodfellow 2019).

    Args:
        originals: 8-bit ``[1, 3, H, W]`` each.
    """
    shape = originals[0].shape
    first, second = (encoded(tokenizer, from_uint8(original)) for original in originals)
    ends = [pixels_of(tokenizer, latent, shape) for latent in (first, second)]
    middle = pixels_of(tokenizer, replace(first, values=(first.values + second.values) / 2), shape)
    mean = to_uint8((from_uint8(originals[0]) + from_uint8(originals[1])) / 2)[0]
    steepness = sum(_squared_gradient(image) for image in ends) / 2
    return {
        "midpoint_psnr": psnr(mean, middle),
        "midpoint_sharpness": _squared_gradient(middle) / steepness if steepness else math.nan,
    }


def _squared_gradient(image: Tensor) -> float:
    """The mean square of the steps down and across of an 8-bit image ``[3, H, W]``."""
    values = image.to(torch.float32)
    return sum(float(values.diff(dim=axis).square_().mean(dtype=torch.float64)) for axis in (1, 2))
