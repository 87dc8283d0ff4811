"""Tables that a notebook shows hold what the records hold, and a damaged file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.records.store import read_record
from vitok_lib.report.notebook import values_by_image


def test_the_values_of_single_images_are_those_of_the_record_beside_them(results: Path) -> None:
    path = write_measured(results, "cpu", "jpeg:q=75", "photos-512", {"psnr": [30.0, 31.5]}, settings="batch=1.5")
    record = read_record(path)
    assert values_by_image([record], "psnr", "cpu").loc["jpeg:q=75"].tolist() == [30.0, 31.5]
    path.with_suffix(".parquet").write_bytes(b"PAR1")
    with pytest.raises(RequestError, match=r"of record 'jpeg.* cannot be read"):
        values_by_image([record], "psnr", "cpu")
