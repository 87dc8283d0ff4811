"""The Fréchet distance that infinitely many images would give, from how it falls as their number grows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from vitok_lib.metrics.frechet import Features, check_features, frechet_distance, one_thread
from vitok_lib.metrics.jackknife import jackknife_margin
from vitok_lib.metrics.statistics import Estimate

MINIMUM_COUNT = 20
_DIVISORS = (3, 2)  # the fit takes n − n/3 and n − n/2 images beside all n
_GROUPS = 10
_AT_ONCE = 11  # distances computed in parallel at most: each holds its images' features in float64
IMAGES_PER_RANK = 3
"""From so many images per dimension that the features span, the curve is a line down to n/2: below it there is no
interval. ``benchmarks/coverage.py`` simulates what one would cover there."""

Rows = NDArray[np.intp]
"""Positions of images."""

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
    if n < IMAGES_PER_RANK * _rank(originals) or n < IMAGES_PER_RANK * _rank(reconstructions):
        (value,) = _intercepts(originals, reconstructions, [np.arange(n)])
        return Estimate(value, n)
    value, margin = extrapolated(originals, reconstructions)
    return Estimate(value, n, value - margin, value + margin, METHOD)


def extrapolated(originals: Features, reconstructions: Features) -> tuple[float, float]:
    """The intercept for sets ``[n, d]``, and half the width of its 95 % interval were the curve a line."""
    positions = np.arange(len(originals))
    kept = [positions] + [positions[positions % _GROUPS != group] for group in range(_GROUPS)]
    value, *without = _intercepts(originals, reconstructions, kept)
    return value, jackknife_margin(without)


def _rank(features: Features) -> int:
    """The number of dimensions that the features span about their mean."""
    centred = features.astype(np.float64) - features.mean(0, dtype=np.float64)
    with one_thread():
        tall = centred if len(centred) > centred.shape[1] else centred.T
        return int(np.linalg.matrix_rank(np.linalg.qr(tall, mode="r")))


def _intercepts(originals: Features, reconstructions: Features, sets: Sequence[Rows]) -> list[float]:
    """The intercept over the images of each of ``sets``; the distances of all of them in parallel."""
    subsets = [[rows, *_parts(rows)] for rows in sets]
    with one_thread(), ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1)) as workers:
        distances = workers.map(
            lambda rows: frechet_distance(originals[rows], reconstructions[rows]), chain.from_iterable(subsets)
        )
        return [_intercept(own, list(islice(distances, len(own)))) for own in subsets]


def _parts(rows: Rows) -> Iterator[Rows]:
    """``rows`` without each third of them and without each half."""
    positions = np.arange(len(rows))
    for divisor in _DIVISORS:
        yield from (rows[positions % divisor != part] for part in range(divisor))


def _intercept(subsets: Sequence[Rows], distances: Sequence[float]) -> float:
    """Of the line through the means, over the whole, its thirds and its halves, of ``distances`` and of 1/n."""
    ends = np.cumsum([1, *_DIVISORS])[:-1]
    inverse = [part.mean() for part in np.split(np.array([1 / len(rows) for rows in subsets]), ends)]
    return _line_at_zero(np.array(inverse), np.array([part.mean() for part in np.split(np.array(distances), ends)]))


def _line_at_zero(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The value at 0 of the least-squares line through ``(x, y)``."""
    slope = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    return float(y.mean() - slope * x.mean())
