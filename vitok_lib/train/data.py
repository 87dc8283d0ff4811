"""Training images: crops of the training photographs and of dead-leaves scenes, drawn from one seed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vitok_lib.images import leaves, photographs

FIRST_TRAINING_SEED = 1_000_000  # scenes below this number belong to evaluation
SCENE_SIZES = (512,) * 24 + (1024,) * 16
PHOTOGRAPH_SHARE = 0.65


class CropSampler:
    """Draws random crops; two samplers of one seed draw the same crops in the same order."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 7])
        self._scenes = [leaves.render(FIRST_TRAINING_SEED + index, size) for index, size in enumerate(SCENE_SIZES)]
        self._photographs = [
            pixels for photograph in photographs.training() for pixels in _pyramid(Image.open(photograph.file()))
        ]
        # A colour photograph says more than a grey texture, a large one more than a small one.
        weights = np.array([pixels[..., 0].size * (3 if _is_colour(pixels) else 1) for pixels in self._photographs])
        self._weights = np.sqrt(weights) / np.sqrt(weights).sum()

    def batch(self, count: int, size: int) -> Tensor:
        """``[count, 3, size, size]`` in [-1, 1]."""
        crops = np.stack([self._crop(size) for _ in range(count)])
        return torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().float().div_(127.5).sub_(1)

    def _crop(self, size: int) -> NDArray[np.uint8]:
        pixels = self._image(size)
        top = self._rng.integers(0, pixels.shape[0] - size + 1)
        left = self._rng.integers(0, pixels.shape[1] - size + 1)
        crop = pixels[top : top + size, left : left + size]
        if self._rng.random() < 0.5:
            crop = crop[:, ::-1]
        crop = np.rot90(crop, self._rng.choice([0, 0, 0, 1, 2, 3]))
        if self._rng.random() < 0.5:
            crop = self._recolour(crop)
        return np.ascontiguousarray(crop)

    def _image(self, size: int) -> NDArray[np.uint8]:
        """An image at least ``size`` pixels on each side."""
        while True:
            if self._rng.random() < PHOTOGRAPH_SHARE:
                pixels = self._photographs[self._rng.choice(len(self._photographs), p=self._weights)]
            else:
                pixels = self._scenes[self._rng.integers(len(self._scenes))]
            if min(pixels.shape[:2]) >= size:
                return pixels

    def _recolour(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Another white balance, exposure and contrast, and at times another order of the channels."""
        if self._rng.random() < 0.3:
            crop = crop[..., self._rng.permutation(3)]
        gain = self._rng.uniform(0.6, 1.2) * self._rng.uniform(0.85, 1.15, 3)
        offset = self._rng.uniform(-20, 30)
        return np.clip(crop * gain + offset, 0, 255).astype(np.uint8)


def _pyramid(image: Image.Image) -> list[NDArray[np.uint8]]:
    """The photograph at full size and at smaller ones: a scene seen from further away."""
    rgb = image.convert("RGB")
    sizes = [(round(rgb.width * scale), round(rgb.height * scale)) for scale in (1, 0.7, 0.5)]
    return [np.asarray(rgb.resize(size, Image.Resampling.LANCZOS)) for size in sizes if min(size) >= 128]


def _is_colour(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[..., 0] != pixels[..., 1]).any())
