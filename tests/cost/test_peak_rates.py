"""Peak rates: units, what is refused, and which records they are read from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.machines import write_peak_rates
from vitok_lib.cost.peak_rates import PeakRates, recorded_peak_rates
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import (
    Host,
)


@pytest.mark.parametrize("name", ["matmul", "copy", "attention"])
def test_a_rate_of_zero_is_refused(name: str) -> None:
    rates = {"matmul": 1.0, "copy": 1.0, "attention": 1.0} | {name: 0.0}
    with pytest.raises(RequestError, match=f"peak rate '{name}' \\(=0\\) must be above 0"):
        PeakRates(**rates)


def _record(
    *,
    machine: str,
    day: int,
    matmul: float,
    device: str = "cuda",
    dtype: str = "bfloat16",
    precision: str | None = None,
) -> None:
    host = Host(cpu="a cpu", cores=2, memory_gib=8, gpu=machine, platform="Linux x86_64", python="3.12", packages={})
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    write_peak_rates(host, matmul, 4300, device=device, dtype=dtype, precision=precision, started=started)


def test_recorded_peak_rates_are_the_newest_of_the_kind_the_dtype_and_the_precision() -> None:
    assert recorded_peak_rates("cuda", "bfloat16") is None
    _record(machine="old", day=1, matmul=300)
    _record(machine="new", day=2, matmul=790)
    _record(machine="new", day=1, matmul=700)
    _record(machine="new", day=3, matmul=50, dtype="float32")
    _record(machine="other", day=4, matmul=1, device="cpu")
    assert recorded_peak_rates("cuda", "bfloat16") == (PeakRates(790e12, 4.3e12, 790e12), "new")
    assert recorded_peak_rates("cuda", "bfloat16", machine="old") == (PeakRates(300e12, 4.3e12, 300e12), "old")
    assert recorded_peak_rates("cuda", "bfloat16", "fp8") is None
    assert recorded_peak_rates("cuda", "float16") is None
    _record(machine="new", day=1, matmul=1300, precision="fp8")
    assert recorded_peak_rates("cuda", "bfloat16", "fp8") == (PeakRates(1300e12, 4.3e12, 790e12), "new")
    assert recorded_peak_rates("cuda", "bfloat16", "fp8", machine="old") is None


def test_a_rate_for_8_bits_tells_nothing_where_the_same_machine_has_none_for_attention() -> None:
    _record(machine="new", day=1, matmul=1300, precision="fp8")
    _record(machine="old", day=1, matmul=300)
    assert recorded_peak_rates("cuda", "bfloat16", "fp8") is None
