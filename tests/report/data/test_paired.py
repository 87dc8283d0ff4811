"""Paired differences and all pairs at once, against every resample there is and against the normal law."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.report.data import paired
from vitok_lib.report.data.record_view import find, load, of_case
from vitok_lib.report.page.content import Note, Number, plain
from vitok_lib.report.tables import by_image

CASE = "photos-512"


def test_paired_difference_is_the_mean_over_images(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 40.0, 21.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 38.0, 21.5]})
    entries = of_case(load(), CASE)
    difference = paired.to_floor(find(entries, f"{CASE}/nano-f16x64"), entries, "psnr")
    assert difference is not None
    assert difference.mean == pytest.approx((1.0 + 2.0 - 0.5) / 3)
    assert difference.n == 3
    # The mean of three resampled differences lies between the smallest and the largest; 1 in 27 resamples is all −0.5.
    assert (difference.interval.low, difference.interval.high) == pytest.approx((-0.5, 2.0))
    assert not difference.clear


def test_paired_interval_is_that_of_every_resample_there_is(results: Path) -> None:
    first, second = [30.0, 31.0, 33.0, 30.5, 29.0], [28.0, 30.7, 31.0, 29.0, 28.9]
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": first})
    write_measured(results, "cpu", "nano-f16x32", CASE, {"psnr": second})
    entries = load()
    found = paired.paired(*(find(entries, f"{CASE}/{name}") for name in ("nano-f16x64", "nano-f16x32")), "psnr")
    every = [np.mean(drawn) for drawn in product(np.subtract(first, second), repeat=5)]
    assert (found.interval.low, found.interval.high) == pytest.approx(np.quantile(every, [0.025, 0.975]), abs=0.05)


def test_an_image_without_a_value_is_left_out(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, float("nan"), 34.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, float("nan"), 31.0]})
    first, second = (find(load(), f"{CASE}/{name}") for name in ("nano-f16x64", "pca-f16x64"))
    found = paired.paired(first, second, "psnr")
    assert (found.n, found.mean) == (2, pytest.approx(2.0))


def test_floor_has_no_distance_to_itself_and_other_protocols_have_none(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "local", "nano-f16x64", CASE, {"psnr": [31.0, 32.0]})
    entries = of_case(load(), CASE)
    assert [paired.to_floor(entry, entries, "psnr") for entry in entries] == [None, None]


def test_pairing_across_protocols_is_refused(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [29.0, 30.0]}, manifest="1" * 64)
    first, second = load()
    with pytest.raises(RequestError, match="different protocols"):
        paired.paired(first, second, "psnr")


def write_three(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 31.0, 33.0]})
    write_measured(results, "cpu", "nano-f16x32", CASE, {"psnr": [28.0, 30.0, 30.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 28.0, 30.5]})


def test_intervals_of_all_pairs_of_three_images_span_all_their_differences(results: Path) -> None:
    """One resample in 27 holds one image alone, more than the 5 % shared by three pairs leave out."""
    write_three(results)
    pairs = paired.all_pairs(load(), CASE, "psnr")
    found = {
        (pair.entry.stem, pair.other.stem): (pair.mean, pair.interval.low, pair.interval.high)
        for pair in pairs.differences
    }
    assert found == {
        ("nano-f16x64", "nano-f16x32"): pytest.approx((2.0, 1.0, 3.0)),
        ("nano-f16x64", "pca-f16x64"): pytest.approx((6.5 / 3, 1.0, 3.0)),
        ("nano-f16x32", "pca-f16x64"): pytest.approx((0.5 / 3, -1.0, 2.0)),
    }
    assert pairs.single_level == pytest.approx(1 - 0.05 / 3)


def test_intervals_of_all_pairs_are_as_wide_as_the_normal_law_with_bonferroni_asks(results: Path) -> None:
    drawn = np.random.default_rng(5)
    columns = {name: drawn.normal(30, 2, 400) for name in ("nano-f16x64", "nano-f16x32", "nano-f32x64", "pca-f16x64")}
    for name, column in columns.items():
        write_measured(results, "cpu", name, CASE, {"psnr": column.tolist()})
    pairs = paired.all_pairs(load(), CASE, "psnr").differences
    assert len(pairs) == 6
    for pair in pairs:
        values = columns[pair.entry.stem] - columns[pair.other.stem]
        half = norm.ppf(1 - 0.05 / 2 / 6) * values.std(ddof=1) / np.sqrt(400)
        assert pair.interval.high - pair.interval.low == pytest.approx(2 * half, rel=0.06)


def test_the_table_of_pairs_states_how_many_there_are_and_what_their_intervals_allow_for(results: Path) -> None:
    write_three(results)
    table = by_image.pairs_table(paired.all_pairs(load(), CASE, "psnr"))
    assert [number.text for number in table.notes[0] if isinstance(number, Number)] == ["3", "98.33 %", "2", "1"]
    assert [[plain(cell) for cell in row] for row in table.rows] == [
        ["nano-f16x64", "31.33 [30.00, 33.00]", "+2.00 [1.00, 3.00]", "+2.17 [1.00, 3.00]"],
        ["nano-f16x32", "29.33 [28.00, 30.00]", "", "+0.17 [−1.00, 2.00] not significant"],
    ]
    assert Note("not significant") in table.rows[1][3]
    tip = next(part.tip for part in table.rows[0][2] if isinstance(part, Number))
    assert "one of 3 that hold together (Bonferroni)" in tip


def test_one_tokenizer_has_no_pairs(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 31.0]})
    with pytest.raises(RequestError, match="no two records of 'photos-512' keep the 'psnr' of single images"):
        paired.all_pairs(load(), CASE, "psnr")
