"""What differs between diffusers' auto-encoder classes: stride, time axis, posterior, scale of the latent.

``encode`` and ``decode`` treat them all alike, on meta tensors too, where shapes are all that is computed.
"""

from __future__ import annotations

import functools
import gc
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vitok_lib.errors import UnsupportedError

Model = Any
"""An auto-encoder of diffusers, which come without types."""
Scale = Tensor | float
"""One number, or values ``[C, 1, 1]`` or ``[C, rows, columns]``."""


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


@functools.cache
def diffusers_class(name: str) -> type[Model]:
    """The class of diffusers called ``name``; an AttributeError where the installed diffusers has none."""
    with warnings.catch_warnings(), _without_collection():
        # Importing diffusers inside a notebook complains that progress bars have no widget.
        warnings.filterwarnings("ignore", message="IProgress not found")
        import diffusers

        found: type[Model] = getattr(diffusers, name)
    return found


@dataclass(frozen=True)
class Adapter:
    """How to use one class.

    ``stride`` is the pixels a side of a latent position; ``channels`` is the name of the configuration's field;
    ``scaling`` gives the shift and the scale of a latent of so many rows and columns, as the generators over it take
    them: (raw - shift) · scale. Of ``video`` classes an image is one frame. ``value`` gives the unscaled latent of what
    ``encode`` of a class without a Gaussian posterior returns. ``codebook`` is the field with the number of codes of
    a discrete latent. ``tiling`` is False where diffusers has no tiles that work for every configuration. ``only_side``
    is the side in pixels of the square images that a class is bound to, if it is. Values of images are in [0, 1] where
    ``unit_range``, else in [-1, 1]. ``restore`` puts on a device the buffers that no weight file holds and that
    building on meta loses. ``package`` is what makes the encoder, where that is not diffusers.
    """

    stride: Callable[[Model], int]
    scaling: Callable[[Model, int, int], tuple[Scale, Scale]]
    channels: str = "latent_channels"
    image_channels: Callable[[Model], int] = lambda model: int(model.config["in_channels"])
    video: bool = False
    value: Callable[[Model, Any], Tensor] | None = None
    codebook: str | None = None
    tiling: bool = True
    only_side: Callable[[Model], int | None] = lambda model: None
    unit_range: bool = False
    restore: Callable[[Model, str | torch.device], None] | None = None
    package: str | None = None

    @property
    def posterior(self) -> bool:
        return self.value is None

    def index_bits(self, model: Model) -> int | None:
        """Bits of the index of a code; None where the latent is not discrete."""
        return None if self.codebook is None else math.ceil(math.log2(model.config[self.codebook]))


def _halvings_between_blocks(model: Model) -> int:
    return int(2 ** (len(model.config["block_out_channels"]) - 1))


def _own_stride(model: Model) -> int:
    return int(model.spatial_compression_ratio)


def _configured_stride(model: Model) -> int:
    return int(model.config["spatial_compression_ratio"])


