"""Build, train and save one small tokenizer in the file layout that its family is loaded from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor, nn

from vitok_lib.tokenizers.vitok.model import Decoder, Encoder
from vitok_lib.tokenizers.vitok.variant import parse_variant
from vitok_lib.train import initialise, pca
from vitok_lib.train.data import CropSampler
from vitok_lib.train.recipe import KL_WEIGHT, Progress, Recipe, train

PCA_PATCHES = 200_000
KL_WIDTHS = (32, 48, 64, 64)


def build(recipe: Recipe, folder: Path, minutes: float, device: str, report: Callable[[str], None]) -> Progress:
    """Train ``recipe`` for ``minutes`` and write its weights into ``folder``, in half precision."""
    torch.manual_seed(recipe.seed)
    sampler = CropSampler(recipe.seed)
    report(f"{recipe.name}: training images are ready")
    folder.mkdir(parents=True, exist_ok=True)
    return _BUILDERS[recipe.family](recipe, folder, sampler, minutes, device, report)


def _build_vitok(
    recipe: Recipe, folder: Path, sampler: CropSampler, minutes: float, device: str, report: Callable[[str], None]
) -> Progress:
    variant = parse_variant(recipe.architecture)
    encoder, decoder = Encoder(variant), Decoder(variant)
    initialise.start_at_components(encoder, decoder, pca.fit(sampler, variant.patch, PCA_PATCHES // 2))
    encoder.to(device), decoder.to(device)

    def forward(crops: Tensor) -> tuple[Tensor, Tensor]:
        return decoder(encoder(crops)), crops.new_zeros(())

    progress = train([encoder, decoder], forward, recipe, sampler, minutes, device, report)
    save_file(_half(encoder), folder / "encoder.safetensors")
    save_file(_half(decoder), folder / "decoder.safetensors")
    return progress


def _build_kl(
    recipe: Recipe, folder: Path, sampler: CropSampler, minutes: float, device: str, report: Callable[[str], None]
) -> Progress:
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

    progress = train([model], forward, recipe, sampler, minutes, device, report)
    model.half().save_pretrained(folder)
    return progress


def _build_pca(
    recipe: Recipe, folder: Path, sampler: CropSampler, minutes: float, device: str, report: Callable[[str], None]
) -> Progress:
    patch, channels = (int(number) for number in recipe.architecture.removeprefix("f").split("x"))
    components = pca.fit(sampler, patch, PCA_PATCHES)
    basis = components.basis[:, :channels].T.contiguous()  # [channels, 3p²]
    save_file({"mean": components.mean, "components": basis}, folder / "pca.safetensors")
    return Progress(steps=0, seconds=0.0, curve=[])


_BUILDERS = {"vitok": _build_vitok, "kl": _build_kl, "pca": _build_pca}


def _half(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().half().contiguous() for name, tensor in module.state_dict().items()}
