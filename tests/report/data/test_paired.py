"""Paired differences and all pairs at once, against scipy's paired t test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from tests.fakes.reading import text_of
from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.report.data import paired
from vitok_lib.report.data.record_view import find, load, of_case
from vitok_lib.report.findings import quality
from vitok_lib.report.page.content import Note, Number, plain
from vitok_lib.report.tables import by_image
from vitok_lib.report.tables.best import best_table

CASE = "photos-512"


def ends(difference: paired.Difference) -> tuple[float, float]:
    assert difference.interval is not None
    return difference.interval.low, difference.interval.high


def test_paired_difference_is_the_mean_over_images(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 40.0, 21.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 38.0, 21.5]})
    entries = of_case(load(), CASE)
    difference = paired.to_baseline(find(entries, f"{CASE}/nano-f16x64"), entries, "psnr")
    assert difference is not None
    assert difference.mean == pytest.approx((1.0 + 2.0 - 0.5) / 3)
    assert difference.n == 3
    expected = ttest_rel([30.0, 40.0, 21.0], [29.0, 38.0, 21.5])
    assert ends(difference) == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9)
    assert difference.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (difference.clear, difference.remark) == (False, "not significant")


def test_the_differences_to_the_floor_hold_together(results: Path) -> None:
    columns = {"pca-f16x64": [29.0, 38.0, 21.5], "nano-f16x64": [30.0, 40.0, 21.0], "nano-kl-f8x16": [28.0, 39.0, 20.0]}
    write_measured(results, "cpu", "nano-f32x64", CASE, {"psnr": [28.0, 39.0, 20.0]})  # of another rate
    for name, column in columns.items():
        write_measured(results, "cpu", name, CASE, {"psnr": column})
    entries = of_case(load(), CASE)
    difference = paired.to_baseline(find(entries, f"{CASE}/nano-f16x64"), entries, "psnr")
    assert difference is not None
    expected = ttest_rel(columns["nano-f16x64"], columns["pca-f16x64"]).confidence_interval(1 - 0.05 / 2)
    assert ends(difference) == pytest.approx(tuple(expected), rel=1e-9)


def test_one_image_has_no_interval_and_no_winner(results: Path) -> None:
    for name, value in (("nano-f16x64", 31.0), ("pca-f16x64", 29.0)):
        write_measured(results, "cpu", name, CASE, {"psnr": [value]})
    first, second = (find(load(), f"{CASE}/{name}") for name in ("nano-f16x64", "pca-f16x64"))
    found = paired.paired(first, second, "psnr")
    assert (found.mean, found.interval, found.p_value, found.clear) == (2.0, None, None, False)
    assert found.remark == "one image, no test"
    assert paired.winners(load(), "psnr") == {}
    (sentence,) = quality.best_measured(load(), CASE, "psnr")
    assert "no tokenizer is named best by PSNR: one image allows no test" in text_of(sentence)
    assert not [row for row in best_table(load(), ["photos"], ["psnr"]).rows if CASE in plain(row[0])]


def test_of_two_that_do_not_differ_significantly_neither_is_best(results: Path) -> None:
    columns = {"nano-f16x64": [30.0, 31.0, 33.0, 32.0], "nano-kl-f8x16": [29.9, 31.2, 32.8, 32.0]}
    for name, column in (columns | {"pca-f16x64": [20.0, 21.0, 23.1, 22.0]}).items():
        write_measured(results, "cpu", name, CASE, {"psnr": column})
    assert paired.winners(load(), "psnr") == {}
    (results / "cpu" / CASE / "nano-kl-f8x16.json").unlink()
    assert [held.entry.stem for held in paired.winners(load(), "psnr").values()] == ["nano-f16x64"]


def test_each_rate_has_a_best_of_its_own_and_none_ranks_across_rates(results: Path) -> None:
    columns = {"nano-f16x64": [30.0, 31.0, 33.0], "pca-f16x64": [29.0, 30.0, 32.1]}  # 4 bit/px
    columns |= {"nano-f16x32": [27.0, 28.0, 30.0], "nano-f32x128": [26.0, 27.0, 29.1]}  # 2 bit/px
    for name, column in columns.items():
        write_measured(results, "cpu", name, CASE, {"psnr": column})
    write_measured(results, "cpu", "webp:q=80", CASE, {"psnr": [50.0, 51.0, 52.0], "bpp": [1.0, 1.4, 1.8]})
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [48.0, 49.0, 50.0]})  # whose rate nobody counted
    assert {held.entry.stem for held in paired.winners(load(), "psnr").values()} == {"nano-f16x64", "nano-f16x32"}
    first, second = (find(load(), f"{CASE}/{name}") for name in ("webp_q_80", "nano-f16x64"))
    with pytest.raises(RequestError, match="not of equal rate"):
        paired.paired(first, second, "psnr")


def test_each_tokenizer_is_compared_with_the_pca_baseline_of_its_own_rate(results: Path) -> None:
    columns = {"nano-f16x64": [30.0, 31.0, 33.0], "pca-f16x64": [29.0, 30.0, 32.1]}  # 4 bit/px
    columns |= {"nano-f16x32": [27.0, 28.0, 30.0], "pca-f16x32": [28.0, 29.0, 31.5]}  # 2 bit/px
    columns |= {"nano-f32x64": [20.0, 21.0, 22.0]}  # 1 bit/px, without a baseline
    for name, column in columns.items():
        write_measured(results, "cpu", name, CASE, {"psnr": column})
    entries = load()
    found = {entry.stem: paired.to_baseline(entry, entries, "psnr") for entry in entries}
    assert {name: difference.other.stem for name, difference in found.items() if difference} == {
        "nano-f16x64": "pca-f16x64",
        "nano-f16x32": "pca-f16x32",
    }
    assert found["nano-f16x32"].mean == pytest.approx(-3.5 / 3)


def test_a_value_that_is_not_finite_is_named(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 31.0]})
    path = write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 28.0]})
    frame = pd.read_parquet(path.with_suffix(".parquet")).assign(psnr=[29.0, np.inf])
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
    first, second = (find(load(), f"{CASE}/{name}") for name in ("nano-f16x64", "pca-f16x64"))
    with pytest.raises(RequestError, match="'cpu/photos-512/pca-f16x64' holds a 'psnr' of a single image that is not"):
        paired.paired(first, second, "psnr")


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
    assert [paired.to_baseline(entry, entries, "psnr") for entry in entries] == [None, None]


def test_pairing_across_protocols_is_refused(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [29.0, 30.0]}, manifest="1" * 64)
    first, second = load()
    with pytest.raises(RequestError, match="different protocols"):
        paired.paired(first, second, "psnr")


def write_three(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 31.0, 33.0]})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [28.0, 30.0, 30.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 28.0, 30.5]})
    write_measured(results, "cpu", "nano-f32x64", CASE, {"psnr": [39.0, 38.0, 39.0]})  # alone at its rate


def test_the_intervals_of_all_pairs_are_scipys_at_bonferronis_level(results: Path) -> None:
    drawn = np.random.default_rng(5)
    columns = {name: drawn.normal(30, 2, 12) for name in ("nano-f16x64", "nano-kl-f8x16", "5B-f16x64", "pca-f16x64")}
    for name, column in columns.items():
        write_measured(results, "cpu", name, CASE, {"psnr": column.tolist()})
    pairs = paired.all_pairs(load(), CASE, "psnr")
    assert (len(pairs.differences), pairs.single_level) == (6, pytest.approx(1 - 0.05 / 6))
    for pair in pairs.differences:
        expected = ttest_rel(columns[pair.entry.stem], columns[pair.other.stem])
        assert ends(pair) == pytest.approx(tuple(expected.confidence_interval(1 - 0.05 / 6)), rel=1e-9)
        assert pair.p_value is not None
        assert pair.p_value >= min(1, 2 * expected.pvalue) or pair.p_value == pytest.approx(expected.pvalue)
        assert pair.effect == pytest.approx(expected.statistic / np.sqrt(12), rel=1e-9)


def test_the_table_of_pairs_states_how_many_there_are_and_what_their_intervals_allow_for(results: Path) -> None:
    """Of three images t(2) at 1 − 0.05/3 is 7.649; the differences have the standard errors 0.577, 0.601 and 0.928."""
    write_three(results)
    table = by_image.pairs_table(paired.all_pairs(load(), CASE, "psnr"))
    assert [number.text for number in table.notes[0] if isinstance(number, Number)] == ["3", "98.33 %", "0", "3"]
    both, rate = ["nano-f16x64", "nano-kl-f8x16"], "4 bit/px (12 : 1)"
    assert [[plain(cell) for cell in row] for row in table.rows] == [
        [*both, rate, "+2.00 [−2.42, 6.42] not significant", "+2.00", "0.21"],
        [both[0], "pca-f16x64", rate, "+2.17 [−2.43, 6.76] not significant", "+2.08", "0.21"],
        [both[1], "pca-f16x64", rate, "+0.17 [−6.93, 7.26] not significant", "+0.10", "0.87"],
    ]
    assert Note("not significant") in table.rows[2][3]
    tip = next(part.tip for part in table.rows[0][3] if isinstance(part, Number))
    assert "one of 3 that hold together (Bonferroni)" in tip
    assert "Holm-adjusted" in tip


def test_one_tokenizer_has_no_pairs(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 31.0]})
    with pytest.raises(
        RequestError, match="no two records of 'photos-512' at equal rate keep the 'psnr' of single images"
    ):
        paired.all_pairs(load(), CASE, "psnr")
