"""The least time of a plan: the work at the peak rates on record, where they bound it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.fakes.machines import write_peak_rates
from vitok_lib.measure.predict.plan import as_row, plan_of
from vitok_lib.records.config import RunConfig
from vitok_lib.records.provenance import describe_host
from vitok_lib.records.schema import (
    Host,
)

GPU = Host(cpu="c", cores=2, memory_gib=8, gpu="a GPU", platform="Linux", python="3.12")


def test_the_least_time_is_the_work_at_the_peak_rates_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked: dict[str, Any] = {"device": "cuda", "dtype": "bfloat16", "window": 1024}
    row = as_row(plan_of(RunConfig(name="5B-f16x64", **asked), 8192))
    assert (row["least s encode"], row["least s decode"]) == ("", "")
    write_peak_rates(GPU, 790, 4300)
    plan = plan_of(RunConfig(name="5B-f16x64", **asked), 8192)
    assert plan.least_seconds is not None
    assert 1e3 * sum(plan.least_seconds) == pytest.approx(3681, rel=0.001)
    assert plan.peak_rates is not None
    assert plan.peak_rates[1] == "a GPU"
    assert as_row(plan)["least s decode"] == f"{plan.least_seconds[1]:.3g}"
    assert plan_of(RunConfig(name="5B-f16x64", **asked, precision="fp8"), 8192).least_seconds is None
    write_peak_rates(GPU, 1300, 4300, precision="fp8")
    in_8_bits = plan_of(RunConfig(name="5B-f16x64", **asked, precision="fp8"), 8192).least_seconds
    assert in_8_bits is not None
    assert 1e3 * sum(in_8_bits) == pytest.approx(2618e15 / 1300e12 + 290e15 / 790e12, rel=0.001)


def test_of_a_small_image_the_least_time_is_that_of_reading_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    write_peak_rates(GPU, 790, 4300)
    plan = plan_of(RunConfig(name="5B-f16x64", device="cuda", dtype="bfloat16"), 64)
    assert plan.least_seconds is not None
    assert plan.weight_bytes is not None
    assert sum(plan.least_seconds) == pytest.approx((plan.weight_bytes + 2 * 2 * 3 * 64**2) / 4.3e12)


@pytest.mark.parametrize(
    ("name", "dtype", "known"),
    [("flux", "bfloat16", True), ("flux", "float32", False), ("pca-f16x64", "float32", True), ("jpeg:q=75", "", False)],
)
def test_there_is_no_least_time_where_the_peak_rates_do_not_bound(
    name: str, dtype: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU a convolution in float32 has fewer bits than the product that was measured."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for measured in ("bfloat16", "float32"):
        write_peak_rates(GPU, 100, 1000, dtype=measured)
    plan = plan_of(RunConfig(name=name, device="cuda", dtype=dtype or "float32"), 256)
    assert (plan.least_seconds is not None) is known


def test_the_peak_rates_of_another_machine_say_nothing_of_this_one() -> None:
    write_peak_rates(GPU, 1, 10, device="cpu", dtype="float32")
    assert plan_of(RunConfig(name="nano-f16x64"), 256).least_seconds is None
    write_peak_rates(describe_host("cpu"), 1, 10, device="cpu", dtype="float32")
    assert plan_of(RunConfig(name="nano-f16x64"), 256).least_seconds is not None
