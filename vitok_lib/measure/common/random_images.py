"""What a machine measurement is fed, and where its record goes: random images, their identity, the settings' text."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from itertools import repeat

import torch
from torch import Tensor

from vitok_lib.records.schema import ImagesIdentity, Settings, Weights

SEED = 0
NAMED_BY_PATH = ("compile", "precision", "attention", "folded", "chunk", "graphs")


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


def settings_text(
    settings: Settings, weights: Weights, height: int, width: int, beside_path: Collection[str] = ()
) -> str:
    """What of ``settings`` differs from the default, for the name of a record's file.

    ``beside_path`` names those among compile, precision, attention, folded, chunk and graphs that were asked for
    themselves; whatever the path sets is said by its name.
    """
    size = None if height == width else f"{height}x{width}"
    limit = None if settings.memory_limit_gib is None else f"{settings.memory_limit_gib:g}GiB"
    named = {
        "preset": settings.preset,
        "window": settings.window,
        "dtype": settings.dtype if settings.dtype != "float32" else None,
        "device": settings.device if settings.device != "cpu" else None,
        "batch": settings.batch if settings.batch != 1 else None,
        **{name: getattr(settings, name) for name in NAMED_BY_PATH if name in beside_path},
        "posterior": settings.posterior,
    }
    parts = [f"{name}={value}" for name, value in named.items() if value is not None]
    parts += [name for name in ("tiling", "slicing") if getattr(settings, name)]
    others = {"size": size, "limit": limit, "weights": _weights_text(weights)}
    return ",".join(parts + [f"{name}={value}" for name, value in others.items() if value is not None])


def _weights_text(weights: Weights) -> str | None:
    if weights.source.startswith("random"):
        return weights.source.replace(":", "")
    if weights.source == "file":
        return hashlib.sha256("".join(sorted(weights.files.values())).encode()).hexdigest()[:8]
    return None
