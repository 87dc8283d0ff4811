"""Bjøntegaard differences against curves whose difference is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vitok_lib.metrics.bjontegaard import curve_of, log_rate_difference, quality_difference

RATES = np.array([0.2, 0.4, 0.7, 1.5, 3.0])
QUALITIES = np.array([24.0, 27.5, 30.0, 33.5, 36.0])


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.25, 3.0])
def test_a_curve_at_a_constant_factor_of_the_rate_has_that_rate_difference(factor: float) -> None:
    found = log_rate_difference(curve_of(factor * RATES, QUALITIES), curve_of(RATES, QUALITIES))
    assert found == pytest.approx(math.log(factor), abs=1e-12)


@pytest.mark.parametrize("shift", [-2.0, 1.0, 6.0])
def test_a_curve_shifted_in_quality_has_that_quality_difference(shift: float) -> None:
    found = quality_difference(curve_of(RATES, QUALITIES + shift), curve_of(RATES, QUALITIES))
    assert found == pytest.approx(shift, abs=1e-12)


def test_straight_curves_that_share_a_part_differ_by_the_mean_over_that_part() -> None:
    # quality = a ln(rate) + c; both reach 22 to 26, where ln of the ratio falls from 1.5 to 0.5 by straight lines
    one = curve_of(np.exp([9.0, 11.0, 13.0, 15.0]), [20.0, 22.0, 24.0, 26.0])  # ln rate = quality − 11
    base = curve_of(np.exp([9.5, 11.5, 13.5, 15.5]), [22.0, 23.0, 24.0, 25.0])  # ln rate = 2 quality − 34.5
    # over 22…25: mean of (q − 11) − (2q − 34.5) = 23.5 − mean q = 0
    assert log_rate_difference(one, base) == pytest.approx(0.0, abs=1e-12)
    # over ln rate 9.5…15: mean of (r + 11) − (r + 34.5)/2 = mean r/2 − 6.25 = −0.125
    assert quality_difference(one, base) == pytest.approx(12.25 / 2 - 6.25, abs=1e-12)


def test_the_difference_is_that_of_the_reverse_with_the_other_sign() -> None:
    changed = QUALITIES + np.array([1, 0.5, 2, -1, 0])
    one, other = curve_of(RATES, QUALITIES), curve_of(RATES * [1.1, 0.9, 1.3, 1, 1.2], changed)
    for difference in (log_rate_difference, quality_difference):
        forth, back = difference(one, other), difference(other, one)
        assert forth is not None
        assert back is not None
        assert forth == pytest.approx(-back)


def test_points_that_are_no_better_for_more_rate_are_left_out() -> None:
    curve = curve_of([0.4, 0.2, 0.5, 0.2, 0.7], [27.0, 24.0, 26.0, 23.0, 27.0])
    np.testing.assert_allclose(np.exp(curve.log_rate), [0.2, 0.4])
    np.testing.assert_allclose(curve.quality, [24.0, 27.0])


def test_curves_apart_have_no_difference() -> None:
    far = curve_of(RATES, QUALITIES + 30)
    assert log_rate_difference(far, curve_of(RATES, QUALITIES)) is None
    assert quality_difference(curve_of(100 * RATES, QUALITIES), curve_of(RATES, QUALITIES)) is None
    touching = curve_of(RATES, QUALITIES + QUALITIES[-1] - QUALITIES[0])
    assert log_rate_difference(touching, curve_of(RATES, QUALITIES)) is None, "one quality in common is no range"


def test_three_points_are_no_curve() -> None:
    short = curve_of(RATES[:3], QUALITIES[:3])
    assert log_rate_difference(short, curve_of(RATES, QUALITIES)) is None
    assert quality_difference(curve_of(RATES, QUALITIES), short) is None
