"""Repeated passes, with tokenizers whose passes have a closed form."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import Tensor

from tests.fakes.tokenizers import Identity, Offset
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.studies import drift
from vitok_lib.measure.studies.drift import measure_drift
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.interface import Tokenizer

CONFIG = RunConfig(name="jpeg:q=50")


class Blowing(Identity):
    """Gives infinity from the third pass on."""

    def decoded(self, images: Tensor) -> Tensor:
        return images + (math.inf if self.calls > 2 else 0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for index in range(2):
        pixels = np.full((16, 20, 3), 100 + index, np.uint8)
        pixels[:, :10] = (90, 60, 200)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    return tmp_path


def _measured(images: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer) -> Record:
    monkeypatch.setattr(drift, "_STUDY", replace(drift._STUDY, load=lambda config: tokenizer))
    return measure_drift(CONFIG, images=images, resolution=32)


def _value(record: Record, quantity: str) -> float:
    value = record.value(quantity)
    assert value is not None
    return value.value


def test_each_pass_begins_with_the_rounded_image_of_the_one_before(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = _measured(images, monkeypatch, Offset(1.2))  # which rounding turns into one level a pass
    for passes in (1, 2, 4, 8):
        assert _value(record, f"psnr_{passes}") == pytest.approx(20 * math.log10(255 / passes), abs=1e-9)
        assert _value(record, f"delta-l_{passes}") > 0
    assert _value(record, "psnr_loss") == pytest.approx(20 * math.log10(8), abs=1e-9)
    assert _value(record, "ciede2000_8") > _value(record, "ciede2000_1") > 0


def test_a_value_that_is_not_finite_after_some_passes_is_an_outcome(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = _measured(images, monkeypatch, Blowing())
    assert record.outcome.status is OutcomeStatus.NON_FINITE
    assert record.outcome.failed == 2
    assert "100 % of the values of the reconstruction (float32) are not finite" in (record.outcome.detail or "")
    assert record.values == ()


def test_the_record_keeps_each_image_and_a_command_that_measures_the_same(images: Path) -> None:
    record = measure_drift(CONFIG, images=images, resolution=32, samples=1)
    assert record.provenance is not None
    again = parse(record.provenance.command)
    assert (again.what, again.configs, again.request["samples"]) == ("measure_drift", (CONFIG,), 1)
    (path,) = results_root().rglob("*.parquet")
    table = pd.read_parquet(path)
    assert table.psnr_loss[0] == pytest.approx(table.psnr_1[0] - table.psnr_8[0])
    assert _value(record, "psnr_loss") == table.psnr_loss[0]
