"""Moments put together part by part against SciPy and NumPy on all vectors at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kurtosis

from vitok_lib.measure.latents.moments import Moments, total


def in_parts(vectors: np.ndarray) -> Moments:
    return total([Moments.of(part) for part in np.split(vectors, [1, 2, 40, 900])])


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_parts_of_any_size_give_the_moments_of_the_whole_even_far_from_zero(offset: float) -> None:
    vectors = np.random.default_rng(0).gamma(2, [1, 3, 0.1], size=(2000, 3)) + offset
    found = in_parts(vectors)
    assert found.count == 2000
    assert found.mean == pytest.approx(vectors.mean(axis=0), rel=1e-12)
    assert found.covariance == pytest.approx(np.cov(vectors.T, bias=True), rel=1e-6, abs=1e-6)
    assert found.excess_kurtosis == pytest.approx(kurtosis(vectors - offset, axis=0), rel=1e-6)
    assert found.overall_mean == pytest.approx(vectors.mean(), rel=1e-12)
    assert found.overall_std == pytest.approx(vectors.std(), rel=1e-6)


def test_single_precision_is_summed_in_double() -> None:
    vectors = (np.random.default_rng(0).normal(size=(4000, 2)) + 1000).astype(np.float32)
    assert in_parts(vectors).std == pytest.approx(vectors.astype(np.float64).std(axis=0), rel=1e-9)


def test_a_dead_channel_varies_by_less_than_a_share_of_all() -> None:
    vectors = np.random.default_rng(0).normal(0, [1, 0.5, 0.005, 0], size=(5000, 4)) + 7
    moments = Moments.of(vectors)
    assert moments.dead(0.01).tolist() == [False, False, True, True]
    assert np.isnan(moments.excess_kurtosis).tolist() == [False, False, False, True]