def _unpatched_channels(model: Model) -> int:
    """Wan 2.2 puts patches of pixels into channels before its first layer."""
    return int(model.config["in_channels"] // (model.config["patch_size"] or 1) ** 2)


def _scaled_by_factor(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    mean, std, factor = (model.config.get(key) for key in ("latents_mean", "latents_std", "scaling_factor"))
    if mean is not None and std is not None:
        return _by_channel(model, mean), factor / _by_channel(model, std)
    return model.config.get("shift_factor") or 0.0, 1.0 if factor is None else factor


def _scaled_by_channel(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    return _by_channel(model, model.config["latents_mean"]), 1 / _by_channel(model, model.config["latents_std"])


def _scaled_by_first_frame(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    """Cosmos lists a mean and a standard deviation for each latent frame of a channel; an image is the first frame."""
    mean, std = (model.config[key] for key in ("latents_mean", "latents_std"))
    if mean is None or std is None:
        return 0.0, 1.0
    frames = len(mean) // model.config["latent_channels"]
    return _by_channel(model, mean[::frames]), 1 / _by_channel(model, std[::frames])


def _scaled_by_buffers(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    """LTX-Video keeps the mean and the standard deviation of each channel with its weights."""
    return model.latents_mean.view(-1, 1, 1), model.config["scaling_factor"] / model.latents_std.view(-1, 1, 1)


def _scaled_by_batch_statistics(model: Model, rows: int, columns: int) -> tuple[Scale, Scale]:
    """FLUX.2: each place in a patch of 2 × 2 positions has a mean and a variance of its own for every channel."""
    height, width = model.config["patch_size"]

    def spread(statistics: Tensor) -> Tensor:
        patch = statistics.view(-1, height, width)
        return patch.repeat(1, -(-rows // height), -(-columns // width))[:, :rows, :columns]

    return spread(model.bn.running_mean), spread((model.bn.running_var + model.bn.eps).rsqrt())


def _by_channel(model: Model, values: list[float]) -> Tensor:
    return torch.tensor(values, device=model.device, dtype=model.dtype).view(-1, 1, 1)


def _nearest_codes(model: Model, encoded: Any) -> Tensor:
    """The codebook's vector nearest to each position, in float32: torch.cdist has no 16-bit kernel."""
    values: Tensor = encoded.latents
    codebook = model.quantize.embedding.weight
    indices = torch.cdist(values.flatten(2).transpose(1, 2).float(), codebook.float()).argmin(2)
    codes: Tensor = codebook[indices].transpose(1, 2).reshape(values.shape)
    return codes


def _restore_positions(model: Model, device: str | torch.device) -> None:
    """The decoder's sines and cosines of each place on the grid, and those of a class token."""
    from diffusers.models.embeddings import get_2d_sincos_pos_embed

    decoder = model.decoder
    grid = math.isqrt(decoder.num_patches)
    places = get_2d_sincos_pos_embed(
        decoder.decoder_hidden_size, grid, cls_token=True, extra_tokens=1, output_type="pt", device=torch.device("cpu")
    )
    decoder.decoder_pos_embed = places[None].to(device, model.dtype)


def _restore_wavelets(model: Model, device: str | torch.device) -> None:
    from diffusers.models.autoencoders.autoencoder_kl_cosmos import CosmosPatchEmbed3d, CosmosUnpatcher3d

    for module in model.modules():
        if isinstance(module, (CosmosPatchEmbed3d, CosmosUnpatcher3d)):
            for name, values in type(module)(module.patch_size, module.patch_method).named_buffers():
                setattr(module, name, values.to(device))


ADAPTERS = {
    "AutoencoderKL": Adapter(_halvings_between_blocks, _scaled_by_factor),
    "AutoencoderKLFlux2": Adapter(_halvings_between_blocks, _scaled_by_batch_statistics),
    "AutoencoderKLQwenImage": Adapter(
        _own_stride, _scaled_by_channel, "z_dim", lambda model: int(model.config["input_channels"]), video=True
    ),
    "AutoencoderKLWan": Adapter(_own_stride, _scaled_by_channel, "z_dim", _unpatched_channels, video=True),
    # Its tiled encoding unpacks a time axis that its images do not have.
    "AutoencoderKLHunyuanImage": Adapter(_configured_stride, _scaled_by_factor, tiling=False),
    # It has options for tiles that neither side reads, and a distribution that is its one value.
    "AutoencoderKLCosmos": Adapter(
        _configured_stride,
        _scaled_by_first_frame,
        video=True,
        value=lambda model, encoded: encoded.latent_dist.mode(),
        tiling=False,
        restore=_restore_wavelets,
    ),
    "AutoencoderKLKVAE": Adapter(
        lambda model: int(2 ** (len(model.config["ch_mult"]) - 1)), _scaled_by_factor, "z_channels"
    ),
    "AutoencoderKLLTXVideo": Adapter(_own_stride, _scaled_by_buffers, video=True),
    "AutoencoderDC": Adapter(_own_stride, _scaled_by_factor, value=lambda model, encoded: encoded.latent),
    # It normalises the latent itself, by statistics of its weight file, and resizes any image to its encoder's grid.
    "AutoencoderRAE": Adapter(
        lambda model: int(model.decoder_patch_size),
        lambda model, rows, columns: (0.0, 1.0),
        "encoder_hidden_size",
        lambda model: int(model.config["num_channels"]),
        value=lambda model, encoded: encoded.latent,
        tiling=False,
        only_side=lambda model: int(model.decoder_image_size),
        unit_range=True,
        restore=_restore_positions,
        package="transformers",
    ),
    # The tiles of AutoencoderTiny have four channels and a stride of eight, whatever its configuration says.
    "AutoencoderTiny": Adapter(
        _halvings_between_blocks, _scaled_by_factor, value=lambda model, encoded: encoded.latents, tiling=False
    ),
    "VQModel": Adapter(
        _halvings_between_blocks,
        _scaled_by_factor,
        "vq_embed_dim",
        value=_nearest_codes,
        codebook="num_vq_embeddings",
        tiling=False,
    ),
}


def adapter_of(model: Model) -> Adapter:
    return ADAPTERS[type(model).__name__]


def restore_constants(model: Model, device: str | torch.device) -> None:
    """Put on ``device`` the buffers that no weight file holds and that building on meta loses."""
    restore = adapter_of(model).restore
    if restore is not None:
        restore(model, device)


def encode(model: Model, images: Tensor, noise_seed: int | None = None) -> Tensor:
    """Images ``[B, 3, H, W]``, H and W multiples of the stride, to the scaled latent ``[B, C, rows, columns]``.

    With ``noise_seed`` the latent is a sample of the posterior, else its mode. The noise is drawn on the CPU from
    the seed and is the same for every image of a batch, so that an image's sample depends on nothing beside it.

    Raises:
        UnsupportedError: the class is bound to images of another size.
    """
    adapter = adapter_of(model)
    height, width = images.shape[2:]
    side = adapter.only_side(model)
    if side is not None and (height, width) != (side, side):
        raise UnsupportedError(
            f"{type(model).__name__} reconstructs {side} × {side} px alone, whatever the size of the image, which is "
            f"{width} × {height} px; measure it at resolution {side} with a centre crop"
        )
    images = (images + 1) / 2 if adapter.unit_range else images
    encoded = model.encode(images.unsqueeze(2) if adapter.video else images)
    raw = _value_of(encoded.latent_dist, noise_seed) if adapter.value is None else adapter.value(model, encoded)
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
    options = {"force_not_quantize": True} if adapter.codebook else {}  # the latent has the codes already
    images: Tensor = model.decode(raw.unsqueeze(2) if adapter.video else raw, **options).sample
    images = 2 * images - 1 if adapter.unit_range else images
    return images.squeeze(2) if adapter.video else images
