"""Intervals of means over images, of differences between tokenizers on the same images, and of medians of rounds.

What each interval covers at the n it is shown with is simulated by ``benchmarks/coverage.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

METHOD = "Student's t"
SHARE_METHOD = "Clopper & Pearson"
MEDIAN_METHOD = "order statistics of the rounds (binomial), at least 95 %"
MINIMUM_COUNT = 2
"""The least number of values that say anything about their spread."""
_NAMED = 3  # values that are not finite, in a message


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

    All ``comparisons`` intervals hold at once with probability ``level``; each alone is that much wider. ``p_value`` is
    that of a mean difference of 0, adjusted by Holm 1979 over all ``comparisons``. Holm's procedure is the more
    powerful one: ``p_value`` may lie below 1 − ``level`` where the interval includes 0, which is then not ``clear``.
    ``effect`` is the mean over the standard deviation of the differences (d_z of Cohen 1988). The interval,
    ``p_value`` and ``effect`` are None at n = 1, and ``effect`` where all differences are equal.
    """

    first: str
    second: str
    mean: float
    low: float | None
    high: float | None
    level: float
    comparisons: int
    n: int
    p_value: float | None
    effect: float | None

    @property
    def clear(self) -> bool:
        """Whether there is an interval and it leaves out 0: the difference is significant."""
        return leaves_out(0, self.low, self.high)


def leaves_out(point: float, low: float | None, high: float | None) -> bool:
    """Whether an interval does not include ``point``; never where there is none."""
    return low is not None and high is not None and not low <= point <= high


def mean_interval(values: ArrayLike, level: float = 0.95, comparisons: int = 1) -> tuple[float, float] | None:
    """Student's t interval of the mean of ``values`` ``[n]``: mean ± t(n − 1) · s / √n (Student 1908).

    It covers the mean with ``level`` where values are normal, and about as often where they are not (measured by
    ``benchmarks/coverage.py``). Values that are all equal have an interval without width, since s is 0: right where
    the value follows from the architecture, such as a rate, and too narrow where it is equal by chance.

    Args:
        comparisons: of so many intervals all hold at once with ``level`` (Bonferroni): each is taken at
            1 − (1 − ``level``) / ``comparisons``.

    Returns:
        None for fewer than two values, which say nothing about their spread.

    Raises:
        ValueError: a value is not finite; the message names it.
    """
    column = _finite(values, "values")
    if column.size < MINIMUM_COUNT:
        return None
    mean, error = _mean_and_error(column)
    margin = student_quantile(column.size - 1, (1 - level) / (2 * comparisons)) * error
    return mean - margin, mean + margin


def share_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float] | None:
    """The interval of Clopper & Pearson 1934 of a share, from ``values`` ``[n]`` in [0, 1], one an image.

    Each value is the share of an image, such as that of its lines which are read rightly. Their sum, which need not be
    whole, is the number of successes in n trials. Where each value is 0 or 1 the interval covers the share with
    ``level`` or more, and more often where values lie between (measured by ``benchmarks/coverage.py``). Student's t is
    no interval of a share near 0 or 1: values that are all equal have none of its width, though n images of 1 do not
    exclude a share of α^(1/n).

    Returns:
        None for fewer than two values, as for any interval over images.

    Raises:
        ValueError: a value is not finite or outside [0, 1]; the message names it.
    """
    from scipy.special import betaincinv  # type: ignore[import-untyped]  # ships no types

    column = _finite(values, "shares")
    outside = column[(column < 0) | (column > 1)]
    if outside.size:
        raise ValueError(f"shares must be from 0 to 1, and {outside[0]} is not")
    n, tail = column.size, (1 - level) / 2
    if n < MINIMUM_COUNT:
        return None
    successes = math.fsum(column)
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def clipped(interval: tuple[float, float] | None, bounds: tuple[float, float]) -> tuple[float, float] | None:
    """``interval`` without what lies outside the ``bounds`` of a quantity.

    It covers the mean as often as before, since the mean of values within the bounds is within them.
    """
    if interval is None:
        return None
    low, high = (min(max(end, bounds[0]), bounds[1]) for end in interval)
    return low, high


def paired_interval(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, comparisons: int = 1
) -> tuple[float, float] | None:
    """Student's t interval of the mean of ``a`` − ``b``, both ``[n]``, one value an image, the same images in order.

    Args:
        comparisons: as in :func:`mean_interval`.

    Returns:
        None for fewer than two images.

    Raises:
        ValueError: the two differ in n, or a value is not finite; the message names it.
    """
    first, second = _finite(a, "a"), _finite(b, "b")
    if first.size != second.size:
        raise ValueError(f"a paired interval needs two values of each image, not {first.size} and {second.size}")
    return mean_interval(first - second, level, comparisons)


