"""The kernel distance between two sets of features that are paired by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.metrics.frechet import Features, check_features
from vitok_lib.metrics.jackknife import jackknife_margin
from vitok_lib.metrics.statistics import Estimate

MINIMUM_COUNT = 3
_DEGREE = 3
_BLOCK_ROWS = 1024

METHOD = "jackknife over images, Student's t"


def kernel_distance(originals: Features, reconstructions: Features) -> Estimate | None:
    """Squared maximum mean discrepancy with the kernel (x·y/d + 1)³ (Bińkowski et al. 2018), both sets ``[n, d]``.

    It is the U-statistic of Gretton et al. 2012 over all images, which leaves out the kernel of an image with its own
    reconstruction: the two are not independent, and with that term the mean is below the truth. So it is unbiased at
    every n, and there are no random subsets. The interval is that of the delete-one jackknife with Student's t.

    Returns:
        None for fewer than 3 images. The value may be below 0: it is unbiased about a distance near 0.

    Raises:
        RequestError: the sets differ in n or d, or a value is not finite.
    """
    check_features(originals, reconstructions)
    if len(originals) != len(reconstructions):
        raise RequestError(
            f"{len(originals)} originals and {len(reconstructions)} reconstructions are not paired; give each its own"
        )
    n = len(originals)
    if n < MINIMUM_COUNT:
        return None
    of_image = _row_sums(originals.astype(np.float64), reconstructions.astype(np.float64))
    total = float(np.sum(of_image))
    value = total / (n * (n - 1))
    margin = jackknife_margin((total - 2 * of_image) / ((n - 1) * (n - 2)))
    return Estimate(value, n, value - margin, value + margin, METHOD)


def _row_sums(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over j ≠ i, of each i: the sum of k(xᵢ, xⱼ) + k(yᵢ, yⱼ) − k(xᵢ, yⱼ) − k(yᵢ, xⱼ)."""
    sums = np.empty(len(x))
    for first in range(0, len(x), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        terms = _kernel(x[rows], x) + _kernel(y[rows], y) - _kernel(x[rows], y) - _kernel(y[rows], x)
        own = np.arange(len(terms))
        terms[own, first + own] = 0
        sums[rows] = terms.sum(1)
    return sums


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** _DEGREE
    return values
