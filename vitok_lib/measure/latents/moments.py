"""Mean, covariance and excess kurtosis of the channels of latents, in one pass over a set.

No more is held than the sums of powers about the running mean: 4 numbers a channel and a channels × channels matrix.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of ``count`` vectors of C channels: their ``mean`` ``[C]`` and sums of powers about it.

    ``products`` ``[C, C]`` holds Σ (x − mean)(x − mean)ᵀ, ``cubes`` and ``fourths`` ``[C]`` the sums of the third and
    the fourth power. Two sets of vectors are put together by the formulas of Pébay 2008, which do not cancel where the
    mean is large, as plain sums of powers do.
    """

    count: int
    mean: Array
    products: Array
    cubes: Array
    fourths: Array

    @classmethod
    def of(cls, vectors: ArrayLike) -> Self:
        """The moments of ``vectors`` ``[N, C]``, N of 1 or more, in float64."""
        values = np.asarray(vectors, np.float64)
        mean = values.mean(axis=0)
        central = values - mean
        squares = central**2
        return cls(
            len(values), mean, central.T @ central, (squares * central).sum(axis=0), np.square(squares).sum(axis=0)
        )

    def __add__(self, other: Moments) -> Moments:
        """The moments of the vectors of both."""
        a, b = self.count, other.count
        n = a + b
        step = other.mean - self.mean
        squares, others = np.diag(self.products), np.diag(other.products)
        cubes = (
            self.cubes + other.cubes + step**3 * (a * b * (a - b) / n**2) + 3 * step * (a * others - b * squares) / n
        )
        fourths = (
            self.fourths
            + other.fourths
            + step**4 * (a * b * (a**2 - a * b + b**2) / n**3)
            + 6 * step**2 * (a**2 * others + b**2 * squares) / n**2
            + 4 * step * (a * other.cubes - b * self.cubes) / n
        )
        return Moments(
            count=n,
            mean=self.mean + step * (b / n),
            products=self.products + other.products + np.outer(step, step) * (a * b / n),
            cubes=cubes,
            fourths=fourths,
        )

    @property
    def covariance(self) -> Array:
        """``[C, C]``, the sums of products over ``count``."""
        return self.products / self.count

    @property
    def std(self) -> Array:
        """The standard deviation of each channel, ``[C]``."""
        deviations: Array = np.sqrt(np.diag(self.covariance))
        return deviations

    @property
    def excess_kurtosis(self) -> Array:
        """Fourth moment over squared variance, less 3, ``[C]``: 0 of a normal channel, NaN of a constant one."""
        variance = np.diag(self.covariance)
        with np.errstate(invalid="ignore", divide="ignore"):
            kurtosis: Array = self.fourths / self.count / variance**2 - 3
        return np.where(variance > 0, kurtosis, np.nan)

    @property
    def overall_mean(self) -> float:
        """The mean of all values, whatever their channel."""
        return float(self.mean.mean())

    @property
    def overall_std(self) -> float:
        """The standard deviation of all values about the one mean of all channels."""
        return float(np.sqrt(np.diag(self.covariance).mean() + self.mean.var()))

    def dead(self, share: float) -> NDArray[np.bool_]:
        """Which channels have a standard deviation of no more than ``share`` of the root mean square over all."""
        below: NDArray[np.bool_] = self.std <= share * np.sqrt(np.diag(self.covariance).mean())
        return below


def total(parts: Sequence[Moments]) -> Moments:
    """The moments of the vectors of all ``parts``, one or more."""
    return functools.reduce(operator.add, parts)
