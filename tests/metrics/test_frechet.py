"""Fréchet distances against closed forms, scipy, and fifty digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from vitok_lib.errors import RequestError
from vitok_lib.metrics.frechet import at_counts, counts_for, frechet_distance

SHAPES = [(2, 30), (12, 40), (40, 40), (41, 40), (200, 10)]
"""Fewer images than dimensions, as many, and more."""


def _features(n: int, d: int, seed: int = 0, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, d, seed])
    originals = rng.normal(1, 1, (n, d)) * np.linspace(0.2, 2, d)
    return originals, 0.9 * originals + rng.normal(0.1, noise, (n, d))


def _with_covariance(covariance: np.ndarray, mean: np.ndarray, seed: int) -> np.ndarray:
    """Samples whose mean and unbiased covariance are exactly those given."""
    n, d = 5 * len(mean), len(mean)
    drawn = np.random.default_rng(seed).normal(size=(n, d))
    white = np.linalg.qr(drawn - drawn.mean(0))[0] * np.sqrt(n - 1)
    return white @ np.linalg.cholesky(covariance).T + mean


def _by_eigenvalues(originals: np.ndarray, reconstructions: np.ndarray) -> float:
    """The textbook formula, the square root's trace from a symmetric eigenproblem."""
    first, second = (np.cov(features, rowvar=False) for features in (originals, reconstructions))
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    trace = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    difference = originals.mean(0) - reconstructions.mean(0)
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * trace)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_distance_is_that_of_the_covariance_formula(shape: tuple[int, int]) -> None:
    pair = _features(*shape)
    assert frechet_distance(*pair) == pytest.approx(_by_eigenvalues(*pair), rel=1e-6)


@pytest.mark.parametrize("n", [60, 400])
def test_the_distance_is_scipys_where_a_matrix_square_root_is_accurate(n: int) -> None:
    originals, reconstructions = _features(n, 12)
    first, second = (np.cov(features, rowvar=False) for features in (originals, reconstructions))
    difference = originals.mean(0) - reconstructions.mean(0)
    expected = difference @ difference + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(originals, reconstructions) == pytest.approx(expected, rel=1e-9)


def test_covariances_that_commute_have_the_distance_of_their_roots() -> None:
    rotation = ortho_group.rvs(8, random_state=0)
    first, second = np.linspace(0.1, 3, 8), np.linspace(2, 0.5, 8)
    means = np.arange(8) / 10, np.zeros(8)
    pair = [
        _with_covariance(rotation * variances @ rotation.T, mean, seed)
        for seed, (variances, mean) in enumerate(zip((first, second), means, strict=True))
    ]
    expected = np.sum((np.sqrt(first) - np.sqrt(second)) ** 2) + np.sum(means[0] ** 2)
    assert frechet_distance(*pair) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("gain", [0.3, 0.03, 0.006, 0.003, 1e-5])
def test_a_distance_far_below_the_variances_keeps_nine_digits(gain: float) -> None:
    """From where the shorter formula is used to far below: Σ (√λ₁ − √λ₂)² of covariances that commute."""
    rotation = ortho_group.rvs(12, random_state=1)
    first = np.arange(1, 13) ** -1.5
    second = first * (1 + gain * np.linspace(-1, 1, 12)) ** 2
    pair = [_with_covariance(rotation * values @ rotation.T, np.zeros(12), 2) for values in (first, second)]
    expected = np.sum((gain * np.linspace(-1, 1, 12)) ** 2 * first)
    assert frechet_distance(*pair) == pytest.approx(expected, rel=1e-9)


def test_covariances_of_two_dimensions_have_the_distance_of_the_closed_form() -> None:
    first, second = np.array([[2, 0.7], [0.7, 1]]), np.array([[0.5, -0.3], [-0.3, 3]])
    product = first @ second  # tr √M = √(tr M + 2 √det M) in two dimensions
    trace = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = 0.25 + np.trace(first) + np.trace(second) - 2 * trace
    pair = _with_covariance(first, np.array([0.5, 0]), 0), _with_covariance(second, np.zeros(2), 1)
    assert frechet_distance(*pair) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "noise"), [(4, 1e-6), (4, 0.1), (9, 1e-6)])
