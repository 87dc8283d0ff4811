"""Peak rates: FLOPs and bytes over a time that is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from vitok_lib.measure.speed import peak_rates
from vitok_lib.measure.speed.peak_rates import measure_peak_rates
from vitok_lib.measure.speed.timer import Clock

SIDE, BYTES = 64, 2**12


class FixedClock(Clock):
    """Every call takes 5 ms; keeps what the calls gave."""

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        result = call()
        given.append(result)
        return result, 5.0


given: list[torch.Tensor] = []


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak_rates, "CPU_SIDE", SIDE)
    monkeypatch.setattr(peak_rates, "CPU_COPY_BYTES", BYTES)
    given.clear()


def test_a_rate_is_flops_over_time() -> None:
    rates = measure_peak_rates(["float32", "bfloat16", "float32"], FixedClock("cpu"), 0, iterations=4)
    product = pytest.approx(2 * SIDE**3 / 5e-3)
    assert rates == {"float32": product, "bfloat16": product, "copy": pytest.approx(2 * BYTES / 5e-3)}
    assert len(given) == 3 * (2 + 4)  # two products and a copy, each with two calls that do not count


def test_it_goes_on_for_as_long_as_asked() -> None:
    measure_peak_rates([], FixedClock("cpu"), seconds=0.1, iterations=4)
    assert len(given) == 2 + 20


def test_the_data_is_random() -> None:
    measure_peak_rates(["float32", "fp8"], FixedClock("cpu"), 0, iterations=1)
    for result in (given[0], given[3]):
        assert result.float().std() == pytest.approx(SIDE**0.5, rel=0.3)  # a sum of 64 products of normal numbers
    assert given[3].dtype == torch.bfloat16
    assert given[-1].unique().numel() > 200


def test_8_bit_floats_are_scaled_by_row_and_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(torch, "_scaled_mm", lambda *matrices, **options: asked.update(options, matrices=matrices))
    measure_peak_rates(["fp8"], FixedClock("cpu"), 0, iterations=1)
    a, b = asked["matrices"]
    assert (a.dtype, b.dtype) == (torch.float8_e4m3fn, torch.float8_e4m3fn)
    assert (a.stride(), b.stride()) == ((SIDE, 1), (1, SIDE))
    assert (asked["scale_a"].shape, asked["scale_b"].shape) == ((SIDE, 1), (1, SIDE))
