"""Fréchet distances between two sets of features, exact in float64 and without a matrix square root.

The distance of two Gaussians N(μ₁, Σ₁), N(μ₂, Σ₂) is |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) (Fréchet 1957; Dowson &
Landau 1982). With Σ₁ = AᵀA and Σ₂ = BᵀB the trace is the smallest ‖A − Q B‖² over orthogonal Q (the Procrustes
problem), reached at Q = U Vᵀ where A Bᵀ = U S Vᵀ, and equals |A|² + |B|² − 2 tr S. The second form takes less than
half the time and is used where it loses no digits. Where large terms would cancel, the first is: a sum of squares,
whose error is of second order in that of Q.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships no types

from vitok_lib.errors import RequestError

Features = NDArray[np.float32] | NDArray[np.float64]
"""``[n, d]``: one row an image."""

COUNTS = (2, 4, 8, 16, 32, 50, 100, 200, 500, 1000, 1500, 2000, 5000, 10_000, 20_000, 50_000)
MINIMUM_COUNT = 2
_CANCELLED = 1e-5  # singular values are right to some 10⁻¹⁵ of the traces, a distance of this share of them to 10⁻¹⁰


def frechet_distance(originals: Features, reconstructions: Features) -> float:
    """The Fréchet distance of two sets ``[n, d]`` and ``[m, d]``, with the unbiased covariance of each.

    It grows as n falls, for the same two distributions: compare two distances at one n alone.

    Raises:
        RequestError: a set holds one image, whose covariance is undefined; the sets differ in d; a value is not finite.
    """
    check_features(originals, reconstructions)
    for features in (originals, reconstructions):
        if len(features) < MINIMUM_COUNT:
            raise RequestError(
                f"a Fréchet distance of {len(features)} image is undefined, since one image has no covariance; "
                f"give at least {MINIMUM_COUNT}",
                code="one-image",
            )
    with one_thread():
        mean, factor = _moments(originals)
        other_mean, other_factor = _moments(reconstructions)
        return float(np.sum((mean - other_mean) ** 2)) + _of_factors(factor, other_factor)


def at_counts(originals: Features, reconstructions: Features, counts: Iterable[int]) -> dict[int, float]:
    """The distance over the first ``count`` images, for each of ``counts``.

    Raises:
        RequestError: a count is below 2 or above the number of images.
    """
    n = min(len(originals), len(reconstructions))
    distances = {}
    for count in counts:
        if count > n:
            raise RequestError(f"a distance over the first {count} images was asked of {n}; give at most {n}")
        distances[count] = frechet_distance(originals[:count], reconstructions[:count])
    return distances


def counts_for(n: int) -> tuple[int, ...]:
    """The counts below ``n`` of one fixed ladder, so that sets of different sizes share a count to compare at."""
    return tuple(count for count in COUNTS if count < n)


def one_thread() -> AbstractContextManager[object]:
    """Within, a factorisation takes one thread: its digits do not depend on the number of cores, and on a machine
    that is busy it is several times faster than threads that wait for each other."""
    limit: AbstractContextManager[object] = _numpys_threads().limit(limits=1, user_api="blas")
    return limit


@cache
def _numpys_threads() -> ThreadpoolController:
    return ThreadpoolController()


def check_features(originals: Features, reconstructions: Features) -> None:
    """Raise RequestError unless both are ``[n, d]`` of one d and hold finite numbers."""
    for features in (originals, reconstructions):
        if features.ndim != 2:
            raise RequestError(f"features must be [images, dimensions], not of shape {list(features.shape)}")
        if not np.isfinite(features).all():
            raise RequestError("features hold values that are no finite numbers; a distance of them is undefined")
    if originals.shape[1] != reconstructions.shape[1]:
        raise RequestError(
            f"features of {originals.shape[1]} and of {reconstructions.shape[1]} dimensions have no distance; "
            "take both from one extractor"
        )


def _of_factors(factor: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The smallest squared norm of ``factor − Q @ other`` over orthogonal Q, the shorter filled with zeros."""
    traces = np.sum(factor**2) + np.sum(other**2)
    distance = traces - 2 * np.sum(np.linalg.svd(factor @ other.T, compute_uv=False))
    if distance > _CANCELLED * traces:
        return float(distance)
    rows = max(len(factor), len(other))
    factor, other = _padded(factor, rows), _padded(other, rows)
    left, _, right = np.linalg.svd(factor @ other.T)
    return float(np.sum((factor - left @ (right @ other)) ** 2))


def _moments(features: Features) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean ``[d]``, and a factor ``[min(n, d), d]`` whose product with itself is the covariance."""
    values = features.astype(np.float64)
    mean = values.mean(0)
    factor = (values - mean) / np.sqrt(len(values) - 1)
    if factor.shape[0] > factor.shape[1]:
        factor = np.linalg.qr(factor, mode="r")
    return mean, factor


def _padded(factor: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """``factor`` with rows of zeros below it, which leave its product with itself as it is."""
    return np.pad(factor, ((0, rows - len(factor)), (0, 0)))
