"""Convolutional auto-encoders through diffusers, the path of the Flux and SD families."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.files import locate, read_tensors, with_digests
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import SHIPPED, Entry
from vitok_lib.tokenizers.shapes import check_images, pad_by_edge

with warnings.catch_warnings():
    # Importing diffusers inside a notebook complains that progress bars have no widget.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from diffusers import AutoencoderKL

CONFIG, WEIGHT_FILE = "config.json", "diffusion_pytorch_model.safetensors"


class KLAutoencoder:
    """A KL auto-encoder (Rombach et al. 2022) whose latent is the posterior's mode, never a sample.

    Images are padded to a multiple of the stride by repeating their edge, and cut back after decoding.
    """

    def __init__(self, spec: TokenizerSpec, weights: Weights, settings: Settings, model: AutoencoderKL) -> None:
        self.spec = spec
        self.weights = weights
        self.settings = settings
        self.model = model
        self._scale: float = model.config["scaling_factor"]
        self._shift: float = model.config["shift_factor"] or 0.0

    @torch.no_grad()
    def encode(self, images: Tensor) -> Latent:
        check_images(images)
        padded = pad_by_edge(images.to(self.model.device, self.model.dtype), self.spec.downsampling)
        mode = self.model.encode(padded).latent_dist.mode()
        values = (mode - self._shift) * self._scale
        return Latent(values.permute(0, 2, 3, 1), images.shape[2], images.shape[3])

    @torch.no_grad()
    def decode(self, latent: Latent) -> Tensor:
        values = latent.values.permute(0, 3, 1, 2).to(self.model.device, self.model.dtype)
        images: Tensor = self.model.decode(values / self._scale + self._shift).sample
        return images[:, :, : latent.height, : latent.width]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def load_autoencoder(
    entry: Entry, spec: TokenizerSpec, weights: str | Path, device: str, dtype: str, seed: int
) -> KLAutoencoder:
    """Load an ``AutoencoderKL`` from a folder with ``config.json`` and one safetensors file."""
    if weights == "random":
        folder, identity = SHIPPED / entry.name, Weights(source=f"random:{seed}")
    else:
        folder, identity = locate(entry, weights, None, [CONFIG, WEIGHT_FILE])
    config = _read_config(folder / CONFIG)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: AutoencoderKL = AutoencoderKL.from_config(config)
    if weights != "random":
        file = folder / WEIGHT_FILE
        if not file.is_file():
            raise RequestError(f"'{folder}' has no {WEIGHT_FILE}; give the folder of a diffusers auto-encoder")
        wanted = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
        model.load_state_dict(read_tensors(file, wanted, device, getattr(torch, dtype)), strict=True, assign=True)
        identity = with_digests(identity, [file], entry.sha256)
    # Module.to, since diffusers' own warns of a list of exceptions even when that list is empty.
    torch.nn.Module.to(model, device, getattr(torch, dtype)).eval().requires_grad_(False)
    spec = _described_by(spec, model)
    return KLAutoencoder(spec, identity, Settings(device=device, dtype=dtype), model)


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError) as error:
        raise RequestError(f"'{file}' cannot be read as a diffusers configuration ({error})") from error
    return config


def _described_by(spec: TokenizerSpec, model: AutoencoderKL) -> TokenizerSpec:
    """The spec with stride, channels and parameters from the model itself."""
    return TokenizerSpec(
        name=spec.name,
        family=spec.family,
        downsampling=2 ** (len(model.config["block_out_channels"]) - 1),
        latent_channels=model.config["latent_channels"],
        source=spec.source,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        repository=spec.repository,
    )
