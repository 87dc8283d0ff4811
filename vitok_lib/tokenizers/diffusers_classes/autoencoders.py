"""Convolutional auto-encoders through diffusers: the Flux, SD, Qwen and DC-AE families, and any other on the hub."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vitok_lib.errors import RequestError, UnsupportedError, unknown
from vitok_lib.records.config import RunConfig, Settings, Weights
from vitok_lib.tokenizers.diffusers_classes.adapters import Model, adapter_of, decode, encode, restore_constants
from vitok_lib.tokenizers.diffusers_classes.architectures import empty_model, randomise
from vitok_lib.tokenizers.diffusers_classes.configurations import (
    CONFIG,
    configuration_file,
    is_of_the_library,
    read_configuration,
)
from vitok_lib.tokenizers.diffusers_classes.strips import check_strips, work_in_strips
from vitok_lib.tokenizers.files import locate, read_tensors, with_digests
from vitok_lib.tokenizers.interface import DiscreteLatent, Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import Entry
from vitok_lib.tokenizers.shapes import check_images, pad_by_edge

WEIGHT_FILE = "diffusion_pytorch_model.safetensors"
INDEX_FILE = f"{WEIGHT_FILE}.index.json"
SHARDS = "diffusion_pytorch_model-?????-of-?????.safetensors"
OLDER_ATTENTION = {
    r"(.+\.attentions\.\d+)\.(to_q|to_k|to_v|to_out\.0)\.(weight|bias)": {
        "to_q": "query",
        "to_k": "key",
        "to_v": "value",
        "to_out.0": "proj_attn",
    },
    r"(encoder\.encoder\.layer\.\d+\.attention)\.([qkvo]_proj)\.(weight|bias)": {
        "q_proj": "attention.query",
        "k_proj": "attention.key",
        "v_proj": "attention.value",
        "o_proj": "output.dense",
    },
}
"""What diffusers called the layers of attention when, among others, sd-vae-ft-mse was released, and what transformers
before 5 called those of DINOv2, whose weights are a part of AutoencoderRAE's."""
ATTENDING = (
    "AttnProcessor2_0",
    "CosmosSpatialAttentionProcessor2_0",
    "HunyuanImageAttentionBlock",
    "QwenImageAttentionBlock",
    "WanAttentionBlock",
)
"""Processors and blocks of diffusers that call torch's scaled dot-product attention."""
_SOME_POSITIONS = (2, 2)
"""Rows and columns of a latent within which a scale that differs by place does so."""
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}
"""Torch's kernels of scaled dot-product attention; ``math`` alone holds all scores of an image at once."""


