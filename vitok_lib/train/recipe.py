"""The recipes of the small tokenizers: what each one is, and what it is trained on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CropPlan:
    """``share`` of the steps take ``count`` crops of ``size`` pixels."""

    share: float
    count: int
    size: int


@dataclass(frozen=True)
class Recipe:
    """One small tokenizer: its ``family`` (``vitok``, ``kl`` or ``pca``), ``architecture`` and training.

    ``learning_rate`` is AdamW's. A patch of 32 pixels wants a small one, since most of its components have small
    weights.
    """

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
        Recipe("nano-f32x128", "vitok", "w128_d1_h2-w128_d4_h2/1x32x128", _VITOK_F32_CROPS, 1e-4),
        Recipe("nano-f32x64", "vitok", "w128_d1_h2-w128_d4_h2/1x32x64", _VITOK_F32_CROPS, 1e-4),
        Recipe("nano-kl-f8x16", "kl", "f8x16", _KL_CROPS, 1.5e-3),
        # A baseline for each rate of the others: 12, 24 and 48 pixel values a latent value.
        Recipe("pca-f16x64", "pca", "f16x64", (), 0.0),
        Recipe("pca-f16x32", "pca", "f16x32", (), 0.0),
        Recipe("pca-f32x64", "pca", "f32x64", (), 0.0),
    )
}
