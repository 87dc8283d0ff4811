"""What an evaluation is planned with: the n that tells two tokenizers apart, against a simulation of its power."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]  # ships no types

from tests.fakes.reading import text_of
from tests.fakes.records import write_colours, write_measured
from vitok_lib.metrics.statistics import images_needed
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings.padding import paddings
from vitok_lib.report.findings.planning import distances_told_apart, images_to_tell_apart


def test_half_of_all_samples_find_the_difference_and_four_of_five_of_twice_the_size() -> None:
    generator, deviation, difference = np.random.default_rng(3), 2.0, 0.5
    needed = images_needed(deviation, difference)
    for n, power in ((needed, 0.5), (2 * needed, 0.8)):
        samples = generator.normal(difference, deviation, (4000, n))
        found = stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05
        assert found.mean() == pytest.approx(power, abs=0.03)


def test_the_pairs_that_spread_least_and_most_are_named_with_their_n(results: Path) -> None:
    base = np.array([20.0, 24, 28, 32, 36, 40])
    even, uneven = np.array([0.5, -0.5] * 3), np.array([2.0, -2.0] * 3)
    for name, values in (("pca-f16x64", base), ("nano-f16x64", base + even), ("nano-kl-f8x16", base + uneven)):
        write_measured(results, "cpu", name, "photos-512", {"psnr": values.tolist()})
    half, tenth = map(text_of, images_to_tell_apart(load(), "photos-512", "psnr"))
    for difference, text in ((0.5, half), (0.1, tenth)):
        for values in (even, uneven):
            n = images_needed(float(values.std(ddof=1)), difference)
            assert f" {n:,} [" in text
    assert half.index("nano-f16x64 minus pca-f16x64") < half.index("nano-kl-f8x16 minus pca-f16x64")


def test_a_single_pair_is_named_once(results: Path) -> None:
    for name, values in (("pca-f16x64", [20.0, 24.0, 28.0]), ("nano-f16x64", [20.5, 24.0, 29.0])):
        write_measured(results, "cpu", name, "photos-512", {"psnr": values})
    half, _ = map(text_of, images_to_tell_apart(load(), "photos-512", "psnr"))
    assert half.count("nano-f16x64 minus pca-f16x64") == 1


def test_no_pair_with_a_baseline_plans_nothing(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [20.0, 30.0]})
    assert images_to_tell_apart(load(), "photos-512", "psnr") == []


def test_distances_part_at_the_least_n_whose_intervals_do(results: Path) -> None:
    write_colours(results)
    distance, kernel = map(text_of, distances_told_apart(load(), "how-many-random-256"))
    assert "apart is 16, where" in distance  # 1 and 1, and then 1 and 2, each ± 0.2
    assert "does not tell" in kernel


def test_a_change_of_one_image_is_not_tested(results: Path) -> None:
    changes = {f"{of}_change": [1.0] for of in ("padding", "border", "inside", "aspect_3_2")}
    write_measured(results, "cpu", "nano-f16x64", "padding-512", changes)
    for text in map(text_of, paddings(load(), "padding-512")):
        assert "too few for a test" in text
        assert "significant" not in text


def test_a_change_that_its_interval_does_not_leave_out_of_zero_is_not_significant(results: Path) -> None:
    changes = {f"{of}_change": [0.0, 0.1, -0.1, 0.05] for of in ("padding", "border")}
    write_measured(results, "cpu", "nano-f16x64", "padding-512", changes | {"inside_change": [1.0, 1.1, 1.2, 1.3]})
    (sentence,) = map(text_of, paddings(load(), "padding-512"))
    assert sentence.count("not significant") == 2
    assert "1.15" in sentence
    assert "canvas" not in sentence