class Autoencoder:
    """An auto-encoder whose latent is the posterior's mode, or with ``noise_seed`` a sample of it.

    Images are padded to a multiple of the stride by repeating their edge, and cut back after decoding.

    Encoding and decoding raise an UnsupportedError where the kernel of ``settings.attention`` does not run on this
    device, dtype or head, or a layer not on this device in this dtype.
    """

    def __init__(
        self, spec: TokenizerSpec, weights: Weights, settings: Settings, model: Model, noise_seed: int | None = None
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.settings = settings
        self.model = model
        self.noise_seed = noise_seed
        self.requested: RunConfig | None = None
        self._stride = adapter_of(model).stride(model)
        self._index_bits = adapter_of(model).index_bits(model)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Latent:
        check_images(images)
        padded = self._laid_out(pad_by_edge(images.to(self.model.device, self.model.dtype), self._stride))
        with _kernel(self.settings.attention):
            values = encode(self.model, padded, self.noise_seed)
        values = values.permute(0, 2, 3, 1)
        if self._index_bits is not None:
            return DiscreteLatent(values, images.shape[2], images.shape[3], self._index_bits)
        return Latent(values, images.shape[2], images.shape[3])

    @torch.no_grad()
    def decode(self, latent: Latent) -> Tensor:
        values = self._laid_out(latent.values.permute(0, 3, 1, 2).to(self.model.device, self.model.dtype))
        with _kernel(self.settings.attention):
            images = decode(self.model, values)
        return images[:, :, : latent.height, : latent.width]

    def _laid_out(self, values: Tensor) -> Tensor:
        """``values``, ``[B, C, H, W]``, on a CPU channels last in memory, which its convolutions keep to their end."""
        on_cpu = values.device.type == "cpu" and not adapter_of(self.model).video
        return values.contiguous(memory_format=torch.channels_last) if on_cpu else values

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def channel_scaling(self) -> tuple[Tensor, Tensor] | None:
        """Shift and scale, each float64 ``[C]``, by which ``encode`` gives (raw - shift) · scale.

        None where they differ from place to place, as FLUX.2's do.
        """
        channels = self.spec.latent_channels
        assert channels is not None  # the model has told it
        found = [
            torch.as_tensor(values).to("cpu", torch.float64).flatten()
            for values in adapter_of(self.model).scaling(self.model, *_SOME_POSITIONS)
        ]
        if any(values.numel() not in (1, channels) for values in found):
            return None
        shift, scale = (values.expand(channels) for values in found)
        return shift, scale

    def tiled(self) -> Autoencoder:
        """The same auto-encoder working in overlapping tiles, over the same tensors; this one stays as it is.

        Raises:
            RequestError: diffusers has no tiles for this class.
        """
        check_tiling(self.model, self.spec.name)
        model = copy.copy(self.model)
        model.enable_tiling()
        settings = self.settings.model_copy(update={"tiling": True})
        tiled = Autoencoder(self.spec, self.weights, settings, model, self.noise_seed)
        tiled.requested = None if self.requested is None else self.requested.replace(tiling=True)
        return tiled


def check_tiling(model: Model, name: str) -> None:
    """Raise a RequestError where diffusers does not work in tiles."""
    if not adapter_of(model).tiling:
        raise RequestError(
            f"diffusers has no working tiles for tokenizer '{name}' ({type(model).__name__}); leave tiling out"
        )


@contextmanager
def _kernel(attention: str | None) -> Iterator[None]:
    """Attention by this kernel alone; None: torch chooses."""
    try:
        with nullcontext() if attention is None else sdpa_kernel(KERNELS[attention]):
            yield
    except NotImplementedError as error:
        raise UnsupportedError(
            f"torch cannot run this model with this dtype on this device ({str(error).splitlines()[0]}); try float32"
        ) from error
    except RuntimeError as error:
        if "No available kernel" in str(error) or "No viable backend" in str(error):
            raise UnsupportedError(f"attention kernel '{attention}' cannot do this attention here") from error
        raise


def load_autoencoder(
    entry: Entry,
    spec: TokenizerSpec,
    weights: str | Path,
    *,
    revision: str | None,
    device: str,
    dtype: str,
    tiling: bool,
    strips: bool,
    slicing: bool,
    posterior: str,
    seed: int,
    attention: str | None = None,
) -> Autoencoder:
    """Load an auto-encoder from a folder in diffusers' layout, from the hub, or with random weights.

    It is built on the meta device and given its tensors: no second copy in memory. Its configuration is part of its
    identity, since the same tensors with another activation are another tokenizer. The arguments are those of
    :func:`vitok_lib.tokenizers.load.load_tokenizer`.
    """
    if attention is not None and attention not in KERNELS:
        raise unknown("attention kernel", attention, KERNELS)
    folder, identity = None, Weights(source=f"random:{seed}")
    if weights != "random":
        folder, identity = locate(entry, weights, revision, [CONFIG, WEIGHT_FILE, INDEX_FILE, SHARDS])
        folder = with_subfolder(folder, entry)
    configuration = folder / CONFIG if folder else configuration_file(entry)
    model = empty_model(read_configuration(configuration), entry.name)
    if posterior == "sample" and not adapter_of(model).posterior:
        raise RequestError(f"tokenizer '{entry.name}' has no posterior to sample from; leave posterior at 'mode'")
    if attention is not None and not _attends(model):
        raise RequestError(f"tokenizer '{entry.name}' has no attention that torch's kernels compute; leave it out")
    if tiling:
        check_tiling(model, entry.name)
    if strips:
        check_strips(model, entry.name)
    if slicing and not hasattr(model, "use_slicing"):
        raise RequestError(
            f"diffusers has no slices for tokenizer '{entry.name}' ({type(model).__name__}); leave slicing out"
        )
    if folder:
        files = _fill(model, folder, device, getattr(torch, dtype))
        identity = with_digests(identity, [*files, configuration], entry.sha256)
    else:
        randomise(model, device, getattr(torch, dtype), seed)
        if not is_of_the_library(configuration):
            identity = with_digests(identity, [configuration], None)
    if tiling:
        model.enable_tiling()
    if strips:
        work_in_strips(model, device)
    if slicing:
        model.enable_slicing()
    settings = Settings(
        device=device,
        dtype=dtype,
        tiling=tiling or None,
        strips=strips or None,
        slicing=slicing or None,
        posterior="sample" if posterior == "sample" else None,
        seed=seed if posterior == "sample" else None,
        attention=attention,
    )
    return Autoencoder(_described_by(spec, model), identity, settings, model, seed if posterior == "sample" else None)


def _attends(model: Model) -> bool:
    """Whether a layer calls torch's scaled dot-product attention; the linear attention of DC-AE does not."""
    return any(
        type(module).__name__ in ATTENDING or type(getattr(module, "processor", None)).__name__ in ATTENDING
        for module in model.modules()
    )


def with_subfolder(folder: Path, entry: Entry) -> Path:
    """A user's folder may be the whole repository or the auto-encoder's part of it."""
    part = folder / (entry.subfolder or "")
    return part if (part / CONFIG).is_file() else folder


def _fill(model: Model, folder: Path, device: str, dtype: torch.dtype) -> list[Path]:
    """Make the tensors of the folder's weight files the model's own; returns the files."""
    wanted = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    parts = {folder / WEIGHT_FILE: wanted}
    if not (folder / WEIGHT_FILE).is_file():
        parts = _shards(folder, wanted)
    tensors: dict[str, Tensor] = {}
    for file, part in parts.items():
        surplus = type(model)._keys_to_ignore_on_load_unexpected or ()
        tensors |= read_tensors(file, part, device, dtype, _older_names(part), surplus)
    model.load_state_dict(tensors, strict=True, assign=True)
    restore_constants(model, device)
    model.requires_grad_(False)
    return list(parts)


def _shards(folder: Path, wanted: dict[str, tuple[int, ...]]) -> dict[Path, dict[str, tuple[int, ...]]]:
    """What each weight file must hold where an index spreads the tensors over several."""
    index = folder / INDEX_FILE
    if not index.is_file():
        raise RequestError(f"'{folder}' has no {WEIGHT_FILE}; give the folder of a diffusers auto-encoder")
    try:
        places: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        parts: dict[Path, dict[str, tuple[int, ...]]] = {folder / name: {} for name in sorted(set(places.values()))}
        for key, shape in wanted.items():
            parts[folder / places[key]][key] = shape
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise RequestError(f"'{index}' is no index of this model's weights ({error!r}); fetch it again") from error
    return parts


def _older_names(keys: Iterable[str]) -> dict[str, str]:
    older = {}
    for key in keys:
        for pattern, names in OLDER_ATTENTION.items():
            if match := re.fullmatch(pattern, key):
                block, layer, kind = match.groups()
                older[f"{block}.{names[layer]}.{kind}"] = key
    return older


def _described_by(spec: TokenizerSpec, model: Model) -> TokenizerSpec:
    """The spec with stride, channels and parameters from the model itself."""
    adapter = adapter_of(model)
    return replace(
        spec,
        downsampling=adapter.stride(model),
        latent_channels=model.config[adapter.channels],
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )
