"""Timing of single calls, and what a set of timings says: median, 95th percentile, an interval of the median."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from vitok_lib.metrics import statistics
from vitok_lib.records.schema import Interval

T = TypeVar("T")

STEADY_CALLS, STEADY_WITHIN, MOST_WARM_UPS = 3, 0.1, 10


@dataclass(frozen=True)
class Clock:
    """Times calls on ``device``: by CUDA events on a GPU, by the CPU's clock elsewhere."""

    device: str

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    def time(self, call: Callable[[], T]) -> tuple[T, float]:
        """What ``call`` returns, and the milliseconds until all of its work was done."""
        if not self.on_gpu:
            began = time.perf_counter()
            result = call()
            return result, (time.perf_counter() - began) * 1e3
        with torch.cuda.device(self.device):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begin.record()
            result = call()
            end.record()
            end.synchronize()
        return result, float(begin.elapsed_time(end))

    def frequency(self) -> float | None:
        """MHz of the GPU's multiprocessors now; None on a CPU, without nvidia-ml-py, or where the driver does not say.

        It falls as soon as the GPU is idle: ask while work is queued.
        """
        if not self.on_gpu:
            return None
        try:
            return float(torch.cuda.clock_rate(self.device))
        except Exception:  # no package, no driver, a MIG slice: each raises an exception of its own
            return None


def warm_up(timed: Callable[[], float], seconds: float) -> list[float]:
    """Call ``timed`` until its last three timings lie within a tenth of each other; all timings in ms.

    It gives up after ten calls, or after ``seconds`` and two calls beyond the first, which may have compiled.
    """
    timings = [timed()]
    while len(timings) < MOST_WARM_UPS and not _steady(timings):
        if len(timings) >= STEADY_CALLS and sum(timings[1:]) >= seconds * 1e3:
            break
        timings.append(timed())
    return timings


def _steady(timings: Sequence[float]) -> bool:
    last = timings[-STEADY_CALLS:]
    return len(last) == STEADY_CALLS and max(last) <= min(last) * (1 + STEADY_WITHIN)


def median(values: Sequence[float]) -> float:
    return float(np.median(values))


def percentile_95(values: Sequence[float]) -> float:
    """The 95th percentile, between two values by their distance (Hyndman & Fan 1996, type 7)."""
    return float(np.quantile(values, 0.95))


def median_interval(values: Sequence[float]) -> Interval | None:
    """The 95 % interval of the median over rounds as a record keeps it; None below six rounds."""
    bounds = statistics.median_interval(values)
    return Interval(low=bounds[0], high=bounds[1], method=statistics.MEDIAN_METHOD) if bounds else None
