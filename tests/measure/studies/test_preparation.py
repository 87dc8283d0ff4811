"""What a core takes for an image: the file that is read, and the record that keeps the seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.images import write_noise
from vitok_lib.cost.study_time import PREPARED_SIDES
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.studies import preparation
from vitok_lib.records.config import RunConfig


def test_a_mirrored_image_keeps_its_pixels_and_fills_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "SOURCE", (3, 5))
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    filled = preparation.mirrored(image)
    assert filled.shape == (3, 5, 3)
    rows, columns = [0, 1, 1], [0, 1, 1, 0, 0]  # each edge comes twice
    assert np.array_equal(filled, image[rows][:, columns])


def test_a_record_holds_seconds_of_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(preparation, "SOURCE", (200, 300))
    write_noise(tmp_path / "noise", [(240, 160)] * 2)
    config = RunConfig(name="jpeg:q=50")
    record = preparation.measure_preparation(config, images=tmp_path / "noise", resolution=240)
    held = {value.quantity: value for value in record.values}
    assert set(held) == {
        *("source_file", "codec_1024"),
        *(f"prepare_{side}" for side in PREPARED_SIDES),
    }
    assert held["source_file"].value == pytest.approx(0.18, rel=0.1), "noise does not compress: 3 bytes a pixel"
    assert all(value.value > 0 and value.n == 2 for value in record.values)
    assert record.provenance is not None
    assert parse(record.provenance.command).what == "measure_preparation"
