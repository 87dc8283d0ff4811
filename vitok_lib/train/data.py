"""Training images: crops of the training photographs and of dead-leaves scenes, drawn from one seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vitok_lib.images import leaves, photographs, wallpapers
from vitok_lib.images.files.content import FileContent
from vitok_lib.images.prepare import read

FIRST_TRAINING_SEED = 1_000_000  # scenes below this number belong to evaluation
SCENE_SIZES = (512,) * 24 + (1024,) * 16
PHOTOGRAPH_SHARE = 0.8
LONGEST_SIDE = 2048
SCALES = (1.0, 0.7, 0.5, 0.35, 0.25)
SHORTEST_SIDE = 128


@dataclass(frozen=True)
class TrainingImages:
    """8-bit RGB pixels ``[H, W, 3]``: scenes, and each photograph at several scales; its name in ``names``."""

    scenes: list[NDArray[np.uint8]]
    photographs: list[NDArray[np.uint8]]
    names: tuple[str, ...]

    @classmethod
    def load(cls) -> TrainingImages:
        """Render the scenes and read every photograph that may be trained on: 0.3 GiB.

        Raises:
            RequestError: the photographs of the set ``wallpapers`` are not installed.
        """
        files = {each.name: FileContent(each.file()) for each in photographs.training()}
        files |= wallpapers.found("train")
        scenes = [leaves.render(FIRST_TRAINING_SEED + index, size) for index, size in enumerate(SCENE_SIZES)]
        scaled = [pixels for name, file in files.items() for pixels in _pyramid(read(file, LONGEST_SIDE, name))]
        return cls(scenes, scaled, tuple(files))

    @property
    def sha256(self) -> str:
        """Of all pixels, in order."""
        digest = hashlib.sha256()
        for pixels in (*self.scenes, *self.photographs):
            digest.update(pixels.tobytes())
        return digest.hexdigest()


class CropSampler:
    """Draws random crops; two samplers of one seed draw the same crops in the same order."""

    def __init__(self, images: TrainingImages, seed: int) -> None:
        self._images = images
        self._rng = np.random.default_rng([seed, 7])
        # A colour photograph says more than a grey texture, a large one more than a small one.
        weights = np.array([pixels[..., 0].size * (3 if _is_colour(pixels) else 1) for pixels in images.photographs])
        self._weights = np.sqrt(weights) / np.sqrt(weights).sum()

    @property
    def state(self) -> dict[str, Any]:
        """Where the random numbers stand; set it, and the crops after it come again."""
        return dict(self._rng.bit_generator.state)

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state

    def batch(self, count: int, size: int, device: str = "cpu") -> Tensor:
        """``[count, 3, size, size]`` in [-1, 1], in steps of 8 bits."""
        crops = torch.from_numpy(np.stack([self._crop(size) for _ in range(count)]))
        recolouring = torch.from_numpy(np.stack([self._recolouring() for _ in range(count)])).to(device)
        gain, offset = recolouring[..., None, None].unbind(1)  # each [count, 3, 1, 1]
        pixels = crops.to(device).permute(0, 3, 1, 2).float()
        return pixels.mul_(gain).add_(offset).round_().clamp_(0, 255).div_(127.5).sub_(1).contiguous()

    def _crop(self, size: int) -> NDArray[np.uint8]:
        """``[size, size, 3]``, mirrored and turned at times; at times the channels have another order."""
        pixels = self._image(size)
        top = self._rng.integers(0, pixels.shape[0] - size + 1)
        left = self._rng.integers(0, pixels.shape[1] - size + 1)
        crop = pixels[top : top + size, left : left + size]
        if self._rng.random() < 0.5:
            crop = crop[:, ::-1]
        crop = np.rot90(crop, self._rng.choice([0, 0, 0, 1, 2, 3]))
        return crop[..., self._rng.permutation(3)] if self._rng.random() < 0.15 else crop

    def _image(self, size: int) -> NDArray[np.uint8]:
        """An image at least ``size`` pixels on each side."""
        while True:
            if self._rng.random() < PHOTOGRAPH_SHARE:
                pixels = self._images.photographs[self._rng.choice(len(self._weights), p=self._weights)]
            else:
                pixels = self._images.scenes[self._rng.integers(len(self._images.scenes))]
            if min(pixels.shape[:2]) >= size:
                return pixels

    def _recolouring(self) -> NDArray[np.float32]:
        """``[2, 3]``: gain and offset of each channel, for half of the crops another white balance and exposure."""
        if self._rng.random() < 0.5:
            return np.array([[1, 1, 1], [0, 0, 0]], np.float32)
        gain = self._rng.uniform(0.6, 1.2) * self._rng.uniform(0.85, 1.15, 3)
        return np.stack([gain, np.full(3, self._rng.uniform(-20, 30))]).astype(np.float32)


def _pyramid(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The photograph at its own size and at smaller ones: a scene seen from further away."""
    image = Image.fromarray(pixels)
    sizes = [(round(image.width * scale), round(image.height * scale)) for scale in SCALES]
    kept = [size for size in sizes if min(size) >= SHORTEST_SIDE]
    return [np.asarray(image.resize(size, Image.Resampling.LANCZOS)) for size in kept]


def _is_colour(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[..., 0] != pixels[..., 1]).any())
