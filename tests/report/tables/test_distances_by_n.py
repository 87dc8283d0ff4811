"""The table of distances over random subsets of several n."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.reading import heads, numbers
from tests.fakes.records import measured_record, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Interval, Kind, Value
from vitok_lib.records.store import record_path, write_record
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.distances_by_n import distances_by_n_table


def _values() -> tuple[Value, ...]:
    found = []
    for metric, level in (("fd-random", 2.0), ("kid-random", 1.0)):
        for n in (16, 8):
            for name, value, interval in (
                (metric, level + 4 / n, Interval(low=level, high=level + 8 / n, method="quantiles")),
                (f"{metric}-sd", 1 / n, None),
            ):
                quantity = f"{name}:n={n}"
                found.append(Value(quantity=quantity, value=value, unit="", kind=Kind.MEASURED, n=n, interval=interval))
    return tuple(found)


def test_a_row_for_each_n_and_a_mean_with_its_interval_for_each_distance(results: Path) -> None:
    record = measured_record("pca-f16x64", "how-many-random-256", {"psnr": [20.0, 21.0]})
    record = record.model_copy(update={"values": _values(), "samples": None})
    write_record(record, record_path("cpu", record.benchmark, record.resolution, "pca-f16x64"))
    table = distances_by_n_table(load(), "how-many-random-256")
    assert heads(table)[2::2] == ["FD, random network: mean", "KID, random network: mean"]
    assert [plain(row[1]) for row in table.rows] == ["8", "16"]
    of_eight, of_sixteen = ["2.5", "0.125", "1.5", "0.125"], ["2.25", "0.0625", "1.25", "0.0625"]
    assert [number.text for number in numbers(table)] == of_eight + of_sixteen
    assert [number.interval for number in numbers(table)][:3] == ["[2, 3]", None, "[1, 2]"]


def test_a_case_without_such_distances_is_refused(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", "challenge-384", {"psnr": [20.0, 21.0]})
    with pytest.raises(RequestError, match="no record of 'challenge-384' holds a distance"):
        distances_by_n_table(load(), "challenge-384")
