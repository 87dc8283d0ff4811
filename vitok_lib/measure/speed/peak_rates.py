"""Peak rates of the machine, measured in the run that they are compared with: large matrix products, a large copy.

The data is random: a GPU multiplies zeros up to 10 % faster, since it then draws less power.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from vitok_lib.cost.peak_rates import COPY
from vitok_lib.measure.speed.timer import Clock, median

FP8 = "fp8"
GPU_SIDE, CPU_SIDE = 8192, 1024
GPU_COPY_BYTES, CPU_COPY_BYTES = 2**30, 2**27
"""Far beyond any cache."""


def measure_peak_rates(
    precisions: Collection[str], clock: Clock, seconds: float, iterations: int = 10
) -> dict[str, float]:
    """FLOP/s of a matrix product in each of ``precisions`` (a dtype, or ``"fp8"``), and bytes/s of a ``"copy"``.

    A product of n × n matrices counts 2·n³ FLOPs; a copy counts the bytes that are read and those written.
    """
    side = GPU_SIDE if clock.on_gpu else CPU_SIDE
    rates = {}
    for precision in dict.fromkeys(precisions):
        product = _fp8_product(side, clock.device) if precision == FP8 else _product(side, precision, clock.device)
        rates[precision] = 2 * side**3 / (_milliseconds(product, clock, seconds, iterations) * 1e-3)
        del product
    count = GPU_COPY_BYTES if clock.on_gpu else CPU_COPY_BYTES
    source = torch.randint(256, (count,), dtype=torch.uint8, device=clock.device)
    target = torch.empty_like(source)
    rates[COPY] = 2 * count / (_milliseconds(lambda: target.copy_(source), clock, seconds, iterations) * 1e-3)
    return rates


def _milliseconds(call: Callable[[], Tensor], clock: Clock, seconds: float, iterations: int) -> float:
    """The median of at least ``iterations`` calls that take at least ``seconds``, after two that do not count."""
    for _ in range(2):
        clock.time(call)
    timings: list[float] = []
    while len(timings) < iterations or sum(timings) < seconds * 1e3:
        timings.append(clock.time(call)[1])
    return median(timings)


def _product(side: int, dtype: str, device: str) -> Callable[[], Tensor]:
    a, b = (torch.randn(side, side, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def _fp8_product(side: int, device: str) -> Callable[[], Tensor]:
    """A scale for each row of the one matrix and for each column of the other, which lies column by column."""
    a, b = (torch.randn(side, side, device=device).to(torch.float8_e4m3fn) for _ in range(2))
    by_row, by_column = torch.rand(side, 1, device=device) + 0.5, torch.rand(1, side, device=device) + 0.5
    fast = device.startswith("cuda")  # which sums in fewer bits
    return lambda: torch._scaled_mm(
        a, b.t(), scale_a=by_row, scale_b=by_column, out_dtype=torch.bfloat16, use_fast_accum=fast
    )
