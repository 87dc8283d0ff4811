"""What differs between diffusers' auto-encoder classes: stride, time axis, posterior, scale of the latent.

``encode`` and ``decode`` treat them all alike, on meta tensors too, where shapes are all that is computed.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@contextmanager
def _without_collection() -> Iterator[None]:
    """What is imported stays: looking for garbage meanwhile takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


with warnings.catch_warnings(), _without_collection():
    # Importing diffusers inside a notebook complains that progress bars have no widget.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderKLFlux2, AutoencoderKLQwenImage

Model = Any
"""An auto-encoder of diffusers, which come without types."""
Scale = Tensor | float
"""One number, or values ``[C, 1, 1]`` or ``[C, rows, columns]``."""


@dataclass(frozen=True)
class Adapter:
    """How to use one class.

    ``stride`` is the pixels a side of a latent position; ``channels`` and ``image_channels`` are the names of the
    configuration's fields; ``scaling`` gives the shift and the scale of a latent of so many rows and columns, as
    the generators over it take them: (raw - shift) · scale. Of ``video`` classes an image is one frame; the encoder
    of a class with ``posterior`` gives a Gaussian.
    """

    model_class: type[Model]
    stride: Callable[[Model], int]
    scaling: Callable[[Model, int, int], tuple[Scale, Scale]]
    channels: str = "latent_channels"
    image_channels: str = "in_channels"
    video: bool = False
    posterior: bool = True


def _halvings_between_blocks(model: Model) -> int:
    return int(2 ** (len(model.config["block_out_channels"]) - 1))


def _own_stride(model: Model) -> int:
    return int(model.spatial_compression_ratio)


def _scaled_by_factor(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    mean, std, factor = (model.config.get(key) for key in ("latents_mean", "latents_std", "scaling_factor"))
    if mean is not None and std is not None:
        return _by_channel(model, mean), factor / _by_channel(model, std)
    return model.config.get("shift_factor") or 0.0, factor


def _scaled_by_channel(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    return _by_channel(model, model.config["latents_mean"]), 1 / _by_channel(model, model.config["latents_std"])


def _scaled_by_batch_statistics(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    """FLUX.2: each place in a patch of 2 × 2 positions has a mean and a variance of its own for every channel."""
    height, width = model.config["patch_size"]

    def spread(statistics: Tensor) -> Tensor:
        patch = statistics.view(-1, height, width)
        return patch.repeat(1, -(-rows // height), -(-columns // width))[:, :rows, :columns]

    return spread(model.bn.running_mean), spread((model.bn.running_var + model.bn.eps).rsqrt())


def _by_channel(model: Model, values: list[float]) -> Tensor:
    return torch.tensor(values, device=model.device, dtype=model.dtype).view(-1, 1, 1)


ADAPTERS = {
    adapter.model_class.__name__: adapter
    for adapter in (
        Adapter(AutoencoderKL, _halvings_between_blocks, _scaled_by_factor),
        Adapter(AutoencoderKLFlux2, _halvings_between_blocks, _scaled_by_batch_statistics),
        Adapter(AutoencoderKLQwenImage, _own_stride, _scaled_by_channel, "z_dim", "input_channels", video=True),
        Adapter(AutoencoderDC, _own_stride, _scaled_by_factor, posterior=False),
    )
}


def adapter_of(model: Model) -> Adapter:
    return ADAPTERS[type(model).__name__]


def encode(model: Model, images: Tensor, noise_seed: int | None = None) -> Tensor:
    """Images ``[B, 3, H, W]``, H and W multiples of the stride, to the scaled latent ``[B, C, rows, columns]``.

    With ``noise_seed`` the latent is a sample of the posterior, else its mode. The noise is drawn on the CPU from
    the seed and is the same for every image of a batch, so that an image's sample depends on nothing beside it.
    """
    adapter = adapter_of(model)
    encoded = model.encode(images.unsqueeze(2) if adapter.video else images)
    raw = _value_of(encoded.latent_dist, noise_seed) if adapter.posterior else encoded.latent
    raw = raw.squeeze(2) if adapter.video else raw
    shift, scale = adapter.scaling(model, *raw.shape[2:])
    latent: Tensor = (raw - shift) * scale
    return latent


def _value_of(posterior: Any, noise_seed: int | None) -> Tensor:
    mean: Tensor = posterior.mean
    if noise_seed is None:
        return mean
    noise = torch.randn(mean.shape[1:], generator=torch.Generator().manual_seed(noise_seed))
    sample: Tensor = mean + posterior.std * noise.to(mean)
    return sample


def decode(model: Model, latent: Tensor) -> Tensor:
    """The scaled latent ``[B, C, rows, columns]`` to images ``[B, 3, rows · stride, columns · stride]``."""
    adapter = adapter_of(model)
    shift, scale = adapter.scaling(model, *latent.shape[2:])
    raw = latent / scale + shift
    images: Tensor = model.decode(raw.unsqueeze(2) if adapter.video else raw).sample
    return images.squeeze(2) if adapter.video else images
