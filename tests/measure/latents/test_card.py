"""The card of tokenizers whose latent is known, and the record of one that ships."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.fakes.images import write_noise
from tests.fakes.patches import Mixed, Patches
from vitok_lib.errors import RequestError
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.latents import card
from vitok_lib.measure.latents.card import Card, measure_latents
from vitok_lib.measure.latents.spectrum import effective_rank
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.interface import Latent, Tokenizer

SIDE = 160


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(SIDE, SIDE), (128, SIDE), (SIDE, 128)])


def as_config(monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer) -> RunConfig:
    """A configuration whose loading gives ``tokenizer``."""
    monkeypatch.setattr(card, "load", lambda config: tokenizer)
    return RunConfig(name="pca-f16x64")


def test_the_moments_are_those_of_a_latent_of_known_covariance(images: Path) -> None:
    """Pixels of noise are independent and of one variance s², so that A·x + b has the covariance s²·A·Aᵀ."""
    matrix = torch.randn(12, 12, generator=torch.Generator().manual_seed(0)) + 2 * torch.eye(12)
    held = Card(Mixed(2, matrix, shift=1000.0), "cpu", open_image_set(images), SIDE, None)
    variance = (256**2 - 1) / 12 / 127.5**2  # of levels that are uniform on 0 to 255, in [-1, 1]
    expected = variance * (matrix @ matrix.T).numpy()
    assert held.moments.count == 80 * 80 + 2 * 64 * 80
    assert held.moments.covariance == pytest.approx(expected, abs=0.05 * float(np.abs(expected).max()))
    values = {value.quantity: value for value in held.values()}
    rank = values["effective_rank"]
    true = effective_rank(np.linalg.eigvalsh(matrix.numpy() @ matrix.numpy().T))
    assert rank.value == pytest.approx(true, rel=0.02)
    assert values["latent_mean"].value == pytest.approx(1000, abs=0.1)
    assert values["implied_scale"].value == pytest.approx(1 / math.sqrt(np.trace(expected) / 12), rel=0.02)


def test_a_card_is_kept_with_its_command_its_arrays_and_the_values_of_each_image(images: Path) -> None:
    config = RunConfig(name="pca-f16x64")
    record = measure_latents(config, images=images, resolution=SIDE)
    assert record.outcome.status is OutcomeStatus.OK
    assert parse(record.provenance.command).configs == (config,)
    assert record.benchmark == f"latents-{record.images.name}"
    arrays = record.arrays
    assert len(arrays["channel_std"]) == len(arrays["eigenvalues"]) == 64
    assert len(arrays["power_latent"]) == 14
    assert record.value("shift_whole_loss").value == 0, "PCA codes each patch by itself"
    table = pd.read_parquet(next(results_root().rglob("*.parquet")))
    assert table["noise_30_psnr"].mean() == pytest.approx(record.value("noise_30_psnr").value)
    assert table["midpoint_psnr"].notna().tolist() == [False, True, False]
    assert measure_latents("pca-f16x64", images=images, resolution=SIDE) == record, "answered from the record"


def test_a_linear_tokenizers_midpoint_costs_nothing(images: Path) -> None:
    record = measure_latents("pca-f16x64", images=images, resolution=SIDE, samples=2)
    assert record.value("midpoint_psnr").value > record.value("noise_0_psnr").value


def test_small_latents_have_what_needs_no_block_and_no_inner_part(images: Path) -> None:
    record = measure_latents("pca-f16x64", images=images, resolution=64)
    held = {value.quantity for value in record.values}
    assert {"latent_std", "noise_100_psnr", "image_high_frequency"} <= held
    assert not {"latent_high_frequency", "shift_half_psnr"} & held


class Broken(Patches):
    """Gives the latent that a test asks for."""

    def __init__(self, values: Any) -> None:
        super().__init__(2)
        self.values = values

    def encode(self, images: torch.Tensor) -> Latent:
        return Latent(self.values(super().encode(images).values), images.shape[2], images.shape[3])


@pytest.mark.parametrize(
    ("values", "status", "said"),
    [
        (
            lambda grid: grid.flatten(1, 2),
            OutcomeStatus.UNSUPPORTED,
            "needs floating numbers [B, rows, columns, channels]",
        ),
        (lambda grid: (grid * 100).round().long(), OutcomeStatus.UNSUPPORTED, "int64"),
    ],
)
def test_a_latent_without_rows_and_columns_of_numbers_is_unsupported(
    images: Path, monkeypatch: pytest.MonkeyPatch, values: Any, status: OutcomeStatus, said: str
) -> None:
    record = measure_latents(as_config(monkeypatch, Broken(values)), images=images, resolution=SIDE)
    assert record.outcome.status is status
    assert said in record.outcome.detail
    assert record.arrays is None


def test_a_latent_that_is_not_finite_in_one_image_is_said_and_leaves_the_others(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(grid: torch.Tensor) -> torch.Tensor:
        return grid / 0 if grid.shape[1:3] == (80, 80) else grid

    record = measure_latents(as_config(monkeypatch, Broken(spoilt)), images=images, resolution=SIDE)
    assert record.outcome.status is not OutcomeStatus.OK
    assert (record.outcome.done, record.outcome.total) == (2, 3)
    assert record.value("latent_std").n == 2
    assert all(map(math.isfinite, record.arrays["channel_std"]))


@pytest.mark.parametrize("name", ["jpeg:q=75", "folder:/nowhere"])
def test_codecs_and_folders_are_refused_in_a_sentence(name: str, images: Path) -> None:
    with pytest.raises(RequestError, match=f"'{name}' has no latent of numbers"):
        measure_latents(name, images=images, resolution=64)
