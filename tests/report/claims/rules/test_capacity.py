"""What fits a GPU: all confirm, one refutes, and any larger size that fits shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.claims import evaluated
from tests.fakes.released import machine_record, write_machine
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.report.claims.verdict import Verdict

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
    tiled = machine_record("sd", "memory", 8192, {"model_peak": 9.0}, settings={"tiling": True})
    write_machine(results, tiled, "tiling")
    assert evaluated("baselines-from-4096").verdict == REFUTED
    assert evaluated("sd-at-4096").verdict == REFUTED, "what fits at 8192 px fits at 4096"
    assert evaluated("flux-at-4096").verdict == CONFIRMED


def test_a_smaller_card_that_was_emulated_says_nothing(results: Path) -> None:
    write_machine(results, oom("flux", 4096, memory_limit_gib=24.0), "limit=24GiB")
    assert evaluated("flux-at-4096").verdict == NOT_MEASURED


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
