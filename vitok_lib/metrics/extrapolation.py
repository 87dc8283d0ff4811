"""The Fréchet distance that infinitely many images would give, from how it falls as their number grows."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vitok_lib.metrics.frechet import Features, check_features, frechet_distance, one_thread
from vitok_lib.metrics.statistics import Estimate, student_quantile

MINIMUM_COUNT = 20
_DIVISORS = (3, 2)  # the fit takes n − n/3 and n − n/2 images beside all n
_GROUPS = 10
IMAGES_PER_RANK = 3
"""From so many images per dimension that the features span, the curve is a line down to n/2: below it there is no
interval. ``benchmarks/coverage.py`` simulates what one would cover there."""

METHOD = f"delete-group jackknife over {_GROUPS} groups of images, Student's t"


def frechet_at_infinity(originals: Features, reconstructions: Features) -> Estimate | None:
    """FD∞ (Chong & Forsyth 2020): the intercept of a line through FD over 1/n; both sets ``[n, d]``, paired by row.

    The line is fitted at n, 2n/3 and n/2; at the latter two the distance is the mean over disjoint left-out parts, so
    that every image counts alike and nothing is drawn at random. The distance is a straight line in 1/n only where n
    is large against the rank of the features' covariance: below that it bends, and the intercept is too high.

    The interval is that of the delete-a-group jackknife (Quenouille 1956) with Student's t. It covers the choice of the
    images and not the error of taking a bent curve for a line, so that there is none below 3 images for each rank.

    Returns:
        None for fewer than 20 images. The value may be below 0: it is an estimate, not a distance.

    Raises:
        RequestError: the sets differ in d, or a value is not finite.
    """
    check_features(originals, reconstructions)
    n = len(originals)
    if n < MINIMUM_COUNT:
        return None
    value, margin = extrapolated(originals, reconstructions)
    if n < IMAGES_PER_RANK * max(_rank(originals), _rank(reconstructions)):
        return Estimate(value, n)
    return Estimate(value, n, value - margin, value + margin, METHOD)


def extrapolated(originals: Features, reconstructions: Features) -> tuple[float, float]:
    """The intercept for sets ``[n, d]``, and half the width of its 95 % interval were the curve a line."""
    positions = np.arange(len(originals))
    kept = [positions >= 0] + [positions % _GROUPS != group for group in range(_GROUPS)]
    with one_thread(), ThreadPoolExecutor(min(len(kept), os.cpu_count() or 1)) as workers:
        intercepts = workers.map(lambda rows: _intercept(originals[rows], reconstructions[rows]), kept)
        value, *without = intercepts
    repeated = np.array(without)
    variance = (_GROUPS - 1) / _GROUPS * np.sum((repeated - repeated.mean()) ** 2)
    return value, student_quantile(_GROUPS - 1, 0.025) * float(np.sqrt(variance))


def _rank(features: Features) -> int:
    """The number of dimensions that the features span about their mean."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    if len(centred) > centred.shape[1]:
        centred = np.linalg.qr(centred, mode="r")
    with one_thread():
        return int(np.linalg.matrix_rank(centred))


def _intercept(originals: Features, reconstructions: Features) -> float:
    n = len(originals)
    positions = np.arange(n)
    inverse, distances = [1 / n], [frechet_distance(originals, reconstructions)]
    for divisor in _DIVISORS:
        kept = [positions % divisor != part for part in range(divisor)]
        inverse.append(float(np.mean([1 / rows.sum() for rows in kept])))
        parts = [frechet_distance(originals[rows], reconstructions[rows]) for rows in kept]
        distances.append(float(np.mean(parts)))
    return _line_at_zero(np.array(inverse), np.array(distances))


def _line_at_zero(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The value at 0 of the least-squares line through ``(x, y)``."""
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    return float(y.mean() - slope * x.mean())
