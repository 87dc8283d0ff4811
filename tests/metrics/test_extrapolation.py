"""FD∞ against the truth of known distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vitok_lib.errors import RequestError
from vitok_lib.metrics.extrapolation import extrapolated, frechet_at_infinity
from vitok_lib.metrics.frechet import frechet_distance

SHIFT = 0.3


def _normal(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets drawn apart, of unit covariance: their true distance is d · SHIFT²."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(SHIFT, 1, (n, d))


def test_the_bias_of_few_images_is_taken_away() -> None:
    d, truth = 16, 16 * SHIFT**2
    found = [(frechet_at_infinity(*_normal(300, d, seed)), frechet_distance(*_normal(300, d, seed))) for seed in (0, 1)]
    for estimate, biased in found:
        assert estimate is not None
        assert biased - truth > 0.25
        assert abs(estimate.value - truth) < 0.2 * (biased - truth) + (estimate.high - estimate.low) / 2


@pytest.mark.parametrize("d", [5, 40], ids=["with an interval", "without"])
def test_the_intercept_is_that_of_a_line_through_the_means_over_parts(d: int) -> None:
    originals, reconstructions = _normal(60, d, 3)
    rows = np.arange(60)
    distances = [frechet_distance(originals, reconstructions)]
    for divisor in (3, 2):
        parts = [rows % divisor != part for part in range(divisor)]
        distances.append(np.mean([frechet_distance(originals[part], reconstructions[part]) for part in parts]))
    expected = np.polyfit([1 / 60, 1 / 40, 1 / 30], distances, 1)[1]
    estimate = frechet_at_infinity(originals, reconstructions)
    assert estimate is not None
    assert estimate.value == pytest.approx(expected, rel=1e-9)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    runs, covered = 40, 0
    for seed in range(runs):
        estimate = frechet_at_infinity(*_normal(150, 2, seed))
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 2 * SHIFT**2 <= estimate.high
    assert stats.binomtest(covered, runs, 0.95).pvalue > 1e-3, f"covered {covered} of {runs}"


def test_half_the_width_is_students_quantile_of_ten_groups_left_out() -> None:
    originals, reconstructions = _normal(60, 4, 5)
    value, margin = extrapolated(originals, reconstructions)
    groups = [np.arange(60) % 10 != group for group in range(10)]
    without = [extrapolated(originals[kept], reconstructions[kept])[0] for kept in groups]
    assert margin == pytest.approx(stats.t.ppf(0.975, 9) * np.sqrt(9) * np.std(without), rel=1e-6)
    estimate = frechet_at_infinity(originals, reconstructions)
    assert estimate is not None
    assert (estimate.low, estimate.high) == (value - margin, value + margin)


@pytest.mark.parametrize(
    ("n", "d", "rank", "shown"),
    [(24, 32, 32, False), (60, 32, 32, False), (95, 32, 32, False), (96, 32, 32, True), (24, 32, 8, True)],
)
def test_the_interval_needs_three_images_a_rank(n: int, d: int, rank: int, shown: bool) -> None:
    """At n = 24 and d = 32 an interval would hold the truth in 1 % of samples."""
    originals, reconstructions = _normal(n, rank, 1)
    across = np.random.default_rng(2).normal(size=(rank, d))
    estimate = frechet_at_infinity(originals @ across, reconstructions @ across)
    assert estimate is not None
    assert ((estimate.low is not None), (estimate.high is not None)) == (shown, shown)


def test_fewer_than_twenty_images_have_no_extrapolation() -> None:
    assert frechet_at_infinity(*_normal(19, 4, 0)) is None
    assert frechet_at_infinity(*_normal(20, 4, 0)) is not None


def test_equal_sets_extrapolate_to_nothing() -> None:
    originals, _ = _normal(30, 50, 0)
    estimate = frechet_at_infinity(originals, originals)
    assert estimate is not None
    assert abs(estimate.value) < 1e-20


def test_two_calls_give_the_same_estimate() -> None:
    pair = _normal(40, 30, 0)
    assert frechet_at_infinity(*pair) == frechet_at_infinity(*pair)


def test_features_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(RequestError, match="no finite numbers"):
        frechet_at_infinity(np.full((30, 4), np.nan), np.ones((30, 4)))
