"""Intervals of means, of paired differences and of medians: coverage in simulation, and scipy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from vitok_lib.metrics.statistics import (
    clipped,
    deviation_interval,
    holm,
    images_needed,
    mean_interval,
    median_interval,
    paired_differences,
    paired_interval,
    share_interval,
    student_quantile,
)

COUNTS = (5, 6, 8, 24, 100)
LOGNORMAL_MEAN = float(np.exp(0.5**2 / 2))


def _values(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(30, 4, count)


@pytest.mark.parametrize("degrees", [1, 4, 23, 1000])
@pytest.mark.parametrize("tail", [0.025, 0.05 / 110, 1e-6])
def test_the_quantile_is_students(degrees: int, tail: float) -> None:
    assert student_quantile(degrees, tail) == pytest.approx(stats.t.isf(tail, degrees), rel=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 7, 300])
def test_the_interval_of_a_mean_is_scipys(n: int, level: float) -> None:
    values = _values(n)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert mean_interval(values, level) == pytest.approx((expected.low, expected.high), rel=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("n", [2, 6, 40])
def test_the_paired_interval_is_scipys(n: int, level: float) -> None:
    a, b = _values(n), _values(n, seed=1)
    expected = stats.ttest_rel(a, b).confidence_interval(level)
    assert paired_interval(a, b, level) == pytest.approx((expected.low, expected.high), rel=1e-9)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize(
    ("draw", "mean", "least"),
    [
        (lambda rng, n: rng.normal(size=n), 0.0, 0.94),
        (lambda rng, n: rng.standard_t(5, n), 0.0, 0.94),
        (lambda rng, n: rng.lognormal(0, 0.5, n), LOGNORMAL_MEAN, 0.90),
    ],
    ids=["normal", "t5", "log-normal"],
)
def test_the_interval_covers_the_mean_at_every_n(draw, mean: float, least: float, n: int) -> None:
    """The percentile bootstrap covers 0.83 at n = 5 and 0.90 at n = 8, of normal values."""
    rng = np.random.default_rng([n, 1])
    found = [mean_interval(draw(rng, n)) for _ in range(3000)]
    covered = np.mean([low <= mean <= high for low, high in found])
    assert covered >= least


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("k", [2, 11])
def test_of_equal_tokenizers_few_tables_hold_a_significant_difference(k: int, n: int) -> None:
    """The percentile bootstrap finds one in 76 % of tables of 11 tokenizers over 6 images."""
    rng = np.random.default_rng([k, n])
    tables, false = 120, 0
    for _ in range(tables):
        images = rng.normal(30, 4, n)
        found = paired_differences({str(i): images + rng.normal(0, 0.5, n) for i in range(k)})
        false += any(each.clear for each in found)
    assert stats.binomtest(false, tables, 0.06, alternative="greater").pvalue > 1e-3, f"{false} of {tables} tables"


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_values_have_no_interval(count: int) -> None:
    values = _values(count)
    assert mean_interval(values) is None
    assert paired_interval(values, values + 1) is None


def test_one_image_names_no_winner() -> None:
    (found,) = paired_differences({"a": [30.0], "b": [20.0]})
    assert (found.mean, found.low, found.high, found.p_value, found.clear) == (10, None, None, None, False)


@pytest.mark.parametrize("value", [0.5, 0.1, 4.0])
def test_equal_values_have_an_interval_without_width(value: float) -> None:
    assert mean_interval(np.full(12, value)) == (value, value)


def test_the_interval_moves_and_scales_with_the_values_and_their_order_does_not_matter() -> None:
    values = _values(9)
    low, high = mean_interval(values)
    assert mean_interval(values + 7) == pytest.approx((low + 7, high + 7), rel=1e-12)
    assert mean_interval(-3 * values) == pytest.approx((-3 * high, -3 * low), rel=1e-12)
    assert mean_interval(values[::-1]) == pytest.approx((low, high), rel=1e-12)
    assert mean_interval(values.tolist()) == (low, high)


def test_a_difference_turned_round_has_the_interval_turned_round() -> None:
    a, b = _values(6), _values(6, seed=1)
    low, high = paired_interval(a, b)
    assert paired_interval(b, a) == pytest.approx((-high, -low), rel=1e-12)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_not_finite_is_named(bad: float) -> None:
    """Equal images have an infinite PSNR."""
    values = np.array([30.0, bad, 31.0])
    for call in (
        lambda: mean_interval(values),
        lambda: paired_interval(values, values),
        lambda: paired_differences({"a": np.ones(3), "b": values}),
    ):
        with pytest.raises(ValueError, match=f"1 of 3 are not \\({bad} at 1\\)"):
            call()


def test_values_of_other_images_are_not_paired() -> None:
    with pytest.raises(ValueError, match="not 5 and 6"):
        paired_interval(_values(5), _values(6))
    with pytest.raises(ValueError, match="for each image"):
        paired_differences({"a": _values(5), "b": _values(6)})


def _of_three(n: int = 4000) -> dict[str, np.ndarray]:
    """Three tokenizers whose values share the images' differences, and differ by 0, 0.1 and 1 in the mean."""
    rng = np.random.default_rng(0)
    images = rng.normal(30, 4, n)
    return {name: images + rng.normal(gain, 0.5, n) for name, gain in (("a", 0), ("b", 0.1), ("c", 1))}


