"""What a tokenizer costs in bits: rate and quality at several points, from streams that were written and read back.

A point of a tokenizer is a quantiser of its latent; a point of a codec is a quality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Protocol, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.images.errors import ImageError
from vitok_lib.images.sets import ImageSet, load_image, open_image_set, sized
from vitok_lib.measure.common.context import ContextOptions
from vitok_lib.measure.latents.coder import LatentCoder
from vitok_lib.measure.latents.grids import latent_of
from vitok_lib.measure.latents.quantise import parse_quantiser
from vitok_lib.measure.quality.image_study import ImageStudy, Quantity, Result, measure_images
from vitok_lib.measure.quality.metric_suite import as_tensor
from vitok_lib.metrics.pixel import from_uint8, psnr, to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.codec_names import is_codec
from vitok_lib.tokenizers.interface import DiscreteLatent, Latent, Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.outputs import bits_of, check_finite, decoded, encoded

BENCHMARK = "rate"
UNQUANTISED = "unquantised"
"""The point at which a latent is as it was encoded, with the bits of its architecture."""
QUANTISERS = (
    *("bits=8", "bits=6", "bits=4", "bits=3"),
    *("step=0.25", "step=0.5", "step=1", "step=2"),
    *("common=0.125", "common=0.25", "common=0.5", "common=1"),
)
QUALITIES = ("q=5", "q=15", "q=30", "q=50", "q=75", "q=90")
FITTED_ON = 16
"""At most so many images give the models of the others."""


class _Subject(Protocol):
    """What goes through the images: ``tokenizer`` names the record."""

    tokenizer: Tokenizer

    def points(self, original: Tensor, name: str) -> dict[str, tuple[Tensor, int]]:
        """By point, the reconstruction of an 8-bit image ``[1, 3, H, W]`` and the bits of what it was decoded from."""


def measure_rate(
    config: RunConfig,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    points: str = "",
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Bits per pixel and PSNR of ``config`` at each of ``points``, and keep the record.

    A latent is quantised, coded by a range coder (:mod:`vitok_lib.measure.latents.coder`), read back and decoded; the
    bits are those of the stream, its header among them. Its models are fitted on other images: those at even places of
    the set are coded with models of up to 16 at odd places, and the reverse.

    Args:
        config: of a codec without a quality, such as ``jpeg``.
        images, rule, subset_seed: an image set, or what :func:`vitok_lib.images.sets.open_image_set` opens.
        resolution, samples: as in :func:`vitok_lib.measure.quality.evaluate.evaluate`.
        points: by commas, quantisers (:func:`vitok_lib.measure.latents.quantise.parse_quantiser`), or of a codec
            qualities such as ``q=75``; empty: ``QUANTISERS`` or ``QUALITIES``.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    opened = images
    if isinstance(opened, str | Path):
        opened = open_image_set(opened, rule=rule, subset_seed=subset_seed)
    codec = is_codec(config.name)
    asked = tuple(dict.fromkeys(point.strip() for point in points.split(","))) if points else ()
    if codec:
        if ":" in config.name:
            raise RequestError(f"'{config.name}' names one quality; name the codec alone, and its qualities as points")
        asked = asked or QUALITIES
        of_points = {point: f"psnr|rgb|u8|{point}|per-image-mean|v1" for point in asked}
        rates = {point: f"bpp|stream|{point}|per-image-mean|v1" for point in asked}
        subject: Callable[[RunConfig], _Subject] = partial(_Codec, points=asked)
    else:
        asked = tuple(parse_quantiser(point).text for point in asked or QUANTISERS)
        how = f"histograms:{FITTED_ON}-others"
        of_points = {point: f"psnr|rgb|u8|{point}|{how}|per-image-mean|v1" for point in asked}
        rates = {point: f"bpp|stream|{point}|{how}|per-image-mean|v1" for point in asked}
        of_points[UNQUANTISED] = f"psnr|rgb|u8|{UNQUANTISED}|per-image-mean|v1"
        rates[UNQUANTISED] = f"bpp|latent-values|{UNQUANTISED}|per-image-mean|v1"
        image_set, side = sized(opened, resolution)
        names = [entry.name for entry in image_set.manifest(side, samples).entries]
        if len(names) < 2:
            raise RequestError("1 image has no other to fit models on; take at least 2 images")
        fit = partial(_Latents, points=asked, names=names, load_pixels=partial(load_image, image_set, resolution=side))
        subject = fit
    study = ImageStudy(
        function="measure_rate",
        benchmark=BENCHMARK,
        quantities={f"psnr:{point}": Quantity("dB", signature) for point, signature in of_points.items()}
        | {f"bpp:{point}": Quantity("bits/px", signature) for point, signature in rates.items()},
        load=subject,
        tokenizer=lambda held: held.tokenizer,
        measure=_measured,
        arguments={"points": points or None},
    )
    return measure_images(study, config, images=opened, resolution=resolution, samples=samples, **context)


@torch.no_grad()
def _measured(subject: _Subject, original: Tensor, name: str) -> Result:
    pixels = original.shape[2] * original.shape[3]
    result: Result = {}
    for point, (images, bits) in subject.points(original, name).items():
        check_finite(images)
        result[f"psnr:{point}"] = psnr(original[0], to_uint8(images)[0].to(original.device))
        result[f"bpp:{point}"] = bits / pixels
    return result


class _Codec:
    """A codec at several qualities."""

    def __init__(self, config: RunConfig, points: Sequence[str]) -> None:
        self.tokenizer = load(config)
        variant = (self.tokenizer.spec.variant or "").partition(", ")[2]  # what is the same at all qualities
        self.tokenizer.spec = replace(self.tokenizer.spec, variant=variant)
        self._at = {point: load(config.replace(name=f"{config.name}:{point}")) for point in points}

    def points(self, original: Tensor, name: str) -> dict[str, tuple[Tensor, int]]:
        found = {}
        for point, codec in self._at.items():
            latent = encoded(codec, from_uint8(original))
            found[point] = (decoded(codec, latent, original.shape), bits_of(codec, latent)[0])
        return found


class _Latents:
    """A tokenizer whose latents are quantised and coded with models of the other half of the images."""

    def __init__(
        self,
        config: RunConfig,
        points: Sequence[str],
        names: Sequence[str],
        load_pixels: Callable[[str], NDArray[np.uint8]],
    ) -> None:
        self.tokenizer = load(config)
        self._device, self._points, self._load = config.device, points, load_pixels
        self._halves = (names[0::2], names[1::2])
        self._half_of = {name: place % 2 for place, name in enumerate(names)}
        self._coders = cache(self._fitted)

    def points(self, original: Tensor, name: str) -> dict[str, tuple[Tensor, int]]:
        coders = self._coders(1 - self._half_of[name])
        latent = self._latent(original)
        found = {UNQUANTISED: (decoded(self.tokenizer, latent, original.shape), bits_of(self.tokenizer, latent)[0])}
        for point, coder in coders.items():
            stream = coder.encode(_array(latent), latent.height, latent.width)
            read = torch.from_numpy(coder.decode(stream).values)[None].to(latent.values)
            images = decoded(self.tokenizer, replace(latent, values=read), original.shape)
            found[point] = (images, 8 * len(stream))
        return found

    def _fitted(self, half: int) -> dict[str, LatentCoder]:
        """By point, the coder whose models are those of the first images of a half; unreadable images have no part."""
        latents = []
        for name in self._halves[half][:FITTED_ON]:
            try:
                pixels = self._load(name)
            except ImageError:  # which is recorded as a failure when its own turn comes
                continue
            latents.append(_array(self._latent(as_tensor([pixels]).to(self._device))))
        if not latents:
            raise RequestError("no image of the other half can be read, so there is nothing to fit models on")
        return {point: LatentCoder.fit(parse_quantiser(point), latents) for point in self._points}

    def _latent(self, original: Tensor) -> Latent:
        latent = latent_of(self.tokenizer, original)
        if isinstance(latent, DiscreteLatent):
            raise UnsupportedError(f"the latent of {self.tokenizer.spec.name} is an index of a codebook already")
        return latent


def _array(latent: Latent) -> NDArray[np.float32]:
    return latent.values[0].float().cpu().numpy()
