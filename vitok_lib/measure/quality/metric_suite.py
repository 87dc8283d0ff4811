"""What is measured of one batch of images: their reconstructions, the metrics of each, their features."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitok_lib.measure.quality.lines import Lines, as_pixels, mean_score, read_lines
from vitok_lib.measure.quality.original_features import ORIGINALS
from vitok_lib.measure.quality.stages import FEATURES, METRICS, TOKENIZER, Stages
from vitok_lib.metrics.networks.features import load_extractor
from vitok_lib.metrics.patches import crops
from vitok_lib.metrics.pixel import from_uint8, image_metrics, share_outside, to_uint8
from vitok_lib.metrics.signature import Metric
from vitok_lib.metrics.text.recogniser import Read, load_recogniser
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.tokenizers.codec_names import block_of
from vitok_lib.tokenizers.folder import Paired
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import check_device
from vitok_lib.tokenizers.outputs import bits_of, decoded, encoded, non_finite

Pixels = NDArray[np.uint8]
PATCHES = "patches"
IDENTICAL = "identical"


class MetricSuite:
    """The metrics of a request, loaded once for all images."""

    def __init__(
        self,
        tokenizer: Tokenizer | Paired,
        metrics: Sequence[Metric],
        lines: Lines | None = None,
        device: str | None = None,
    ) -> None:
        """``lines`` gives the known text of an image by its name, for the metrics that read it.

        Metrics are computed on ``device``; None: where the tokenizer runs, which of a codec is always the CPU.

        Raises:
            RequestError: the device is not here, or the network of a metric cannot be loaded.
        """
        self.stages = Stages()
        self._tokenizer = tokenizer
        self._device = device or tokenizer.settings.device or "cpu"
        check_device(self._device)
        self._output = [metric.name for metric in metrics if metric.scope == "output"]
        self._rate = [metric.name for metric in metrics if metric.scope == "rate"]
        period = tokenizer.spec.downsampling or block_of(tokenizer.spec.name)
        self._by_image = image_metrics([of.name for of in metrics if of.scope == "image"], self._device, period)
        self._lines = lines
        self._text = [metric.name for metric in metrics if metric.scope == "text"]
        self._read: Read | None = load_recogniser() if self._text else None
        self._whole = {metric.extractor for metric in metrics if metric.scope == "set" and not takes_patches(metric)}
        self._patches = {metric.extractor for metric in metrics if takes_patches(metric)}
        self._extractors = {
            name: load_extractor(name, self._device) for name in self._whole | self._patches if name is not None
        }

    @torch.no_grad()
    def measure(self, batch: Sequence[Pixels], names: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The result of each image of ``batch``, all ``[H, W, 3]`` of one size, in order.

        A reconstruction with values that are not finite gives an ``error`` and its ``status``. A folder of
        reconstructions and the metrics that read text have to know the ``names`` of the images; of a folder it is kept
        of each whether it is ``identical`` to its original.

        Raises:
            RequestError: the tokenizer gives no reconstruction of each image.
            Exception: whatever the tokenizer raises.
        """
        with self.stages.timed(TOKENIZER):
            originals = as_tensor(batch).to(self._device)
            bits, images = self._reconstructed(originals, names)
            images = images.to(self._device)  # from the CPU, if that is where they were made
            faults = [non_finite(image) for image in images]
        outside = [100 * share_outside(image) for image in images] if self._output else [0.0] * len(images)
        reconstructions = to_uint8(images)
        del images
        height, width = originals.shape[2:]
        results: list[dict[str, Any]] = []
        for pixels, name, original, reconstruction, fault, share, size in zip(
            batch, names or [""] * len(batch), originals, reconstructions, faults, outside, bits, strict=True
        ):
            result: dict[str, Any] = {"height": height, "width": width, "batch": len(batch)}
            if isinstance(self._tokenizer, Paired):
                result[IDENTICAL] = torch.equal(original, reconstruction)
            if fault is None:
                result |= dict.fromkeys(self._rate, size / (height * width))
                result |= dict.fromkeys(self._output, share)
                with self.stages.timed(METRICS):
                    result |= self._by_image(original, reconstruction)
                    result |= self._scores(pixels, name, reconstruction)
                if self._extractors:
                    with self.stages.timed(FEATURES):
                        result |= self._features(pixels, original, reconstruction)
            else:
                result |= {"error": fault, "status": OutcomeStatus.NON_FINITE.value}
            results.append(result)
        return results

    def _reconstructed(self, originals: Tensor, names: Sequence[str]) -> tuple[tuple[int, ...], Tensor]:
        """Bits and reconstruction of each of ``originals``, uint8 ``[B, 3, H, W]``."""
        tokenizer = self._tokenizer
        if isinstance(tokenizer, Paired):
            return tokenizer.bits(names), tokenizer.images(names, *originals.shape[2:])
        latent = encoded(tokenizer, from_uint8(originals.to(tokenizer.settings.device or "cpu")))
        return bits_of(tokenizer, latent), decoded(tokenizer, latent, originals.shape)

    def _scores(self, pixels: Pixels, name: str, reconstruction: Tensor) -> dict[str, float]:
        """Of the known lines of text of image ``name``."""
        if self._read is None or self._lines is None:
            return {}
        found = read_lines(pixels, as_pixels(reconstruction), self._lines(name), self._read)
        return {score: mean_score(score, found) for score in self._text}

    def _features(self, pixels: Pixels, original: Tensor, reconstruction: Tensor) -> dict[str, Any]:
        """Of the image whose ``pixels`` the original holds, and of its reconstruction."""
        features = {}
        for name, extractor in self._extractors.items():
            views: dict[str, Callable[[Tensor], Tensor]] = {}
            if name in self._whole:
                views[name] = lambda image: image[None]
            if name in self._patches:
                views[f"{name}/{PATCHES}"] = partial(crops, side=extractor.crop_side)
            for kept, view in views.items():
                first = ORIGINALS.get(pixels, (kept, self._device), lambda: extractor.features(view(original)))  # noqa: B023
                features[kept] = [_packed(first), _packed(extractor.features(view(reconstruction)))]
        return {"features": features} if features else {}


def takes_patches(metric: Metric) -> bool:
    """Whether the metric is a distance over crops at native resolution."""
    return metric.statistic == "patch-fd"


def as_tensor(batch: Sequence[Pixels]) -> Tensor:
    """Images ``[H, W, 3]`` of one size as uint8 ``[B, 3, H, W]``, a copy of their own."""
    return torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)


def _packed(features: NDArray[np.float32]) -> list[Any]:
    """Features as text that JSON holds, and their shape."""
    return [list(features.shape), base64.b64encode(np.ascontiguousarray(features, "<f4").tobytes()).decode("ascii")]


def unpacked(packed: list[Any]) -> NDArray[np.float32]:
    """The inverse of what a result keeps of features: ``[k, d]``, one row an image or a crop."""
    shape, text = packed
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)
