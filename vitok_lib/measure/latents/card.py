"""The latent card: what the values of a tokenizer's latent are like over an image set, kept as a record.

Two passes over the images, of which neither holds more than two latents: the moments first, since noise is measured in
units of each channel's standard deviation, and then whatever needs a decoder.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.errors import UnsupportedError
from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import ContextOptions
from vitok_lib.measure.latents.decoding import NOISE_PERCENT, halfway, under_noise
from vitok_lib.measure.latents.equivariance import TRANSFORMATIONS, equivariance
from vitok_lib.measure.latents.frequencies import high_frequency_share, power_by_diagonal, relative_power
from vitok_lib.measure.latents.grids import latent_of, latents_of
from vitok_lib.measure.latents.moments import Array, Moments, total
from vitok_lib.measure.latents.pooled import Scaling, arrays_of, pooled_values, rounded
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images
from vitok_lib.metrics.pixel import from_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record, Value
from vitok_lib.tokenizers.interface import Latent, Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.registry import check_has_latent

BENCHMARK = "latents"
"""What the name of the records' benchmark begins with; the image set follows, so that one set replaces no other."""
GROUPS = 10
"""Groups of images that the jackknife leaves out in turn."""
_EACH = "per-image-mean|v1"
QUANTITIES: Mapping[str, Quantity] = {
    "latent_high_frequency": Quantity("%", f"dct|block:8|share-above-half|latent|{_EACH}"),
    "grid_high_frequency": Quantity("%", f"dct|block:8|share-above-half|image-averaged-to-latent-grid|{_EACH}"),
    "image_high_frequency": Quantity("%", f"dct|block:8|share-above-half|image|{_EACH}"),
    **{
        f"{name}_{what}": Quantity("dB", f"psnr|rgb|u8|{meaning}|{name}|{_EACH}")
        for name in TRANSFORMATIONS
        for what, meaning in (("psnr", "transformed-latent"), ("loss", "transformed-image-less-transformed-latent"))
    },
    **{
        f"noise_{percent}_psnr": Quantity("dB", f"psnr|rgb|u8|latent-noise:{percent}%-of-channel-std|{_EACH}")
        for percent in NOISE_PERCENT
    },
    "midpoint_psnr": Quantity("dB", "psnr|rgb|u8|latent-midpoint-to-image-midpoint|per-pair-mean|v1"),
    "midpoint_sharpness": Quantity("×", "squared-gradient|latent-midpoint-to-mean-of-ends|per-pair-mean|v1"),
}
"""What an image gives; the midpoints are those of each second image with the one before it."""