def test_a_small_distance_keeps_its_digits(n: int, noise: float) -> None:
    rng = np.random.default_rng(n)
    originals = rng.normal(10, 3, (n, 6))
    reconstructions = originals + rng.normal(0, noise, (n, 6))
    with mpmath.workdps(60):
        first, second = (mpmath.matrix(features.tolist()) for features in (originals, reconstructions))
        means = [sum((each[row, :] for row in range(n)), mpmath.zeros(1, 6)) / n for each in (first, second)]
        covariances = []
        for each, mean in zip((first, second), means, strict=True):
            centred = each - mpmath.ones(n, 1) * mean
            covariances.append(centred.T * centred / (n - 1))
        eigenvalues = mpmath.eig(covariances[0] * covariances[1], left=False, right=False)
        trace = sum(mpmath.sqrt(abs(mpmath.re(value))) for value in eigenvalues)
        total = sum(covariances[0][i, i] + covariances[1][i, i] for i in range(6)) - 2 * trace
        expected = float(total + mpmath.norm(means[0] - means[1]) ** 2)
    assert frechet_distance(originals, reconstructions) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equal_sets_have_no_distance(shape: tuple[int, int]) -> None:
    originals, _ = _features(*shape)
    assert 0 <= frechet_distance(originals, originals) < 1e-24 * np.sum(originals**2)


def test_the_order_of_the_images_does_not_count() -> None:
    originals, reconstructions = _features(12, 30)
    assert frechet_distance(originals, reconstructions[::-1]) == pytest.approx(
        frechet_distance(originals, reconstructions), rel=1e-10
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_distance_is_symmetric(shape: tuple[int, int]) -> None:
    originals, reconstructions = _features(*shape)
    assert frechet_distance(reconstructions, originals) == pytest.approx(
        frechet_distance(originals, reconstructions), rel=1e-10
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_rotation_of_both_sets_changes_nothing(shape: tuple[int, int]) -> None:
    originals, reconstructions = _features(*shape)
    rotation = ortho_group.rvs(shape[1], random_state=1)
    assert frechet_distance(originals @ rotation, reconstructions @ rotation) == pytest.approx(
        frechet_distance(originals, reconstructions), rel=1e-9
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_shift_has_the_distance_of_its_square(shape: tuple[int, int]) -> None:
    originals, _ = _features(*shape)
    assert frechet_distance(originals, originals + 0.25) == pytest.approx(shape[1] / 16, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(5, 9), (9, 5), (5, 60), (60, 5)])
def test_sets_of_different_sizes_have_a_distance(n: int, m: int) -> None:
    originals, reconstructions = _features(n, 20)[0], _features(m, 20, seed=1)[1]
    assert frechet_distance(originals, reconstructions) == pytest.approx(
        _by_eigenvalues(originals, reconstructions), rel=1e-6
    )


def test_constant_features_have_the_distance_of_mean_and_variance() -> None:
    originals, _ = _features(30, 10)
    expected = np.sum((originals.mean(0) - 2) ** 2) + np.sum(originals.var(0, ddof=1))
    assert frechet_distance(originals, np.full((30, 10), 2.0)) == pytest.approx(expected, rel=1e-12)


def test_single_precision_features_are_taken_as_they_are() -> None:
    originals, reconstructions = (features.astype(np.float32) for features in _features(40, 12))
    wide = frechet_distance(originals.astype(np.float64), reconstructions.astype(np.float64))
    assert frechet_distance(originals, reconstructions) == wide


@pytest.mark.parametrize(
    ("originals", "reconstructions", "words"),
    [
        (np.ones((1, 4)), np.ones((1, 4)), "of 1 image is undefined"),
        (np.ones((0, 4)), np.ones((0, 4)), "of 0 image is undefined"),
        (np.ones((5, 4)), np.ones((5, 3)), "of 4 and of 3 dimensions"),
        (np.full((5, 4), np.nan), np.ones((5, 4)), "no finite numbers"),
        (np.ones((5, 4)), np.full((5, 4), np.inf), "no finite numbers"),
        (np.ones(4), np.ones(4), "not of shape [4]"),
    ],
    ids=["one-image", "none", "dimensions", "nan", "infinite", "flat"],
)
def test_features_without_a_distance_are_refused_in_one_sentence(
    originals: np.ndarray, reconstructions: np.ndarray, words: str
) -> None:
    with pytest.raises(RequestError) as raised:
        frechet_distance(originals, reconstructions)
    assert words in str(raised.value)


def test_distances_at_counts_are_those_of_the_first_images() -> None:
    originals, reconstructions = _features(40, 20)
    found = at_counts(originals, reconstructions, (4, 32))
    assert list(found) == [4, 32]
    for count, distance in found.items():
        expected = _by_eigenvalues(originals[:count], reconstructions[:count])
        assert distance == pytest.approx(expected, rel=1e-6)


def test_a_count_above_the_images_is_refused() -> None:
    with pytest.raises(RequestError, match="the first 41 images was asked of 40"):
        at_counts(*_features(40, 20), (41,))


@pytest.mark.parametrize(
    ("n", "counts"), [(0, ()), (2, ()), (3, (2,)), (50, (2, 4, 8, 16, 32)), (51, (2, 4, 8, 16, 32, 50))]
)
def test_counts_are_those_of_one_ladder_below_n(n: int, counts: tuple[int, ...]) -> None:
    assert counts_for(n) == counts
    assert counts_for(10**6)[: len(counts)] == counts
