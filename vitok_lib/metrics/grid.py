"""Whether the error of a reconstruction repeats with the patches that it was made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW = 256
"""Pixels a side of the windows whose spectrum is taken; a fixed number, since the line of a grid grows with it."""
NEIGHBOURS = (1, 2)
"""Frequencies on each side, in steps of one over the window, that a harmonic is compared with."""
_STRIP_ROWS = 512


def grid_error(original: Tensor, reconstruction: Tensor, *, period: int | None) -> float:
    """Error energy at the patch grid over that at neighbouring frequencies: 1 where there is no grid.

    The power spectrum of the error, along rows and along columns, is averaged over lines, channels and half-overlapping
    windows (Welch 1967) of the multiple of ``period`` next below ``WINDOW`` pixels, so that 1/period and its harmonics
    j/period, j ≤ period/2, fall on whole frequencies, which a rectangular window does not mix. The power at the
    harmonics, summed, stands over what their neighbours give: of each harmonic the mean over d in ``NEIGHBOURS`` of
    √(P(f − d)·P(f + d)), which a spectrum that falls with a power of the frequency moves little.

    An error A·cos(2πx/p) on white noise of variance σ² has 1 + L·A² / (8·⌊p/2⌋·σ²), L the pixels of a window.

    Args:
        original, reconstruction: uint8 ``[3, H, W]``.
        period: pixels a side of a patch; None: nothing is known to repeat.

    Returns:
        The ratio, 0 or more; NaN without a period from 2 to 85 px, of a side below ``WINDOW``, or with no error.
    """
    window = 0 if period is None else WINDOW // period * period
    if period is None or period < 2 or window // period <= max(NEIGHBOURS) or min(original.shape[1:]) < WINDOW:
        return math.nan
    power = sum(_spectrum(original, reconstruction, dim, window) for dim in (1, 2))
    assert isinstance(power, Tensor)
    harmonics = torch.arange(1, period // 2 + 1, device=power.device) * (window // period)
    beside = [(power[harmonics - step] * power[(harmonics + step) % window]).sqrt().sum() for step in NEIGHBOURS]
    expected = float(sum(beside)) / len(NEIGHBOURS)
    return float(power[harmonics].sum()) / expected if expected > 0 else math.nan


def _spectrum(original: Tensor, reconstruction: Tensor, dim: int, window: int) -> Tensor:
    """The mean power of the error along ``dim``, float64 ``[window]``, over all lines and windows."""
    total = torch.zeros(window, dtype=torch.float64, device=original.device)
    count = 0
    for x, y in zip(original.split(_STRIP_ROWS, 3 - dim), reconstruction.split(_STRIP_ROWS, 3 - dim), strict=True):
        error = y.to(torch.float32) - x.to(torch.float32)
        for start in range(0, original.shape[dim] - window + 1, window // 2):
            spectrum = torch.fft.fft(error.narrow(dim, start, window), dim=dim)
            squares = spectrum.real.square() + spectrum.imag.square()
            total += squares.sum(dim=(0, 3 - dim), dtype=torch.float64)
            count += squares.numel() // window
    return total / count
