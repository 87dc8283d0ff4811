"""Build one small tokenizer, train it and save it in the file layout that its family is loaded from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vitok_lib.tokenizers.vitok.model import Decoder, Encoder
from vitok_lib.tokenizers.vitok.variant import parse_variant
from vitok_lib.train import initialise, pca
from vitok_lib.train.data import CropSampler, TrainingImages
from vitok_lib.train.loop import Training
from vitok_lib.train.recipe import Recipe

PCA_PATCHES = 200_000
KL_WIDTHS = (32, 48, 64, 64)
KL_WEIGHT = 1e-6


@dataclass(frozen=True)
class Built:
    """``training`` is None where the weights have a closed form; ``save`` writes them, in 16 bits, into a folder."""

    training: Training | None
    save: Callable[[Path], None]


def build(recipe: Recipe, images: TrainingImages, device: str) -> Built:
    """The tokenizer of ``recipe`` as its training begins; equal seeds give equal weights."""
    torch.manual_seed(recipe.seed)
    return _BUILDERS[recipe.family](recipe, CropSampler(images, recipe.seed), device)


def _build_vitok(recipe: Recipe, sampler: CropSampler, device: str) -> Built:
    variant = parse_variant(recipe.architecture)
    encoder, decoder = Encoder(variant), Decoder(variant)
    components = pca.fit(sampler, variant.patch, PCA_PATCHES // 2, device)
    initialise.start_at_components(encoder, decoder, components)
    encoder.to(device), decoder.to(device)

    def forward(crops: Tensor) -> tuple[Tensor, Tensor]:
        return decoder(encoder(crops)), crops.new_zeros(())

    def save(folder: Path) -> None:
        save_file(_half(encoder), folder / "encoder.safetensors")
        save_file(_half(decoder), folder / "decoder.safetensors")

    return Built(Training([encoder, decoder], forward, recipe, sampler, device), save)


def _build_kl(recipe: Recipe, sampler: CropSampler, device: str) -> Built:
    from diffusers import AutoencoderKL

    model = AutoencoderKL(
        block_out_channels=KL_WIDTHS,
        down_block_types=("DownEncoderBlock2D",) * len(KL_WIDTHS),
        up_block_types=("UpDecoderBlock2D",) * len(KL_WIDTHS),
        layers_per_block=1,
        latent_channels=int(recipe.architecture.partition("x")[2]),
        norm_num_groups=1,  # more groups of so few channels would normalise the colour away
        sample_size=128,
        scaling_factor=1.0,
    ).to(device)

    def forward(crops: Tensor) -> tuple[Tensor, Tensor]:
        posterior = model.encode(crops).latent_dist
        return model.decode(posterior.sample()).sample, KL_WEIGHT * posterior.kl().mean()

    def save(folder: Path) -> None:
        model.half().save_pretrained(folder)

    return Built(Training([model], forward, recipe, sampler, device), save)


def _build_pca(recipe: Recipe, sampler: CropSampler, device: str) -> Built:
    patch, channels = (int(number) for number in recipe.architecture.removeprefix("f").split("x"))
    components = pca.fit(sampler, patch, PCA_PATCHES, device)
    basis = components.basis[:, :channels].T.contiguous()  # [channels, 3p²]

    def save(folder: Path) -> None:
        save_file({"mean": components.mean, "components": basis}, folder / "pca.safetensors")

    return Built(None, save)


_BUILDERS = {"vitok": _build_vitok, "kl": _build_kl, "pca": _build_pca}


def _half(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().half().contiguous() for name, tensor in module.state_dict().items()}
