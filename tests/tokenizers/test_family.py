"""How good the shipped weights are, on photographs that no training has seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.stats import ttest_1samp

from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.quality.evaluate import reconstruct_pixels
from vitok_lib.metrics.pixel import psnr
from vitok_lib.project import ROOT
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import describe

RESOLUTION = 256
RECORDS = ROOT / "results" / "cpu" / "wallpapers-1024"
SHOWN = sorted(
    {
        name.strip()
        for run in yaml.safe_load((ROOT / "profiles" / "cpu.yml").read_text(encoding="utf-8"))
        for name in run["parameters"].get("tokenizers", "").split(",")
        if name.strip().startswith("nano-")
    }
)
"""The learned tokenizers in the tables of the CPU profile."""
BASELINES = {describe(name).compression_ratio: name for name in ("pca-f16x64", "pca-f16x32", "pca-f32x64")}


@cache
def _mean_psnr(name: str) -> float:
    photographs, tokenizer = open_image_set("photos"), load_tokenizer(name)
    values = []
    for photograph in photographs.names():
        pixels = photographs.load(photograph, RESOLUTION)
        pair = (
            torch.from_numpy(image.copy()).movedim(-1, 0) for image in (pixels, reconstruct_pixels(tokenizer, pixels))
        )
        values.append(psnr(*pair))
    return float(np.mean(values))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("nano-f16x64", "pca-f16x64"),
        ("nano-f16x64", "nano-f16x32"),
        ("nano-f16x64", "nano-f32x64"),
        ("nano-f32x128", "nano-f32x64"),
    ],
)
def test_held_out_photographs_come_back_better(better: str, worse: str) -> None:
    above, below = _mean_psnr(better), _mean_psnr(worse)
    assert above > below, f"{better} has {above:.2f} dB, {worse} has {below:.2f} dB"


@pytest.mark.parametrize("name", SHOWN)
def test_a_learned_tokenizer_that_the_tables_show_beats_pca_at_its_own_rate(name: str) -> None:
    """On at least 20 photographs, by the paired interval of the committed records."""
    baseline = BASELINES[describe(name).compression_ratio]
    learned, linear = (pd.read_parquet(RECORDS / f"{each}.parquet").set_index("image") for each in (name, baseline))
    assert list(learned.index) == list(linear.index)
    difference = (learned.psnr - linear.psnr).to_numpy()
    low, high = ttest_1samp(difference, 0).confidence_interval(0.95)
    assert len(difference) >= 20
    assert low > 0, f"{name} - {baseline}: {difference.mean():+.2f} dB [{low:.2f}, {high:.2f}]"


def test_the_weights_travel_in_24_megabytes() -> None:
    """All weights together; a host without network gets them by copy."""
    sizes = [file.stat().st_size for file in (ROOT / "vitok_lib" / "weights").rglob("*.safetensors")]
    assert sum(sizes) <= 24e6
    assert max(sizes) <= 6e6
