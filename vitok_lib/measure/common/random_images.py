"""What a machine measurement is fed: random images, and their identity."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import torch
from torch import Tensor

from vitok_lib.records.schema import ImagesIdentity

SEED = 0


def noise(batch: int, height: int, width: int, device: str, seed: int = SEED) -> Iterator[Tensor]:
    """Without end, fresh images ``[batch, 3, height, width]``, float32, uniform in [-1, 1), drawn on ``device``.

    Never zeros: a GPU multiplies those faster, since it then draws less power. Where there is no memory for them, the
    next ones can be asked for all the same.
    """
    generator = torch.Generator(device).manual_seed(seed)

    def draw(_: None) -> Tensor:
        # Channels last in memory, as an evaluation hands over the pixels of files: convolutions keep the layout that
        # they are given, and on a CPU a convolutional auto-encoder takes some 25 % longer in the other one.
        images = torch.empty((batch, 3, height, width), device=device, memory_format=torch.channels_last)
        return images.uniform_(-1, 1, generator=generator)

    return map(draw, repeat(None))  # and no generator, which would end with the first exception


def noise_identity(count: int, height: int, width: int) -> ImagesIdentity:
    """How a record names ``count`` images of noise."""
    return ImagesIdentity(
        name="noise",
        description=f"uniform random pixels from seed {SEED}, channels last in memory",
        count=count,
        rule=f"{height}x{width} px as drawn",
    )
