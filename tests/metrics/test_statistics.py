"""Bootstrap intervals against normal theory and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vitok_lib.metrics import statistics
from vitok_lib.metrics.statistics import bootstrap_mean


def _values(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(30, 4, count)


def test_the_interval_of_many_values_is_that_of_normal_theory() -> None:
    values = _values(4000)
    low, high = bootstrap_mean(values)
    expected = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.05 * (expected[1] - expected[0]))


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_is_scipys_percentile_interval(level: float, skewed: bool) -> None:
    values = np.exp(_values(25) / 6) if skewed else _values(25)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, confidence_level=level, method="percentile", rng=1
    ).confidence_interval
    width = expected.high - expected.low
    assert bootstrap_mean(values, level) == pytest.approx((expected.low, expected.high), abs=0.04 * width)


def test_two_calls_give_the_same_interval() -> None:
    assert bootstrap_mean(_values(50)) == bootstrap_mean(_values(50))


def test_another_seed_gives_another_interval() -> None:
    assert bootstrap_mean(_values(50), seed=0) != bootstrap_mean(_values(50), seed=1)


def test_one_value_is_its_own_interval() -> None:
    assert bootstrap_mean(np.array([27.5])) == (27.5, 27.5)


def test_equal_values_are_their_own_interval() -> None:
    low, high = bootstrap_mean(np.full(12, 0.5))
    assert low == high == 0.5


def test_the_interval_lies_within_the_values() -> None:
    values = _values(3)
    low, high = bootstrap_mean(values)
    assert values.min() <= low <= values.mean() <= high <= values.max()


def test_an_interval_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_mean(np.array([]))


def test_memory_is_bounded_by_drawing_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _values(200)
    whole = bootstrap_mean(values)
    monkeypatch.setattr(statistics, "_BLOCK_VALUES", 7 * values.size)
    assert bootstrap_mean(values) == pytest.approx(whole, abs=0.02)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        low, high = bootstrap_mean(_values(60, seed), resamples=500)
        covered += low <= 30 <= high
    assert stats.binomtest(covered, 200, 0.95).pvalue > 1e-3, f"covered {covered} of 200"
