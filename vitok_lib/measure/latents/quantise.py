"""Uniform scalar quantisation of latents, channel by channel, over a grid that is fitted on other images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError

_MOST_LEVELS = 2**16
_MARGIN = 1.0
"""How far a grid of steps goes on beyond the fitted values, on each side, as a share of their range.

A level that is never used costs next to nothing (0.01 bits a value on 6 photographs), a value beyond the grid much."""


@dataclass(frozen=True)
class Quantiser:
    """``bits=B``: 2^B levels over the range of each channel; ``step=S``: steps of S standard deviations of it;
    ``common=S``: the same step in all channels, S times the root of their mean variance.

    A common step is best where equal errors in each channel cost the image equally, as in an orthonormal basis
    (reverse water-filling; Cover & Thomas 2006, §10.3.3).
    """

    kind: str
    amount: float

    @property
    def text(self) -> str:
        return f"{self.kind}={self.amount:g}"


@dataclass(frozen=True)
class Grid:
    """Level k of channel c is ``origin[c] + k * step[c]`` for k from 0 to ``levels[c]`` − 1; each array is ``[C]``."""

    origin: NDArray[np.float64]
    step: NDArray[np.float64]
    levels: NDArray[np.int64]


def parse_quantiser(text: str) -> Quantiser:
    """Read ``bits=4``, ``step=0.5`` or ``common=0.5``.

    Raises:
        RequestError: it is neither, or out of range.
    """
    kind, _, amount = text.strip().partition("=")
    if kind == "bits" and amount.isascii() and amount.isdigit() and 1 <= int(amount) <= 16:
        return Quantiser(kind, int(amount))
    try:
        with np.errstate(over="ignore"):
            step = float(np.float32(float(amount))) if kind in ("step", "common") else math.nan
    except ValueError:
        step = math.nan
    if 0 < step < math.inf:
        return Quantiser(kind, step)
    raise RequestError(
        f"quantiser '{text}' must read bits=BITS (1 to 16), step=SIGMAS or common=SIGMAS (above 0), such as bits=4"
    )


def fit_grid(quantiser: Quantiser, values: NDArray[np.float32]) -> Grid:
    """The grid of each channel for ``values`` ``[N, C]``.

    Of bits, the levels begin at the smallest value and end at the largest; of steps, one level is the mean. Where
    there is no spread to take a step from, it is 1.

    Raises:
        RequestError: the steps are so fine that a channel would need more than 65,536 levels.
        ValueError: a value is no finite number.
    """
    if not np.isfinite(values).all():
        raise ValueError("the latent holds values that are no finite numbers")
    low, high = values.min(0).astype(np.float64), values.max(0).astype(np.float64)
    span = high - low
    if quantiser.kind == "bits":
        levels = np.full(values.shape[1], 2 ** int(quantiser.amount))
        return Grid(low, np.where(span > 0, span / (levels - 1), 1.0), levels)
    mean = values.mean(0, dtype=np.float64)
    variance = values.var(0, dtype=np.float64)
    if quantiser.kind == "common":
        variance[:] = variance.mean()
    step = np.where(variance > 0, quantiser.amount * np.sqrt(variance), 1.0)
    margin = np.maximum(1, np.ceil(_MARGIN * span / step))
    first = np.floor((low - mean) / step) - margin
    levels = np.ceil((high - mean) / step) + margin - first + 1
    if levels.max() > _MOST_LEVELS:
        raise RequestError(
            f"quantiser '{quantiser.text}' needs {levels.max():.0f} levels of a channel; take larger steps, "
            f"so that {_MOST_LEVELS} are enough"
        )
    return Grid(mean + first * step, step, levels.astype(np.int64))


def quantise(values: NDArray[np.float32], grid: Grid) -> NDArray[np.int32]:
    """The nearest level of each of ``values`` ``[N, C]``; what lies beyond the grid takes its first or last level.

    Raises:
        ValueError: a value is no finite number.
    """
    if not np.isfinite(values).all():
        raise ValueError("the latent holds values that are no finite numbers")
    nearest = np.rint((values - grid.origin) / grid.step)
    return np.clip(nearest, 0, grid.levels - 1).astype(np.int32)


def dequantise(symbols: NDArray[np.int32], grid: Grid) -> NDArray[np.float32]:
    """The values of the levels ``symbols`` ``[N, C]``."""
    return (grid.origin + symbols * grid.step).astype(np.float32)
