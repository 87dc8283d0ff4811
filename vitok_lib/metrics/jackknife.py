"""Intervals of what is computed over all images together and is no mean of values of single images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitok_lib.metrics.statistics import MINIMUM_COUNT, student_quantile

METHOD = "delete-a-group jackknife over images"


def jackknife_margin(replicates: Sequence[float] | NDArray[np.float64]) -> float:
    """Half the 95 % interval of a statistic by the delete-a-group jackknife (Quenouille 1956; Kott 2001): t(G − 1) · s.

    s² = (G − 1)/G · Σ (θ₍ᵢ₎ − θ̄)², with θ₍ᵢ₎, ``replicates[i]``, the statistic without the i-th of G ≥ 2 groups of
    images of about one size; with groups of one image it is the delete-one jackknife.
    """
    held = np.asarray(replicates, np.float64)
    groups = held.size
    error = math.sqrt((groups - 1) / groups * float(np.square(held - held.mean()).sum()))
    return student_quantile(groups - 1, 0.025) * error


def jackknife_interval(value: float, replicates: Sequence[float]) -> tuple[float, float] | None:
    """``value`` ± :func:`jackknife_margin`.

    Args:
        value: the statistic over all images.
        replicates: θ₍ᵢ₎, G of them.

    Returns:
        None for fewer than two groups, or where a number is not finite.
    """
    held = np.asarray(replicates, np.float64)
    if held.size < MINIMUM_COUNT or not np.isfinite(held).all() or not math.isfinite(value):
        return None
    margin = jackknife_margin(held)
    return value - margin, value + margin