def measure_latents(
    config: RunConfig | str,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Measure the latent of a tokenizer over an image set, and keep the record.

    Of all latents together: mean, standard deviation, excess kurtosis, dead channels, effective rank, and the shift and
    scale that they imply next to those of the configuration. Of each image: the share of high frequencies in latent
    and image, equivariance (:func:`vitok_lib.measure.latents.equivariance.equivariance`), PSNR under noise in the
    latent and halfway between two images (:mod:`vitok_lib.measure.latents.decoding`). ``Record.arrays`` holds the
    numbers of each channel, the eigenvalues of the covariance, and the power by frequency.

    None of it is a quality, and none says how well a generator learns a latent.

    Args:
        config: a configuration, or a name for one with the defaults; neither a codec nor a folder.
        images, rule, subset_seed: an image set, or what :func:`vitok_lib.images.sets.open_image_set` opens.
        resolution, samples: as in :func:`vitok_lib.measure.quality.evaluate.evaluate`.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, the tokenizer has no latent of numbers, or the results folder cannot be
            written.
    """
    config = RunConfig(name=config) if isinstance(config, str) else config
    check_has_latent(config.name)
    image_set, side = sized(opened(images, rule=rule, subset_seed=subset_seed), resolution)
    study = ImageStudy(
        function="measure_latents",
        benchmark=f"{BENCHMARK}-{image_set.name}",
        quantities=QUANTITIES,
        load=lambda checked: Card(load(checked), checked.device, image_set, side, samples),
        tokenizer=lambda card: card.tokenizer,
        measure=lambda card, original, name: card.measure(original, name),
        totals=lambda card: card.values(),
        arrays=lambda card: card.arrays(),
    )
    return measure_images(study, config, images=image_set, resolution=side, samples=samples, **context)


class Card:
    """One tokenizer on its way through the images of a set, of which the moments are taken when first needed."""

    def __init__(
        self, tokenizer: Tokenizer, device: str, image_set: ImageSet, resolution: int, samples: int | None
    ) -> None:
        self.tokenizer = tokenizer
        self._device = device
        self._images = image_set
        self._resolution = resolution
        self._samples = samples
        self._powers: dict[str, list[Array]] = {"power_latent": [], "power_grid": [], "power_image": []}
        self._waiting: Tensor | None = None

    @cached_property
    def groups(self) -> tuple[tuple[Moments, ...], int]:
        """The moments of the latents of each group of images, and how many images they are of."""
        names = [entry.name for entry in self._images.manifest(self._resolution, self._samples).entries]
        groups: list[Moments] = []
        images = 0
        for latent in latents_of(self.tokenizer, self._images, names, self._resolution, self._device):
            moments = Moments.of(latent.values[0].flatten(0, 1).cpu().to(torch.float64).numpy())
            if images < GROUPS:
                groups.append(moments)
            else:
                groups[images % GROUPS] += moments
            images += 1
        return tuple(groups), images

    @cached_property
    def moments(self) -> Moments:
        """Those of all images."""
        return total(self.groups[0])

    @torch.no_grad()
    def measure(self, original: Tensor, name: str) -> Result:
        """What one image gives: 8-bit ``[1, 3, H, W]``."""
        latent, patch = latent_of(self.tokenizer, original), self.tokenizer.spec.downsampling
        std = torch.from_numpy(self.moments.std)
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        result = self._frequencies(original, latent) | under_noise(self.tokenizer, original, latent, std, generator)
        with suppress(UnsupportedError):  # of a tokenizer that takes one size of images alone
            result |= equivariance(self.tokenizer, from_uint8(original), patch) | self._midpoint(original)
        return result

    def values(self) -> tuple[Value, ...]:
        """The values of all latents together."""
        groups, images = self.groups
        return pooled_values(groups, images, self._scaling())

    def arrays(self) -> dict[str, tuple[float, ...]]:
        """The numbers of each channel; the power by frequency is relative to the mean over all but the first."""
        powers = {name: rounded(np.mean(held, axis=0)) for name, held in self._powers.items() if held}
        return arrays_of(self.moments, self._scaling()) | powers

    def _frequencies(self, original: Tensor, latent: Latent) -> Result:
        patch = self.tokenizer.spec.downsampling
        grids = {"latent": latent.values, "image": original.movedim(1, -1)}
        if patch is not None:
            grids["grid"] = F.avg_pool2d(original.to(torch.float32), patch).movedim(1, -1)
        result: Result = {}
        for name, grid in grids.items():
            power = power_by_diagonal(grid[0].cpu().to(torch.float64).numpy())
            share = high_frequency_share(power)
            result[f"{name}_high_frequency"] = 100 * share
            if not math.isnan(share):
                self._powers[f"power_{name}"].append(relative_power(power))
        return result

    def _midpoint(self, original: Tensor) -> Result:
        """Of every second image; the two are cut to the size that both have."""
        first, self._waiting = self._waiting, original
        if first is None:
            return {}
        self._waiting = None
        height, width = (min(sides) for sides in zip(first.shape[2:], original.shape[2:], strict=True))
        return halfway(self.tokenizer, (first[..., :height, :width], original[..., :height, :width]))

    def _scaling(self) -> Scaling | None:
        """Of auto-encoders whose configuration has one number, or one for each channel."""
        known = getattr(self.tokenizer, "channel_scaling", None)
        pair = None if known is None else known()
        return None if pair is None else Scaling(*(values.cpu().numpy() for values in pair))
