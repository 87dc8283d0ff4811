"""Bjøntegaard differences of two rate–distortion curves: how much less rate at equal quality, or the reverse.

Bjøntegaard, VCEG-M33 (ITU-T SG16 Q6, 2001) took the mean vertical, or horizontal, distance of two curves over the part
where both have values, with rates as logarithms. It interpolated by one cubic polynomial; the piecewise cubic Hermite
interpolation here (PCHIP; Fritsch & Butland 1984) is that of the JCT-VC's later practice: it passes through the points
and is monotone where they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MINIMUM_OF_A_CURVE = 4
"""Points of a curve, as in VCEG-M33."""


class Curve(NamedTuple):
    """Natural logarithms of rates, and qualities, ``[n]`` each; both grow strictly."""

    log_rate: NDArray[np.float64]
    quality: NDArray[np.float64]


def curve_of(rates: ArrayLike, qualities: ArrayLike) -> Curve:
    """The curve through the points that are worth having: what is no better than a point of less rate is left out.

    Args:
        rates: above 0, in any order, such as bits per pixel.
        qualities: the more the better, such as dB.
    """
    points = sorted(zip(np.log(np.asarray(rates, np.float64)), np.asarray(qualities, np.float64), strict=True))
    kept: list[tuple[float, float]] = []
    for log_rate, quality in points:
        if kept and log_rate == kept[-1][0] and quality > kept[-1][1]:
            kept.pop()
        if not kept or quality > kept[-1][1]:
            kept.append((float(log_rate), float(quality)))
    columns = np.array(kept, np.float64).reshape(-1, 2)
    return Curve(columns[:, 0], columns[:, 1])


def log_rate_difference(curve: Curve, baseline: Curve) -> float | None:
    """The mean of ln(rate of ``curve`` / rate of ``baseline``) at equal quality; BD-rate is exp of it − 1.

    None where no quality is reached by both, or a curve has fewer than ``MINIMUM_OF_A_CURVE`` points.
    """
    return _mean_difference(curve.quality, curve.log_rate, baseline.quality, baseline.log_rate)


def quality_difference(curve: Curve, baseline: Curve) -> float | None:
    """The mean of the quality of ``curve`` − that of ``baseline`` at equal rate (BD-PSNR where quality is PSNR).

    None where no rate is taken by both, or a curve has fewer than ``MINIMUM_OF_A_CURVE`` points.
    """
    return _mean_difference(curve.log_rate, curve.quality, baseline.log_rate, baseline.quality)


def _mean_difference(
    x: NDArray[np.float64], y: NDArray[np.float64], base_x: NDArray[np.float64], base_y: NDArray[np.float64]
) -> float | None:
    from scipy.interpolate import PchipInterpolator  # type: ignore[import-untyped]  # ships no types

    if min(len(x), len(base_x)) < MINIMUM_OF_A_CURVE:
        return None
    low, high = max(x[0], base_x[0]), min(x[-1], base_x[-1])
    if low >= high:
        return None
    area = PchipInterpolator(x, y).integrate(low, high) - PchipInterpolator(base_x, base_y).integrate(low, high)
    return float(area / (high - low))
