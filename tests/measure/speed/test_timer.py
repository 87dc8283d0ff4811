"""Timing a call, warming up, and what timings say, against closed forms."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import binom

from vitok_lib.measure.speed import timer as clock_module
from vitok_lib.measure.speed.state import BenchmarkState
from vitok_lib.measure.speed.timer import MOST_WARM_UPS, Clock, median, median_interval, percentile_95, warm_up
from vitok_lib.records.config import RunConfig


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


class _Gpu:
    """Stands for the GPU: logs what is asked of it, and takes 7 ms for everything between two events."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[str] = []
        self._names = itertools.cycle(["begin", "end"])
        monkeypatch.setattr(torch.cuda, "device", lambda device: self)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: self.log.append("synchronise"))
        monkeypatch.setattr(torch.cuda, "Event", self._event)

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


def test_the_frequency_is_the_one_that_torch_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "clock_rate", {"cuda:1": 1980, "cuda": 1755}.get)
    assert [Clock(device).frequency() for device in ("cuda:1", "cuda", "cpu")] == [1980.0, 1755.0, None]


@pytest.mark.parametrize("error", [ModuleNotFoundError("nvidia-ml-py"), RuntimeError("no driver"), KeyError("MIG")])
def test_without_package_or_driver_there_is_no_frequency(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(device: str) -> int:
        raise error

    monkeypatch.setattr(torch.cuda, "clock_rate", refuse)
    assert Clock("cuda").frequency() is None


def test_without_nvidia_ml_py_torch_itself_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "_HAS_PYNVML", False)
    assert Clock("cuda").frequency() is None


def test_the_frequency_of_a_round_is_read_while_work_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that slows down as soon as it is waited for."""
    clock = {"MHz": 345}
    monkeypatch.setattr(torch.cuda, "clock_rate", lambda device: clock["MHz"])
    config = RunConfig(name="w32_d2_h2/8x6", device="cuda", weights="random")
    state = BenchmarkState(config, 32, 32, "speed", "local")

    def timed(images: torch.Tensor, _: Clock) -> tuple[float, float]:
        clock["MHz"] = 345
        return 1.0, 2.0

    state.tokenizer = SimpleNamespace(encode=lambda images: clock.update(MHz=1980))
    monkeypatch.setattr(state, "timed", timed)
    state.time_round(4, torch.zeros(1), Clock("cuda"), calls=2)
    samples = [(sample.number, sample.stage, sample.milliseconds, sample.clock_mhz) for sample in state.samples]
    assert samples == 2 * [(4, "encode", 1.0, 1980.0), (4, "decode", 2.0, 1980.0)]
