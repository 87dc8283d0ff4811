"""Tokenizers that do one known thing to an image, so that every value of a measurement has a closed form."""

from __future__ import annotations

from typing import Any

from torch import Size, Tensor

from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec


class Identity:
    """Gives images back as they are; its latent is the image, channels last. What derives from it changes ``decoded``.

    ``shapes`` and ``strides`` are those of the batches that it encoded, and ``calls`` counts what it decoded.
    """

    name = "identity"

    def __init__(self, *, weights: Weights | None = None, **settings: Any) -> None:
        self.spec = TokenizerSpec(self.name, "test", 1, 3, "a test")
        self.weights = weights or Weights(source="none")
        self.settings = Settings(**{"device": "cpu", "dtype": "float32", **settings})
        self.shapes: list[Size] = []
        self.strides: list[tuple[int, ...]] = []
        self.calls = 0

    def encode(self, images: Tensor) -> Latent:
        self.shapes.append(images.shape)
        self.strides.append(images.stride())
        return Latent(images.movedim(1, -1), images.shape[2], images.shape[3])

    def decode(self, latent: Latent) -> Tensor:
        self.calls += 1
        return self.decoded(latent.values.movedim(-1, 1))

    def decoded(self, images: Tensor) -> Tensor:
        """What becomes of ``images``, [B, 3, H, W]."""
        return images

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


class Scaling(Identity):
    """Multiplies every value by ``factor``."""

    name = "scaling"

    def __init__(self, factor: float, **given: Any) -> None:
        super().__init__(**given)
        self.factor = factor

    def decoded(self, images: Tensor) -> Tensor:
        return images * self.factor


class Offset(Identity):
    """Adds ``levels`` of 255 to every value."""

    name = "offset"

    def __init__(self, levels: float, **given: Any) -> None:
        super().__init__(**given)
        self.levels = levels

    def decoded(self, images: Tensor) -> Tensor:
        return images + self.levels / 127.5
