"""The jackknife against Student's interval, which it equals for a mean, and against a simulation for a deviation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vitok_lib.metrics.jackknife import jackknife_interval
from vitok_lib.metrics.statistics import mean_interval


def test_of_a_mean_with_groups_of_one_it_is_students_interval() -> None:
    values = np.random.default_rng(0).gamma(2, size=12)
    replicates = [float(np.delete(values, place).mean()) for place in range(12)]
    assert jackknife_interval(float(values.mean()), replicates) == pytest.approx(mean_interval(values))


def test_it_covers_the_deviation_of_all_values_of_a_set() -> None:
    """Images of 50 values each, whose spread differs between images: the true σ² is 1 + ⅓."""
    generator = np.random.default_rng(1)
    true, covered, rounds = math.sqrt(4 / 3), 0, 400
    for _ in range(rounds):
        spread = generator.uniform(0, 2, (20, 1))
        values = generator.normal(size=(20, 50)) * spread
        groups = [np.delete(values, slice(group, None, 10), axis=0) for group in range(10)]
        low, high = jackknife_interval(values.std(), [float(group.std()) for group in groups]) or (0, 0)
        covered += low <= true <= high
    assert covered / rounds == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("replicates", [[1.0], [1.0, math.nan]])
def test_one_group_or_a_replicate_that_is_not_finite_gives_no_interval(replicates: list[float]) -> None:
    assert jackknife_interval(1.0, replicates) is None
