"""The kernel distance against its definition, closed-form moments, and recomputed jackknives."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from vitok_lib.errors import RequestError
from vitok_lib.metrics import kernel
from vitok_lib.metrics.kernel import kernel_distance


def _pair(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([n, d, seed])
    originals = rng.normal(0.5, 1, (n, d))
    return originals, originals + rng.normal(0.2, 0.4, (n, d))


def _by_definition(x: np.ndarray, y: np.ndarray) -> float:
    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((np.dot(a, b) / len(a) + 1) ** 3)

    terms = [k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i]) for i, j in permutations(range(len(x)), 2)]
    return float(np.mean(terms))


def test_the_distance_is_that_of_the_definition() -> None:
    x, y = _pair(9, 4)
    found = kernel_distance(x, y)
    assert found is not None
    assert found.value == pytest.approx(_by_definition(x, y), rel=1e-12)
    assert found.n == 9


def test_the_interval_is_that_of_recomputing_without_each_image() -> None:
    x, y = _pair(12, 3)
    found = kernel_distance(x, y)
    assert found is not None
    without = [_by_definition(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(12)]
    error = np.sqrt(11 / 12 * np.sum((without - np.mean(without)) ** 2))
    margin = stats.t.ppf(0.975, 11) * error
    assert (found.low, found.high) == pytest.approx((found.value - margin, found.value + margin), rel=1e-6)


def test_the_mean_over_paired_draws_is_the_truth_of_the_moments() -> None:
    shift, noise = 0.3, 0.5
    moments = [1, 0, 1, 0], [1, shift, 1 + noise**2 + shift**2, shift**3 + 3 * shift * (1 + noise**2)]
    truth = sum(count * (a - b) ** 2 for count, a, b in zip((1, 3, 3, 1), *moments, strict=True))
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3000):
        x = rng.normal(size=(40, 1))
        estimate = kernel_distance(x, x + rng.normal(shift, noise, (40, 1)))
        assert estimate is not None
        found.append(estimate.value)
    assert abs(np.mean(found) - truth) < 4 * stats.sem(found)


def test_equal_sets_have_no_distance() -> None:
    x, _ = _pair(20, 30)
    found = kernel_distance(x, x)
    assert found is not None
    assert abs(found.value) < 1e-14


def test_the_blocks_that_bound_the_memory_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = _pair(25, 6)
    whole = kernel_distance(x, y)
    monkeypatch.setattr(kernel, "_BLOCK_ROWS", 7)
    blocks = kernel_distance(x, y)
    assert whole is not None
    assert blocks is not None
    assert blocks.value == pytest.approx(whole.value, rel=1e-12)


def test_fewer_than_three_images_have_no_distance() -> None:
    assert kernel_distance(*_pair(2, 4)) is None
    assert kernel_distance(*_pair(3, 4)) is not None


def test_sets_of_different_sizes_are_not_paired() -> None:
    with pytest.raises(RequestError, match="5 originals and 6 reconstructions"):
        kernel_distance(_pair(5, 4)[0], _pair(6, 4)[1])
