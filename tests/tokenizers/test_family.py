"""How good the shipped weights are, on photographs that no training has seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.quality.evaluate import reconstruct_pixels
from vitok_lib.metrics.pixel import psnr
from vitok_lib.tokenizers.load import load_tokenizer

RESOLUTION = 256


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