def test_each_two_are_compared_and_the_number_of_comparisons_is_stated() -> None:
    found = paired_differences(_of_three(50))
    assert [(each.first, each.second) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {(each.comparisons, each.n, each.level) for each in found} == {(3, 50, 0.95)}


def test_the_intervals_are_scipys_at_bonferronis_level_and_the_p_values_holms_by_hand() -> None:
    values = _of_three(40)
    found = paired_differences(values)
    tests = [stats.ttest_rel(values[each.first], values[each.second]) for each in found]
    for each, test in zip(found, tests, strict=True):
        expected = test.confidence_interval(1 - 0.05 / 3)
        assert (each.low, each.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
        assert each.mean == pytest.approx(np.mean(values[each.first] - values[each.second]), rel=1e-12)
    order = np.argsort([test.pvalue for test in tests])
    factors = {int(place): 3 - rank for rank, place in enumerate(order)}
    by_hand = [min(1, factors[place] * test.pvalue) for place, test in enumerate(tests)]
    assert [each.p_value for each in found] == pytest.approx(by_hand, rel=1e-9)


def test_holms_procedure_is_that_of_the_example_by_hand() -> None:
    """0.01 · 4; 0.02 · 3; 0.03 · 2, raised to the one before; 0.04 · 1, raised as well."""
    assert holm([0.02, 0.01, None, 0.04, 0.03]) == pytest.approx([0.06, 0.04, None, 0.06, 0.06])
    assert holm([0.7, 0.9]) == [1.0, 1.0]


def test_a_difference_is_clear_where_the_interval_leaves_out_zero() -> None:
    clear = {(each.first, each.second): each.clear for each in paired_differences(_of_three(30))}
    assert clear == {("a", "b"): False, ("a", "c"): True, ("b", "c"): True}


def test_equal_tokenizers_do_not_differ() -> None:
    values = _values(20)
    (found,) = paired_differences({"a": values, "b": values.copy()})
    assert (found.mean, found.low, found.high, found.p_value, found.clear) == (0, 0, 0, 1, False)


@pytest.mark.parametrize("names", [[], ["a"]], ids=["none", "one"])
def test_fewer_than_two_tokenizers_have_no_difference(names: list[str]) -> None:
    assert paired_differences({name: _values(5) for name in names}) == []


@pytest.mark.parametrize("n", [6, 9, 10, 25])
def test_the_interval_of_a_median_is_that_of_the_binomial_law(n: int) -> None:
    values = _values(n)
    k = int(stats.binom.ppf(0.025, n, 0.5))  # the most values below the median that the lower tail allows
    assert median_interval(values.tolist()) == (np.sort(values)[k - 1], np.sort(values)[n - k])


def test_five_rounds_have_no_interval_of_their_median() -> None:
    assert median_interval(_values(5).tolist()) is None


@pytest.mark.parametrize(
    ("interval", "expected"),
    [((0.4, 1.1), (0.4, 1.0)), ((-1.2, 0.3), (-1.0, 0.3)), ((-0.5, 0.5), (-0.5, 0.5)), ((1.0, 1.0), (1.0, 1.0))],
)
def test_an_interval_is_cut_at_the_bounds(interval: tuple[float, float], expected: tuple[float, float]) -> None:
    assert clipped(interval, (-1, 1)) == expected
    assert clipped(None, (-1, 1)) is None


def test_cutting_costs_no_coverage() -> None:
    """Values of an SSIM that are close to 1, n = 5: the intervals are narrower and hold the mean as often."""
    rng = np.random.default_rng(7)
    samples = 1 - rng.beta(1, 8, (4000, 5))
    mean, found = 8 / 9, [mean_interval(sample) for sample in samples]
    cut = [clipped(interval, (-1, 1)) for interval in found]
    assert any(interval is not None and interval[1] > 1 for interval in found)
    assert [low <= mean <= high for low, high in filter(None, cut)] == [
        low <= mean <= high for low, high in filter(None, found)
    ]


@pytest.mark.parametrize(("successes", "n"), [(0, 18), (1, 18), (11, 18), (18, 18), (6, 6)])
def test_the_interval_of_a_share_is_scipys_clopper_and_pearson(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(0.95, method="exact")
    assert share_interval([1.0] * successes + [0.0] * (n - successes)) == pytest.approx(tuple(expected))


def test_images_that_all_succeed_bound_the_share_by_the_chance_that_they_all_do() -> None:
    low, high = share_interval([1.0] * 18) or (0.0, 0.0)
    assert (low**18, high) == (pytest.approx(0.025), 1.0)


@pytest.mark.parametrize("together", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
def test_the_interval_of_a_share_covers_it_where_students_does_not(share: float, together: float) -> None:
    """18 pages of 3 lines; ``together`` is the correlation of the lines of a page."""
    rng, pages = np.random.default_rng(0), (1000, 18)
    scale = 1 / together - 1 if together else np.inf
    chance = rng.beta(share * scale, (1 - share) * scale, pages) if 0 < scale < np.inf else np.full(pages, share)
    lines = rng.binomial(3, chance) if scale else 3 * rng.binomial(1, chance)
    intervals = [share_interval(row) or (1.0, 0.0) for row in lines / 3]
    assert np.mean([low <= share <= high for low, high in intervals]) >= 0.95
    if share == 0.98:
        students = [mean_interval(row) or (1.0, 0.0) for row in lines / 3]
        assert np.mean([low <= share <= high for low, high in students]) < 0.75


@pytest.mark.parametrize("values", [[1.1, 0.5], [-0.01, 1.0]])
def test_a_share_outside_its_range_is_named(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"shares must be from 0 to 1, and -?[01.]+ is not"):
        share_interval(values)


@pytest.mark.parametrize(("deviation", "margin"), [(3.0, 0.5), (3.0, 0.1), (0.2, 0.05), (0.001, 1.0)])
def test_the_images_needed_are_the_fewest_whose_interval_is_as_narrow(deviation: float, margin: float) -> None:
    needed = images_needed(deviation, margin)

    def half_width(n: int) -> float:
        return float(stats.t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)

    assert half_width(needed) <= margin
    assert needed == 2 or half_width(needed - 1) > margin


def test_half_the_width_takes_four_times_the_images() -> None:
    few, many = images_needed(3.0, 0.1), images_needed(3.0, 0.05)
    assert many / few == pytest.approx(4, rel=0.01)
    assert few == pytest.approx((1.959964 * 3 / 0.1) ** 2, rel=0.01)  # of the normal distribution, which t becomes


def test_the_interval_of_a_deviation_holds_it_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(3).normal(5, 2, (2000, 12))
    ends = [deviation_interval(values) for values in drawn]
    assert np.mean([low <= 2 <= high for low, high in ends]) == pytest.approx(0.95, abs=0.015)


def test_the_interval_of_a_deviation_is_that_of_the_table_of_chi_square() -> None:
    """Of ten values whose deviation is 2: χ² of nine degrees leaves 2.5 % beyond 19.023 and below 2.700."""
    values = np.arange(10) - 4.5
    low, high = deviation_interval(2 * values / values.std(ddof=1))
    assert low == pytest.approx(2 * math.sqrt(9 / 19.023), rel=1e-4)
    assert high == pytest.approx(2 * math.sqrt(9 / 2.700), rel=1e-3)
