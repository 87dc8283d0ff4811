"""Principal components of patches as a tokenizer: the baseline that a learned one of the same rate should beat."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.records.config import Settings, Weights
from vitok_lib.tokenizers.files import locate, read_tensors, with_digests
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import Entry
from vitok_lib.tokenizers.shapes import check_images, pad_by_edge
from vitok_lib.tokenizers.vitok.model import patchify, unpatchify


class PCA:
    """Each p × p patch as its projection on the leading components: z = W(x − μ), x̂ = Wᵀz + μ.

    Images are padded to a multiple of p by repeating their edge, and cut back after decoding.
    """

    def __init__(
        self, spec: TokenizerSpec, weights: Weights, settings: Settings, mean: Tensor, components: Tensor
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.settings = settings
        self._mean = mean  # [3p²]
        self._components = components  # [c, 3p²], orthonormal rows
        self._patch = math.isqrt(components.shape[1] // 3)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Latent:
        check_images(images)
        padded = pad_by_edge(images.to(self._mean), self._patch)
        tokens, rows, columns = patchify(padded, self._patch)
        values = (tokens - self._mean) @ self._components.T
        return Latent(values.unflatten(1, (rows, columns)), images.shape[2], images.shape[3])

    @torch.no_grad()
    def decode(self, latent: Latent) -> Tensor:
        rows, columns = latent.values.shape[1:3]
        tokens = latent.values.to(self._mean).flatten(1, 2) @ self._components + self._mean
        images = unpatchify(tokens, rows, columns, self._patch)
        return images[:, :, : latent.height, : latent.width]

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def load_pca(entry: Entry, spec: TokenizerSpec, weights: str | Path, device: str, dtype: str) -> PCA:
    """Load mean and components from ``pca.safetensors``."""
    if weights == "random":
        raise RequestError(f"tokenizer '{entry.name}' is a closed form: random weights do not apply to it")
    path, identity = locate(entry, weights, None, ["pca.safetensors"])
    file = path / "pca.safetensors" if path.is_dir() else path
    assert spec.downsampling is not None
    assert spec.latent_channels is not None
    values = 3 * spec.downsampling**2
    wanted = {"mean": (values,), "components": (spec.latent_channels, values)}
    tensors = read_tensors(file, wanted, device, getattr(torch, dtype))
    counted = replace(spec, parameters=sum(tensor.numel() for tensor in tensors.values()))
    identity = with_digests(identity, [file], entry.sha256)
    return PCA(counted, identity, Settings(device=device, dtype=dtype), tensors["mean"], tensors["components"])
