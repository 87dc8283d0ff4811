"""Each statistic of a set by its name, and what bounds what."""

from __future__ import annotations

import numpy as np
import pytest

from vitok_lib.errors import RequestError
from vitok_lib.metrics.frechet import frechet_distance
from vitok_lib.metrics.kernel import kernel_distance
from vitok_lib.metrics.sets import STATISTICS, paired_distances, set_estimate
from vitok_lib.metrics.signature import METRICS


def _pair(*shape: int, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(shape)
    originals = rng.normal(1, 1, shape).astype(np.float32)
    return originals, (originals + rng.normal(0.1, noise, shape)).astype(np.float32)


def test_every_statistic_of_the_catalogue_can_be_computed() -> None:
    assert {metric.statistic for metric in METRICS.values() if metric.scope == "set"} == set(STATISTICS)


@pytest.mark.parametrize("statistic", ["fd", "fd-infinity", "kid", "paired"])
def test_an_estimate_says_its_n_and_lies_in_its_interval(statistic: str) -> None:
    estimate = set_estimate(statistic, *_pair(30, 8))
    assert estimate is not None
    assert estimate.n == 30
    if statistic == "fd":
        assert estimate.low is None
        assert estimate.high is None
    else:
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high
        assert estimate.method


def test_the_distance_and_the_kernel_distance_are_their_own() -> None:
    pair = _pair(30, 8)
    distance, of_kernel = set_estimate("fd", *pair), kernel_distance(*pair)
    assert distance is not None
    assert distance.value == frechet_distance(*pair)
    assert set_estimate("kid", *pair) == of_kernel


@pytest.mark.parametrize("d", [3, 40])
@pytest.mark.parametrize("n", [2, 5, 30])
@pytest.mark.parametrize("noise", [1e-3, 1, 30])
def test_the_paired_distance_bounds_the_frechet_distance(n: int, d: int, noise: float) -> None:
    pair = _pair(n, d, noise=noise)
    paired = set_estimate("paired", *pair)
    assert paired is not None
    assert frechet_distance(*pair) <= n / (n - 1) * paired.value * (1 + 1e-12)


def test_the_paired_distance_is_the_mean_square_of_the_differences() -> None:
    originals = np.zeros((4, 3))
    reconstructions = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 1]], dtype=np.float64)
    assert paired_distances(originals, reconstructions).tolist() == [1, 4, 9, 3]
    estimate = set_estimate("paired", originals, reconstructions)
    assert estimate is not None
    assert estimate.value == 4.25


def test_the_distance_of_crops_counts_every_crop() -> None:
    originals, reconstructions = _pair(5, 9, 4)
    estimate = set_estimate("patch-fd", originals, reconstructions)
    assert estimate is not None
    assert estimate.n == 45
    assert estimate.value == frechet_distance(originals.reshape(45, 4), reconstructions.reshape(45, 4))


@pytest.mark.parametrize(("statistic", "n"), [("fd", 1), ("fd-infinity", 19), ("kid", 2), ("paired", 0)])
def test_too_few_images_give_no_estimate(statistic: str, n: int) -> None:
    assert set_estimate(statistic, *_pair(n, 4)) is None


def test_features_that_do_not_match_are_refused() -> None:
    with pytest.raises(RequestError, match=r"shapes \[5, 4\] and \[6, 4\] are not paired"):
        set_estimate("fd", np.ones((5, 4)), np.ones((6, 4)))


def test_features_of_whole_images_are_no_crops() -> None:
    with pytest.raises(RequestError, match=r"features of crops must be .*, not \[5, 4\]"):
        set_estimate("patch-fd", *_pair(5, 4))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_values_that_are_no_numbers_are_refused(statistic: str) -> None:
    shape = (30, 9, 4) if statistic == "patch-fd" else (30, 4)
    with pytest.raises(RequestError, match="no finite numbers"):
        set_estimate(statistic, np.ones(shape), np.full(shape, np.nan))


def test_an_unknown_statistic_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown statistic of features 'pared'; did you mean paired"):
        set_estimate("pared", *_pair(5, 4))