def paired_differences(
    values: Mapping[str, ArrayLike], level: float = 0.95, pairs: Sequence[tuple[str, str]] | None = None
) -> list[PairedDifference]:
    """The difference of each of ``pairs``, by default each two of ``values``: one value an image ``[n]``, in one order.

    Student's t intervals of the paired differences. With m pairs each is taken at 1 − (1 − ``level``) / m (Bonferroni),
    so that all of them hold at once at ``level``, and p-values are adjusted by Holm's procedure.

    Raises:
        ValueError: the tokenizers have different numbers of values, none, or one that is not finite.
    """
    columns = {name: _finite(column, f"values of '{name}'") for name, column in values.items()}
    pairs = list(combinations(columns, 2)) if pairs is None else pairs
    if not pairs:
        return []
    sizes = {name: column.size for name, column in columns.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ValueError(f"paired differences need a value of every tokenizer for each image, not {sizes}")
    differences = [columns[first] - columns[second] for first, second in pairs]
    adjusted = holm([paired_p_value(difference) for difference in differences])
    found = []
    for (first, second), difference, p_value in zip(pairs, differences, adjusted, strict=True):
        low, high = mean_interval(difference, level, len(pairs)) or (None, None)
        mean = float(difference.mean())
        effect, n = paired_effect(difference), difference.size
        found.append(PairedDifference(first, second, mean, low, high, level, len(pairs), n, p_value, effect))
    return found


def paired_p_value(differences: NDArray[np.float64]) -> float | None:
    """The two-sided p-value of Student's paired test that the mean of ``differences`` ``[n]`` is 0; None at n = 1."""
    from scipy.special import stdtr

    if differences.size < MINIMUM_COUNT:
        return None
    mean, error = _mean_and_error(differences)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(differences.size - 1, -abs(mean) / error))


def paired_effect(differences: NDArray[np.float64]) -> float | None:
    """The mean of ``differences`` ``[n]`` over their standard deviation; None at n = 1 and where all are equal."""
    if differences.size < MINIMUM_COUNT:
        return None
    mean, error = _mean_and_error(differences)
    return mean / (error * math.sqrt(differences.size)) if error else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values of one family adjusted by Holm 1979, which bounds the chance of any false one; None stays None."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = largest
    return adjusted


def student_quantile(degrees: int, tail: float) -> float:
    """The value that Student's t with ``degrees`` of freedom exceeds with probability ``tail``."""
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, tail))


def median_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """An interval of the median that holds for any distribution: the k-th smallest and the k-th largest value.

    k is the largest for which P(Binomial(n, ½) < k) ≤ (1 − level)/2 (David & Nagaraja 2003, §7.1). None where n is
    so small (below 6 for 95 %) that not even the smallest and the largest value hold it.
    """
    n = len(values)
    below, k = 0, 0
    while k < n and (below + math.comb(n, k)) / 2**n <= (1 - level) / 2:
        below += math.comb(n, k)
        k += 1
    if k == 0:
        return None
    ordered = sorted(values)
    return ordered[k - 1], ordered[n - k]


def images_needed(deviation: float, margin: float, level: float = 0.95) -> int:
    """The least n at which Student's t interval of a mean is within ± ``margin``: t(n − 1) · ``deviation`` / √n.

    ``deviation`` is the standard deviation of single values, of a paired comparison that of the differences.
    """
    if not margin > 0:
        raise ValueError(f"a margin (={margin}) must be above 0")
    low, high = MINIMUM_COUNT - 1, MINIMUM_COUNT
    while student_quantile(high - 1, (1 - level) / 2) * deviation > margin * math.sqrt(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        wide = student_quantile(middle - 1, (1 - level) / 2) * deviation > margin * math.sqrt(middle)
        low, high = (middle, high) if wide else (low, middle)
    return high


def deviation_interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """The standard deviation's interval from that of χ²(n − 1), for values ``[n]``, n > 1, that are about normal."""
    from scipy.special import chdtri

    column = _finite(values, "values")
    degrees = column.size - 1
    squares = degrees * float(column.var(ddof=1))
    low, high = (math.sqrt(squares / float(chdtri(degrees, tail))) for tail in ((1 - level) / 2, (1 + level) / 2))
    return low, high


def _mean_and_error(column: NDArray[np.float64]) -> tuple[float, float]:
    """The mean and its standard error."""
    if (column == column[0]).all():  # their rounded mean may differ from them
        return float(column[0]), 0.0
    return float(column.mean()), float(column.std(ddof=1)) / math.sqrt(column.size)


def _finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    column = np.asarray(values, np.float64)
    if column.ndim != 1:
        raise ValueError(f"{what} must be one number an image, not of shape {list(column.shape)}")
    bad = np.flatnonzero(~np.isfinite(column))
    if bad.size:
        named = ", ".join(f"{column[place]} at {place}" for place in bad[:_NAMED])
        raise ValueError(
            f"{what} must be finite, and {bad.size} of {column.size} are not ({named}); leave those images out"
        )
    return column
