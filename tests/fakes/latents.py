"""Invented latent cards for tests of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fakes.records import TOKENIZERS, write_measured
from vitok_lib.records.store import read_record, write_record

CASE = "latents-wallpapers-512"
QUANTITIES = (
    "latent_mean",
    "latent_std",
    "latent_kurtosis",
    "effective_rank",
    "dead_channels",
    "std_spread",
    "implied_shift",
    "implied_scale",
    "latent_high_frequency",
    "grid_high_frequency",
    "image_high_frequency",
    "shift_whole_loss",
    "shift_quarter_loss",
    "shift_half_loss",
    "half_scale_loss",
    "quarter_turns_loss",
    "noise_0_psnr",
    "noise_10_psnr",
    "noise_30_psnr",
    "noise_100_psnr",
    "midpoint_psnr",
    "midpoint_sharpness",
)


def write_latents(root: Path, names: tuple[str, ...] = ("nano-f16x64", "pca-f16x64")) -> None:
    """A card of each of ``names``: quantity after quantity has the values 1 and 2, 2 and 3, and so on."""
    for name in names:
        samples = {quantity: [1.0 + place, 2.0 + place] for place, quantity in enumerate(QUANTITIES)}
        path = write_measured(root, "cpu", name, CASE, samples)
        eigenvalues = tuple(0.5 ** np.arange(TOKENIZERS[name][2]))
        powers = {f"power_{kind}": tuple(2.0 - np.arange(14) / 10) for kind in ("latent", "grid", "image")}
        record = read_record(path)
        write_record(record.model_copy(update={"arrays": {"eigenvalues": eigenvalues, **powers}}), path)
