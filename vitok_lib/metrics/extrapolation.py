"""The Fréchet distance that infinitely many images would give, from how it falls as their number grows."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vitok_lib.metrics.frechet import Features, check_features, frechet_distance, one_thread
from vitok_lib.metrics.statistics import Estimate

MINIMUM_COUNT = 20
_DIVISORS = (3, 2)  # the fit takes n − n/3 and n − n/2 images beside all n
_GROUPS = 10
_STUDENT_T = 2.262157  # the 97.5 % quantile at 9 degrees of freedom, one fewer than groups

METHOD = f"delete-group jackknife over {_GROUPS} groups of images; covers their choice, not the curve's bend"


def frechet_at_infinity(originals: Features, reconstructions: Features) -> Estimate | None:
    """FD∞ (Chong & Forsyth 2020): the intercept of a line through FD over 1/n; both sets ``[n, d]``, paired by row.

    The line is fitted at n, 2n/3 and n/2; at the latter two the distance is the mean over disjoint left-out parts, so
    that every image counts alike and nothing is drawn at random. The distance is a straight line in 1/n only where n
    is large against the rank of the features' covariance: below that it bends, and the intercept is too high.

    The interval is that of the delete-a-group jackknife (Quenouille 1956) with Student's t: it covers the choice of
    the images and leaves out the error of taking a bent curve for a line.

    Returns:
        None for fewer than 20 images. The value may be below 0: it is an estimate, not a distance.

    Raises:
        RequestError: the sets differ in d, or a value is not finite.
    """
    check_features(originals, reconstructions)
    n = len(originals)
    if n < MINIMUM_COUNT:
        return None
    positions = np.arange(n)
    kept = [positions >= 0] + [positions % _GROUPS != group for group in range(_GROUPS)]
    with one_thread(), ThreadPoolExecutor(min(len(kept), os.cpu_count() or 1)) as workers:
        intercepts = workers.map(lambda rows: _intercept(originals[rows], reconstructions[rows]), kept)
        value, *without = intercepts
    repeated = np.array(without)
    variance = (_GROUPS - 1) / _GROUPS * np.sum((repeated - repeated.mean()) ** 2)
    margin = _STUDENT_T * float(np.sqrt(variance))
    return Estimate(value, n, value - margin, value + margin, METHOD)


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
