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
from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import ContextOptions
from vitok_lib.measure.latents.coder import LatentCoder
from vitok_lib.measure.latents.decoding import pixels_of
from vitok_lib.measure.latents.grids import latent_of, latents_of
from vitok_lib.measure.latents.quantise import parse_quantiser
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images
from vitok_lib.metrics.pixel import PIXEL_METRICS, from_uint8
from vitok_lib.metrics.quantities import RATE_QUALITIES, UNQUANTISED
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.codec_names import is_codec
from vitok_lib.tokenizers.interface import DiscreteLatent, Latent, Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.outputs import bits_of, encoded
from vitok_lib.tokenizers.registry import check_has_latent

BENCHMARK = "rate"
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
        """By point, the reconstruction of ``original``, 8-bit ``[3, H, W]``, and the bits it was decoded from."""


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
    """Bits per pixel and each of ``RATE_QUALITIES`` of ``config`` at each of ``points``, and keep the record.

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
    image_set, side = sized(opened(images, rule=rule, subset_seed=subset_seed), resolution)
    asked = tuple(dict.fromkeys(point.strip() for point in points.split(","))) if points else ()
    subject: Callable[[RunConfig], _Subject]
    usual: tuple[str, ...]
    if is_codec(config.name):
        if ":" in config.name:
            raise RequestError(f"'{config.name}' names one quality; name the codec alone, and its qualities as points")
        usual, models = QUALITIES, ""
        asked = asked or usual
        subject = partial(_Codec, points=asked)
    else:
        check_has_latent(config.name)
        usual = QUANTISERS
        asked = tuple(parse_quantiser(point).text for point in asked or usual)
        models = f"|histograms:{FITTED_ON}-others"
        names = [entry.name for entry in image_set.manifest(side, samples).entries]
        if len(names) < 2:
            raise RequestError("1 image has no other to fit models on; take at least 2 images")
        subject = partial(_Latents, points=asked, image_set=image_set, names=names, resolution=side)
    quantities = {}
    for point in asked:
        for name in RATE_QUALITIES:
            quantities[f"{name}:{point}"] = _quality(name, f"{point}{models}")
        quantities[f"bpp:{point}"] = Quantity("bits/px", f"bpp|stream|{point}{models}|per-image-mean|v1")
    if not is_codec(config.name):
        for name in RATE_QUALITIES:
            quantities[f"{name}:{UNQUANTISED}"] = _quality(name, UNQUANTISED)
        unquantised = f"bpp|latent-values|{UNQUANTISED}|per-image-mean|v1"
        quantities[f"bpp:{UNQUANTISED}"] = Quantity("bits/px", unquantised)
    study: ImageStudy[_Subject] = ImageStudy(
        function="measure_rate",
        benchmark=BENCHMARK,
        quantities=quantities,
        load=subject,
        tokenizer=lambda held: held.tokenizer,
        measure=_measured,
        arguments={"points": None if asked == usual else ",".join(asked)},
        usual={"points": None},
    )
    return measure_images(study, config, images=image_set, resolution=side, samples=samples, **context)


def _quality(name: str, how: str) -> Quantity:
    """The metric ``name`` of what was decoded after ``how`` a latent was written, or a codec was set."""
    metric = METRICS[name]
    return Quantity(metric.unit, metric.signature.replace("|per-image-mean|", f"|{how}|per-image-mean|"))


@torch.no_grad()
def _measured(subject: _Subject, original: Tensor, name: str) -> Result:
    pixels = original.shape[2] * original.shape[3]
    result: Result = {}
    for point, (reconstruction, bits) in subject.points(original, name).items():
        reconstruction = reconstruction.to(original.device)
        for quality in RATE_QUALITIES:
            result[f"{quality}:{point}"] = PIXEL_METRICS[quality](original[0], reconstruction)
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
            found[point] = (pixels_of(codec, latent, original.shape), bits_of(codec, latent)[0])
        return found


class _Latents:
    """A tokenizer whose latents are quantised and coded with models of the other half of the images."""

    def __init__(
        self, config: RunConfig, points: Sequence[str], image_set: ImageSet, names: Sequence[str], resolution: int
    ) -> None:
        self.tokenizer = load(config)
        self._points, self._halves = points, (names[0::2], names[1::2])
        self._latents_of = partial(latents_of, self.tokenizer, image_set, resolution=resolution, device=config.device)
        self._coders = cache(self._fitted)

    def points(self, original: Tensor, name: str) -> dict[str, tuple[Tensor, int]]:
        latent = latent_of(self.tokenizer, original)
        if isinstance(latent, DiscreteLatent):
            raise UnsupportedError(f"the latent of {self.tokenizer.spec.name} is an index of a codebook already")
        found = {UNQUANTISED: (pixels_of(self.tokenizer, latent, original.shape), bits_of(self.tokenizer, latent)[0])}
        for point, coder in self._coders(0 if name in self._halves[1] else 1).items():
            stream = coder.encode(_array(latent), latent.height, latent.width)
            read = torch.from_numpy(coder.decode(stream).values)[None].to(latent.values)
            images = pixels_of(self.tokenizer, replace(latent, values=read), original.shape)
            found[point] = (images, 8 * len(stream))
        return found

    def _fitted(self, half: int) -> dict[str, LatentCoder]:
        """By point, the coder whose models are those of the first images of a half."""
        latents = [_array(latent) for latent in self._latents_of(self._halves[half][:FITTED_ON])]
        if not latents:
            raise ValueError("no image of the other half can be encoded, so there is nothing to fit models on")
        return {point: LatentCoder.fit(parse_quantiser(point), latents) for point in self._points}


def _array(latent: Latent) -> NDArray[np.float32]:
    return latent.values[0].float().cpu().numpy()
