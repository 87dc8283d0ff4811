"""Features of images, by an extractor's name: how images are resized for it, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vitok_lib.errors import unknown
from vitok_lib.metrics.networks.dino import load_dinov2, load_dinov3
from vitok_lib.metrics.networks.extractors import EXTRACTORS
from vitok_lib.metrics.networks.inception import load_inception
from vitok_lib.metrics.networks.network import Network, exact_convolutions
from vitok_lib.metrics.networks.random_network import load_random
from vitok_lib.records.schema import Weights

_STRIP_PIXELS = 2**22  # resized at a time, which bounds the memory for large images
_BATCH = 16  # images in the network at a time, likewise

LOADERS: dict[str, Callable[[str], Network]] = {
    "inception": load_inception,
    "inception-legacy": load_inception,
    "dinov2": load_dinov2,
    "dinov3": load_dinov3,
    "random": load_random,
}


@dataclass(frozen=True)
class Extractor:
    """A network that makes ``dimensions`` features of an image; ``crop_side`` in pixels is what it sees unresized."""

    name: str
    dimensions: int
    crop_side: int
    device: str
    network: Network
    resize: Callable[[Tensor, int], Tensor]

    @property
    def weights(self) -> Weights:
        """The identity of the network's weights, for a record."""
        return self.network.weights

    @torch.no_grad()
    def features(self, images: Tensor) -> NDArray[np.float32]:
        """Features ``[B, d]`` of uint8 images ``[B, 3, H, W]``; those of an image do not depend on its batch."""
        found = [self._features(part) for part in images.split(_BATCH)]
        return np.concatenate(found).astype(np.float32, copy=False)

    def _features(self, images: Tensor) -> NDArray[np.float32]:
        with exact_convolutions():
            features = self.network.features(self.resize(images.to(self.device), self.crop_side))
        values: NDArray[np.float32] = features.float().cpu().numpy()
        return values


def load_extractor(name: str, device: str) -> Extractor:
    """The extractor of that name, its network on ``device``.

    Raises:
        RequestError: there is no such extractor, or its weights or packages are missing; the message says how to get
            them.
    """
    if name not in LOADERS:
        raise unknown("feature extractor", name, LOADERS)
    network = LOADERS[name](device)
    facts = EXTRACTORS[name]
    resize = resized_as_tensorflow_1 if facts.rule.startswith("bilinear-tf1") else resized
    return Extractor(name, network.dimensions, facts.crop_side, device, network, resize)


def resized(images: Tensor, side: int) -> Tensor:
    """uint8 ``[B, 3, H, W]`` as float32 ``[B, 3, side, side]`` in [0, 255], by an antialiased bicubic filter.

    The rule of clean-fid (Parmar et al. 2022): Pillow's filter on floating-point values, clamped, not rounded. Images
    of the right size are left as they are.
    """
    if images.shape[2:] == (side, side):
        return images.float()
    rows = max(1, _STRIP_PIXELS // (images.shape[0] * images.shape[3]))
    narrowed = [_filtered(strip.float(), strip.shape[2], side) for strip in images.split(rows, 2)]
    return _filtered(torch.cat(narrowed, 2), side, side).clamp(0, 255)


def resized_as_tensorflow_1(images: Tensor, side: int) -> Tensor:
    """uint8 ``[B, 3, H, W]`` as float32 ``[B, 3, side, side]``, by the bilinear filter of TensorFlow 1.

    It is what the network of 2015 has built in (``ResizeBilinear`` with ``align_corners`` off): output i samples at
    i · H / side, the corner of a pixel and not its centre, between two neighbours whatever the scale, which aliases.
    """
    upper, lower, down = _neighbours(images.shape[2], side, images.device)
    left, right, across = _neighbours(images.shape[3], side, images.device)
    above, below = (_between(images[:, :, rows], left, right, across) for rows in (upper, lower))
    return above + (below - above) * down[:, None]


def _neighbours(size: int, side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of each of ``side`` samples: the positions before and after it, and how far it is from the first, in float32."""
    places = torch.arange(side, device=device, dtype=torch.float32) * (torch.tensor(float(size)) / side).to(device)
    before = places.long()
    return before, (before + 1).clamp(max=size - 1), places - before


def _between(images: Tensor, left: Tensor, right: Tensor, across: Tensor) -> Tensor:
    first, second = images[..., left].float(), images[..., right].float()
    return first + (second - first) * across


def _filtered(images: Tensor, height: int, width: int) -> Tensor:
    return F.interpolate(images, (height, width), mode="bicubic", antialias=True)
