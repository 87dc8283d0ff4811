"""What fits a GPU: all confirm, one refutes, any larger size that fits shows it, and a plan decides where none ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.claims import evaluated
from tests.fakes.released import machine_record, write_machine
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus
from vitok_lib.report.claims.verdict import Verdict
from vitok_lib.report.page.content import plain

CONFIRMED, REFUTED = Verdict.CONFIRMED, Verdict.REFUTED
NOT_COMPARABLE, NOT_MEASURED = Verdict.NOT_COMPARABLE, Verdict.NOT_MEASURED


def oom(name: str, resolution: int, **settings: Any) -> Any:
    return machine_record(name, "memory", resolution, {}, outcome=Outcome(status=OutcomeStatus.OOM), settings=settings)


def test_running_out_of_memory_is_confirmed_by_all_and_refuted_by_one(results: Path) -> None:
    write_machine(results, oom("flux", 4096))
    assert evaluated("flux-at-4096").verdict == CONFIRMED
    assert evaluated("baselines-from-4096").verdict == NOT_MEASURED, "nobody tried SD"
    write_machine(results, oom("sd", 4096))
    assert evaluated("baselines-from-4096").verdict == CONFIRMED
    tiled = machine_record("sd", "memory", 8192, {"weights": 0.2, "model_peak": 9.0}, settings={"tiling": True})
    write_machine(results, tiled, "tiling")
    assert evaluated("baselines-from-4096").verdict == REFUTED
    assert evaluated("sd-at-4096").verdict == REFUTED, "what fits at 8192 px fits at 4096"
    assert evaluated("flux-at-4096").verdict == CONFIRMED
    assert "in tiles takes 9" in plain(evaluated("sd-at-4096").correction), "the peak, not the weights"


def plan(results: Path, name: str, resolution: int, peak: float, **settings: Any) -> None:
    record = machine_record(
        name, "fits", resolution, {"predicted_peak": peak / 2, "peak_with_margin": peak}, settings=settings
    )
    values = [value.model_copy(update={"kind": Kind.DERIVED, "unit": "GiB"}) for value in record.values]
    record = record.model_copy(update={"values": tuple(values), "outcome": Outcome(kind=Kind.DERIVED)})
    write_machine(results, record, ",".join(settings), study="derived")


def test_a_plan_decides_against_80_gb_and_gives_way_to_a_run(results: Path) -> None:
    plan(results, "flux", 8192, 74.6)  # 80 GB are 74.5 GiB
    assert evaluated("flux-at-8192").verdict == NOT_MEASURED
    plan(results, "flux", 8192, 4.5, tiling=True)
    found = evaluated("flux-at-8192")
    assert (found.verdict, found.basis) == (REFUTED, "arithmetic")
    assert found.discrepancy is not None
    assert (found.discrepancy.claimed, found.discrepancy.found) == (pytest.approx(80e9 / 2**30), 4.5)
    write_machine(results, machine_record("flux", "memory", 8192, {"model_peak": 9.0}, settings={"tiling": True}))
    assert evaluated("flux-at-8192").basis == "measurement"
    assert "predicted" not in plain(evaluated("flux-at-8192").correction)


def test_a_plan_is_no_run(results: Path) -> None:
    plan(results, "5B-f16x64", 8192, 21.6, window=1024)
    assert evaluated("vitok-at-8192").basis == "arithmetic"


def test_a_smaller_card_that_was_emulated_says_nothing(results: Path) -> None:
    write_machine(results, oom("flux", 4096, memory_limit_gib=24.0), "limit=24GiB")
    assert evaluated("flux-at-4096").verdict == NOT_MEASURED


def on(gpu: str, record: Any) -> Any:
    host = record.provenance.host.model_copy(update={"gpu": gpu})
    return record.model_copy(update={"provenance": record.provenance.model_copy(update={"host": host})})


def test_a_smaller_gpu_that_ran_out_says_nothing(results: Path) -> None:
    write_machine(results, on("NVIDIA GeForce RTX 4090", oom("flux", 4096)))
    assert evaluated("flux-at-4096").verdict == NOT_MEASURED
    write_machine(results, on("NVIDIA H200", oom("flux", 4096)))
    assert evaluated("flux-at-4096").verdict == CONFIRMED


@pytest.mark.parametrize(("peak", "verdict"), [(74.4, REFUTED), (74.6, NOT_MEASURED)])
def test_a_run_that_took_more_than_80_gb_is_held_by_no_gpu_of_80_gb(
    results: Path, peak: float, verdict: Verdict
) -> None:
    record = machine_record("flux", "memory", 8192, {"model_peak": peak})  # 80 GB are 74.5 GiB
    write_machine(results, on("NVIDIA H200", record))
    assert evaluated("flux-at-8192").verdict == verdict
    plan(results, "flux", 8192, 4.5, tiling=True)
    assert evaluated("flux-at-8192").verdict == REFUTED
    holds = plain(evaluated("flux-at-8192").correction).partition("but not")[0]
    assert (str(peak) in holds) == (verdict == REFUTED)


@pytest.mark.parametrize(("gpu", "verdict"), [("NVIDIA H100 80GB HBM3", REFUTED), ("NVIDIA H200", NOT_MEASURED)])
def test_a_run_of_an_unknown_peak_may_have_taken_all_of_its_gpu(results: Path, gpu: str, verdict: Verdict) -> None:
    write_machine(results, on(gpu, machine_record("flux", "speed", 8192, {"latency": 900.0})))
    assert evaluated("flux-at-8192").verdict == verdict


def test_the_largest_size_that_fits_shows_what_goes_through(results: Path) -> None:
    write_machine(results, machine_record("flux", "capacity", 16384, {"largest_resolution": 3000.0}))
    assert evaluated("flux-at-4096").verdict == NOT_MEASURED
    write_machine(results, machine_record("flux", "capacity", 16384, {"largest_resolution": 6000.0}))
    assert evaluated("flux-at-4096").verdict == REFUTED
    assert evaluated("flux-at-8192").verdict == NOT_MEASURED


def test_vitok_at_8192(results: Path) -> None:
    assert evaluated("vitok-at-8192").verdict == NOT_MEASURED
    write_machine(results, oom("5B-f16x64", 8192))
    assert evaluated("vitok-at-8192").verdict == REFUTED
    write_machine(results, machine_record("5B-f16x64", "speed", 8192, {"latency": 5000.0}, settings={"window": 64}))
    assert evaluated("vitok-at-8192").verdict == CONFIRMED
