"""Bootstrap intervals, of one mean and of differences, against normal theory and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vitok_lib.metrics import statistics
from vitok_lib.metrics.statistics import bootstrap_mean, paired_differences


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


def _of_three(n: int = 4000) -> dict[str, np.ndarray]:
    """Three tokenizers whose values share the images' differences, and differ by 0, 0.1 and 1 in the mean."""
    rng = np.random.default_rng(0)
    images = rng.normal(30, 4, n)
    return {name: images + rng.normal(gain, 0.5, n) for name, gain in (("a", 0), ("b", 0.1), ("c", 1))}


def test_each_two_are_compared_and_the_number_of_comparisons_is_stated() -> None:
    found = paired_differences(_of_three(50))
    assert [(each.first, each.second) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {(each.comparisons, each.n, each.level) for each in found} == {(3, 50, 0.95)}


def test_the_intervals_are_those_of_normal_theory_with_bonferronis_level() -> None:
    values = _of_three()
    for each in paired_differences(values):
        differences = values[each.first] - values[each.second]
        expected = stats.norm.interval(1 - 0.05 / 3, differences.mean(), stats.sem(differences))
        assert each.mean == pytest.approx(differences.mean(), rel=1e-12)
        assert (each.low, each.high) == pytest.approx(expected, abs=0.05 * (expected[1] - expected[0]))


def test_one_comparison_has_the_interval_of_its_differences() -> None:
    values = {name: column for name, column in _of_three(40).items() if name != "c"}
    (found,) = paired_differences(values)
    low, high = bootstrap_mean(values["a"] - values["b"])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_a_difference_is_clear_where_the_interval_leaves_out_zero() -> None:
    clear = {(each.first, each.second): each.clear for each in paired_differences(_of_three(30))}
    assert clear == {("a", "b"): False, ("a", "c"): True, ("b", "c"): True}


def test_many_comparisons_draw_enough_resamples_for_their_ends() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(0, 1, 30)
    values = {str(index): images + rng.normal(0, 0.1, 30) for index in range(10)}
    found = paired_differences(values)
    assert len(found) == 45
    for each in found:
        differences = values[each.first] - values[each.second]
        expected = stats.norm.interval(1 - 0.05 / 45, differences.mean(), differences.std() / np.sqrt(30))
        assert (each.low, each.high) == pytest.approx(expected, abs=0.15 * (expected[1] - expected[0]))


def test_equal_tokenizers_do_not_differ() -> None:
    values = _values(20)
    (found,) = paired_differences({"a": values, "b": values.copy()})
    assert (found.mean, found.low, found.high, found.clear) == (0, 0, 0, False)


def test_the_blocks_of_resamples_do_not_show_in_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = paired_differences(_of_three(60))
    monkeypatch.setattr(statistics, "_BLOCK_VALUES", 7 * 60)
    for one, other in zip(whole, paired_differences(_of_three(60)), strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.02)


@pytest.mark.parametrize("names", [[], ["a"]], ids=["none", "one"])
def test_fewer_than_two_tokenizers_have_no_difference(names: list[str]) -> None:
    assert paired_differences({name: _values(5) for name in names}) == []


@pytest.mark.parametrize(
    ("second", "words"),
    [(_values(6), "for each image"), (np.full(5, np.nan), "finite values")],
    ids=["other-images", "no-numbers"],
)
def test_values_that_are_not_paired_are_an_error(second: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        paired_differences({"a": _values(5), "b": second})
