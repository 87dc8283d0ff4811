"""Intervals of means over images, and of the differences between tokenizers on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
_BLOCK_VALUES = 10_000_000  # values drawn at a time, which bounds the memory
_RESAMPLES_BEYOND = 20  # at the least, on each side of an interval: fewer would leave its ends to chance


@dataclass(frozen=True)
class Estimate:
    """``value`` over ``n`` images or crops; ``low``, ``high`` of its 95 % interval by ``method``, None without one."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None
    method: str = ""


@dataclass(frozen=True)
class PairedDifference:
    """The mean over ``n`` images of ``first`` minus ``second``, both names of tokenizers, with its interval.

    All ``comparisons`` intervals hold at once with probability ``level``; each alone is that much wider.
    """

    first: str
    second: str
    mean: float
    low: float
    high: float
    level: float
    comparisons: int
    n: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def bootstrap_mean(
    values: NDArray[np.float64], level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval (Efron 1979) of the mean of ``values``.

    Give per-image values for an interval of a mean, per-image differences for a paired comparison. Images are
    the unit of resampling. With few images the interval is too narrow: read it with its n.

    Raises:
        ValueError: there is no value.
    """
    if values.size == 0:
        raise ValueError("an interval needs at least one value")
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_VALUES // values.size)
    means = np.concatenate(
        [
            values[rng.integers(0, values.size, (min(block, resamples - done), values.size))].mean(axis=1)
            for done in range(0, resamples, block)
        ]
    )
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def paired_differences(
    values: Mapping[str, NDArray[np.float64]], level: float = 0.95, seed: int = 0
) -> list[PairedDifference]:
    """The difference of each two of ``values``: per tokenizer one value an image ``[n]``, the same images in order.

    Percentile bootstrap in which each resample takes the same images of every tokenizer. With m pairs each interval
    is taken at level 1 − (1 − ``level``)/m (Bonferroni), so that all of them hold at once at ``level``.

    Raises:
        ValueError: the tokenizers have different numbers of values, none, or one that is not finite.
    """
    pairs = list(combinations(values, 2))
    if not pairs:
        return []
    sizes = {name: column.size for name, column in values.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ValueError(f"paired differences need a value of every tokenizer for each image, not {sizes}")
    table = np.stack(list(values.values()), axis=1)  # [n, tokenizers]
    if not np.isfinite(table).all():
        raise ValueError("paired differences need finite values; leave out the images that have none")
    tail = (1 - level) / (2 * len(pairs))
    means = _resampled_means(table, max(RESAMPLES, round(_RESAMPLES_BEYOND / tail)), seed)
    place = {name: column for column, name in enumerate(values)}
    differences = []
    for first, second in pairs:
        a, b = place[first], place[second]
        low, high = np.quantile(means[:, a] - means[:, b], [tail, 1 - tail])
        mean = float(np.mean(table[:, a] - table[:, b]))
        differences.append(
            PairedDifference(first, second, mean, float(low), float(high), level, len(pairs), len(table))
        )
    return differences


def _resampled_means(table: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Means ``[resamples, columns]`` over rows of ``[n, columns]`` that are drawn with replacement, whole rows."""
    rng = np.random.default_rng(seed)
    n = len(table)
    means = np.empty((resamples, table.shape[1]))
    block = max(1, _BLOCK_VALUES // n)
    for first in range(0, resamples, block):
        count = min(block, resamples - first)
        drawn = rng.integers(0, n, (count, n)) + n * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n)
        means[first : first + count] = times @ table / n
    return means
