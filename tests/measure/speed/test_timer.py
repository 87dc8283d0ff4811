"""Timing a call, warming up, and what timings say, against closed forms."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binom

from vitok_lib.measure.speed import timer as clock_module
from vitok_lib.measure.speed.state import Conditions, Contender, Entrant
from vitok_lib.measure.speed.timer import MOST_WARM_UPS, Clock, median, median_interval, percentile_95, warm_up


@pytest.mark.parametrize("n", [6, 7, 10, 25, 71, 400])
def test_the_interval_of_the_median_is_the_narrowest_that_holds_95_percent(n: int) -> None:
    values = np.random.default_rng(n).permutation(n).astype(float)  # 0 … n − 1, so that a value is its rank
    interval = median_interval(values)
    assert interval is not None
    low, high = int(interval.low), int(interval.high)
    assert low + high == n - 1  # the same count of values is left out at both ends

    # The median is left out where at most ``low`` of n values fall below it, or at most ``low`` above.
    assert 1 - 2 * binom.cdf(low, n, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(low + 1, n, 0.5) < 0.95


def test_the_interval_of_the_median_holds_for_a_skewed_distribution() -> None:
    rng, held = np.random.default_rng(3), 0
    for _ in range(2000):
        interval = median_interval(rng.exponential(size=15))
        assert interval is not None
        held += interval.low <= np.log(2) <= interval.high
    assert 0.95 <= held / 2000 <= 0.98  # of fifteen values, closed form 96.5 %


@pytest.mark.parametrize("n", [0, 1, 5])
def test_few_timings_have_no_interval(n: int) -> None:
    assert median_interval([1.0] * n) is None


def test_median_and_percentile() -> None:
    assert median([4, 1, 3, 2]) == 2.5
    assert percentile_95(list(range(101))) == 95
    assert percentile_95([1.0]) == 1.0
    assert percentile_95([0, 10]) == pytest.approx(9.5)


def _warmed(timings: list[float], seconds: float = 1e9) -> list[float]:
    return warm_up(iter(timings).__next__, seconds)


def test_warming_up_ends_when_three_calls_agree() -> None:
    assert _warmed([900, 50, 10, 10.9, 10.2, 1]) == [900, 50, 10, 10.9, 10.2]


def test_warming_up_of_a_restless_machine_ends() -> None:
    assert len(_warmed([10.0 * (1 + index % 2) for index in range(100)])) == MOST_WARM_UPS


def test_warming_up_of_slow_calls_ends_after_two_beyond_the_first() -> None:
    assert _warmed([9000, 500, 700, 1], seconds=1) == [9000, 500, 700]


def test_a_cpu_is_timed_by_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 10.25])
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: next(ticks))
    assert Clock("cpu").time(lambda: "result") == ("result", 250.0)


def test_a_cpu_tells_no_frequency() -> None:
    with Clock("cpu").asking_frequency() as question:
        assert not question.waiting
        assert question.answer() is None


class _Gpu:
    """Stands for the GPU: logs what is asked of it, and takes 7 ms for everything between two events."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self._names = itertools.cycle(["begin", "end"])
        monkeypatch.setattr(torch.cuda, "device", lambda device: self)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: self.log.append("synchronise"))
        monkeypatch.setattr(torch.cuda, "Event", self._event)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1234"))

    def __enter__(self) -> None:
        self.log.append("enter")

    def __exit__(self, *error: object) -> None:
        self.log.append("exit")

    def _event(self, enable_timing: bool) -> SimpleNamespace:
        assert enable_timing
        name = next(self._names)
        return SimpleNamespace(
            record=lambda: self.log.append(f"record {name}"),
            synchronize=lambda: self.log.append(f"wait for {name}"),
            elapsed_time=lambda end: 7.0,
        )


def test_a_gpu_is_timed_by_events_once_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = _Gpu(monkeypatch)
    result, milliseconds = Clock("cuda:1").time(lambda: gpu.log.append("call"))
    assert milliseconds == 7.0
    assert result is None
    assert gpu.log == ["enter", "synchronise", "record begin", "call", "record end", "wait for end", "exit"]


def _driver(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """An ``nvidia-smi`` that runs ``script``, a line or more of Python."""
    _Gpu(monkeypatch)
    command = folder / "nvidia-smi"
    command.write_text(f"#!{sys.executable} -I\nimport pathlib, sys, time\n{script}\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("print(1980 if '--id=GPU-1234' in sys.argv else 0)", 1980.0),
        ("print('[N/A]')", None),
        ("sys.exit('no devices were found')", None),
    ],
)
def test_the_frequency_comes_from_the_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, expected: float | None
) -> None:
    _driver(monkeypatch, tmp_path, script)
    with Clock("cuda").asking_frequency() as question:
        assert question.answer() == expected
        assert not question.waiting


def test_without_a_driver_there_is_no_frequency(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _Gpu(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with Clock("cuda").asking_frequency() as question:
        assert not question.waiting
        assert question.answer() is None


def test_a_driver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clock_module, "PATIENCE", 0.05)
    _driver(monkeypatch, tmp_path, "time.sleep(60)")
    began = time.monotonic()
    with Clock("cuda").asking_frequency() as question:
        while question.waiting:
            pass
        assert question.answer() is None
    assert time.monotonic() - began < 10


def test_a_failure_while_the_driver_is_asked_ends_the_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _driver(monkeypatch, tmp_path, "time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(ValueError, match="a kernel's trouble"), Clock("cuda").asking_frequency():
        raise ValueError("a kernel's trouble")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("takes", [0.001, 1.0])
def test_the_frequency_of_a_round_is_that_of_a_gpu_at_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, takes: float
) -> None:
    """The driver looks while calls go on, whether one of them is shorter or longer than its answer takes."""
    _driver(monkeypatch, tmp_path, "time.sleep(0.1)\nprint(time.monotonic())")  # the moment at which it looked
    conditions = Conditions("speed", "local", 32, 32, 32, 1, "cuda", "float32", "random")
    entrant = Entrant(Contender("w32_d2_h2/8x6"), conditions)
    calls: list[tuple[float, float]] = []

    def timed(images: torch.Tensor, clock: Clock) -> tuple[float, float]:
        began = time.monotonic()
        time.sleep(takes)
        calls.append((began, time.monotonic()))
        return 1.0, 2.0

    monkeypatch.setattr(entrant, "timed", timed)
    entrant.take_round(4, torch.zeros(1), Clock("cuda"), calls=2)
    samples = [(sample.number, sample.stage, sample.milliseconds) for sample in entrant.samples]
    assert samples == 2 * [(4, "encode", 1.0), (4, "decode", 2.0)]  # those calls that keep it at work do not count
    (looked,) = {sample.clock_mhz for sample in entrant.samples}
    assert looked is not None
    assert calls[0][1] <= looked <= calls[-1][1]
    assert len(calls) == 2 or takes < 0.1
