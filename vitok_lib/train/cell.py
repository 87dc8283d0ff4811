"""One cell of the depth grid: a small ViTok of given depths, trained from one seed within a budget of FLOPs.

Every cell has the same width, latent, crops and learning rate, so that depth alone differs, and with it the number of
steps that the budget pays for. Trainings of one seed see the same crops in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from vitok_lib.cost.flops import vitok_flops
from vitok_lib.errors import RequestError
from vitok_lib.records.config import block_counts
from vitok_lib.tokenizers.vitok.variant import parse_variant
from vitok_lib.train import checkpoint
from vitok_lib.train.build import Built, build
from vitok_lib.train.data import TrainingImages
from vitok_lib.train.recipe import CropPlan, Recipe

CROPS = CropPlan(1.0, 4, 128)
LEARNING_RATE = 1e-3
PASSES = 3
"""Forward passes that a training step is worth: backward has two matrix products for each of forward (Kaplan et al.
2020, section 2.1). The optimizer is left out."""


def architecture(blocks: str) -> str:
    """The variant of a cell, of which ``blocks`` gives the depths of encoder and decoder, such as ``2/4``.

    Raises:
        RequestError: it is no such text, or a depth is 0.
    """
    encoder, decoder = block_counts(blocks)
    if 0 in (encoder, decoder):
        raise RequestError(f"cell '{blocks}' has a side without blocks; give each side 1 or more, such as 2/4")
    return f"w64_d{encoder}_h2-w64_d{decoder}_h2/1x8x16"


def flops_of_a_step(variant: str) -> int:
    """FLOPs of forward and backward over one batch of :data:`CROPS`."""
    return PASSES * vitok_flops(parse_variant(variant), CROPS.size, CROPS.size, batch=CROPS.count).total


def steps_within(variant: str, flops: float) -> int:
    """The steps that come nearest to a budget of ``flops``.

    Raises:
        RequestError: it does not pay for one.
    """
    each = flops_of_a_step(variant)
    if not each <= flops < float("inf"):
        raise RequestError(
            f"a budget of {flops:g} FLOPs must pay for 1 or more steps of {variant}, each {each:g} FLOPs"
        )
    return round(flops / each)


def state_file(folder: Path, variant: str, seed: int) -> Path:
    """Where a training keeps its state."""
    return folder / f"{variant.replace('/', '_')}-seed{seed}.pt"


def begun(variant: str, seed: int, images: TrainingImages, device: str) -> Built:
    """The ViTok of a cell before its first step: the principal components, whatever its depths."""
    return build(Recipe(f"{variant} seed {seed}", "vitok", variant, (CROPS,), LEARNING_RATE, seed), images, device)


def train(
    built: Built, flops: float, images: TrainingImages, device: str, state: Path, log: Callable[[str], None]
) -> None:
    """Take the steps that ``flops`` pay for, of ``built`` as it has begun; the state stays in a file also at the end.

    Raises:
        RequestError: the budget is below one step, or the state is damaged or of another training.
    """
    training = built.training
    assert training is not None  # a ViTok has no closed form
    recipe = training.recipe
    steps = steps_within(recipe.architecture, flops)
    run = {
        "recipe": repr(recipe),
        "steps": steps,
        "device": device,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "training images": images.sha256[:12],
    }
    checkpoint.resume(state, run, training)
    log(f"{recipe.name}: step {training.step} of {steps}")
    checkpoint.finish(training, steps, state, run, log)
