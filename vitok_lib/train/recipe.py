"""The recipe of the small tokenizers: what each one is, and the loop that trains it.

The loss of a crop is log(mse + ε), whose mean is the mean PSNR up to sign and scale, so that easy and hard
crops weigh alike. The learning rate falls with a half cosine over the time budget: a budget is always used
to its end, and the record keeps how many steps that made.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitok_lib.train.data import CropSampler

LOSS_FLOOR = 1e-4  # of the squared error in [-1, 1]: 46 dB, below which a crop counts as solved
WARMUP_STEPS = 50
GRADIENT_NORM = 1.0
KL_WEIGHT = 1e-6


@dataclass(frozen=True)
class CropPlan:
    """``share`` of the steps take ``count`` crops of ``size`` pixels."""

    share: float
    count: int
    size: int


@dataclass(frozen=True)
class Recipe:
    """One small tokenizer: its ``family`` (``vitok``, ``kl`` or ``pca``), ``architecture`` and training."""

    name: str
    family: str
    architecture: str
    crops: tuple[CropPlan, ...]
    learning_rate: float
    seed: int = 0


# Mostly small crops, since most of the gain is local; the large ones show the positions that a large image has.
_VITOK_CROPS = (CropPlan(0.70, 16, 128), CropPlan(0.18, 4, 256), CropPlan(0.09, 1, 512), CropPlan(0.03, 1, 768))
_VITOK_F32_CROPS = (CropPlan(0.60, 16, 256), CropPlan(0.30, 4, 512), CropPlan(0.10, 1, 1024))
_KL_CROPS = (CropPlan(0.9, 8, 64), CropPlan(0.1, 2, 128))

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("nano-f16x64", "vitok", "w192_d2_h3-w192_d4_h3/1x16x64", _VITOK_CROPS, 1e-3),
        Recipe("nano-f16x32", "vitok", "w192_d2_h3-w192_d4_h3/1x16x32", _VITOK_CROPS, 1e-3),
        Recipe("nano-f32x128", "vitok", "w192_d1_h3-w192_d4_h3/1x32x128", _VITOK_F32_CROPS, 1e-3),
        Recipe("nano-f32x64", "vitok", "w192_d1_h3-w192_d4_h3/1x32x64", _VITOK_F32_CROPS, 1e-3),
        Recipe("nano-kl-f8x16", "kl", "f8x16", _KL_CROPS, 1.5e-3),
        Recipe("nano-kl-f8x4", "kl", "f8x4", _KL_CROPS, 1.5e-3),
        # A baseline for each rate of the others: 12, 24 and 48 pixel values a latent value.
        Recipe("pca-f16x64", "pca", "f16x64", (), 0.0),
        Recipe("pca-f16x32", "pca", "f16x32", (), 0.0),
        Recipe("pca-f32x64", "pca", "f32x64", (), 0.0),
    )
}


@dataclass(frozen=True)
class Progress:
    """What the loop did: ``curve`` holds (step, seconds, mean loss since the last entry)."""

    steps: int
    seconds: float
    curve: list[tuple[int, float, float]]


def train(
    modules: list[nn.Module],
    forward: Callable[[Tensor], tuple[Tensor, Tensor]],
    recipe: Recipe,
    sampler: CropSampler,
    minutes: float,
    device: str,
    report: Callable[[str], None],
) -> Progress:
    """Train ``modules`` for ``minutes``.

    ``forward`` maps crops in [-1, 1] to their reconstruction and a regulariser, a scalar added to the loss.
    """
    optimizers, rates = _optimizers(modules, recipe.learning_rate)
    parameters = [parameter for module in modules for parameter in module.parameters()]
    choice = torch.Generator().manual_seed(recipe.seed)
    shares = torch.tensor([plan.share for plan in recipe.crops])
    curve: list[tuple[int, float, float]] = []
    recent: list[float] = []
    step, start = 0, time.monotonic()
    while (elapsed := time.monotonic() - start) < minutes * 60:
        scale = min(1.0, (step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * elapsed / (minutes * 60)))
        for optimizer, rate in zip(optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * scale
        plan = recipe.crops[int(torch.multinomial(shares, 1, generator=choice))]
        crops = sampler.batch(plan.count, plan.size).to(device)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            reconstruction, regulariser = forward(crops)
        squared_error = (reconstruction.float() - crops).square().flatten(1).mean(1)
        loss = torch.log(squared_error + LOSS_FLOOR).mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        (loss + regulariser.float()).backward()
        nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        recent.append(loss.item())
        if step % 200 == 0:
            curve.append((step, round(elapsed, 1), round(sum(recent) / len(recent), 4)))
            recent.clear()
            report(f"{recipe.name} step {step} {elapsed:.0f} s loss {curve[-1][2]:.4f}")
    return Progress(step, time.monotonic() - start, curve)


def _optimizers(modules: list[nn.Module], rate: float) -> tuple[list[torch.optim.Optimizer], list[float]]:
    """Muon (Jordan et al. 2024) for the blocks' matrices, AdamW for everything else."""
    named = [item for module in modules for item in module.named_parameters()]
    matrices = [parameter for name, parameter in named if parameter.ndim == 2 and "_blocks." in name]
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for _, parameter in named if id(parameter) not in chosen]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)]
    rates = [rate]
    if matrices:
        optimizers.append(torch.optim.Muon(matrices, lr=10 * rate, momentum=0.95, weight_decay=0.0))
        rates.append(10 * rate)
    return optimizers, rates
