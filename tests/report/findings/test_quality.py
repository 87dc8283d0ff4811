"""The sentences that the report computes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.fakes.reading import intervals_in, numbers_in, text_of
from tests.fakes.records import write_all, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import quality
from vitok_lib.report.page.content import Number, plain

PROJECT = Path(__file__).resolve().parents[3]
CASE = "photos-512"


def test_the_distance_to_the_baseline_has_a_side(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [25.0, 26.0, 27.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [26.0, 27.0, 28.0]})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [23.0, 24.0, 25.0]})
    write_measured(results, "cpu", "5B-f16x64", CASE, {"psnr": [24.0, 26.0, 28.5]})
    write_measured(results, "cpu", "nano-f16x32", CASE, {"psnr": [20.0, 21.0, 22.0]})  # of another rate
    even, above, below = quality.distance_to_baseline(load(), CASE, "psnr")
    assert [numbers_in(sentence) for sentence in (even, above, below)] == [[0.17], [1.0], [-2.0]]
    assert [intervals_in(sentence) for sentence in (above, below)] == [["[1.00, 1.00]"], ["[−2.00, −2.00]"]]
    assert "5B-f16x64 does not differ significantly" in text_of(even)
    assert "nano-f16x64 is above" in text_of(above)
    assert "nano-kl-f8x16 is below" in text_of(below)


def test_conclusions_rest_on_measured_and_derived_values_alone(results: Path) -> None:
    write_published()
    write_all(results)
    for make in (quality.best_measured, quality.distance_to_baseline):
        for sentence in make(load(), CASE, "psnr"):
            assert {part.kind for part in sentence if isinstance(part, Number)} <= {Kind.MEASURED, Kind.DERIVED}
    with pytest.raises(RequestError, match="nothing measured in 'div8k-1024'"):
        quality.best_measured(load(), "div8k-1024", "psnr")


def test_a_difference_that_the_images_do_not_settle_is_called_that(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 20.0]})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [25.0, 24.8]})
    (sentence,) = quality.best_measured(load(), CASE, "psnr")
    assert "the difference is not significant" in text_of(sentence)


def test_equal_values_share_the_first_place(results: Path) -> None:
    for name in ("nano-f16x64", "nano-kl-f8x16", "pca-f16x64"):
        distance = 2.0 if name == "pca-f16x64" else 1.0
        write_measured(results, "cpu", name, CASE, {}, distances={"fd-dinov2": {50: distance}})
    (sentence,) = quality.best_measured(load(), CASE, "fd-dinov2")
    assert "nano-f16x64 and nano-kl-f8x16 have the lowest FD" in text_of(sentence)


def test_a_best_is_named_at_each_rate_that_two_share_and_at_no_other(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [40.0, 42.0], "bpp": [1.0, 2.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 30.5], "bpp": [4.0, 4.0]})
    (nobody,) = quality.best_measured(load(), CASE, "psnr")
    assert plain(nobody).endswith("no two tokenizers have an equal rate.")
    write_measured(results, "cpu", "webp:q=80", CASE, {"psnr": [38.0, 40.0], "bpp": [1.05, 2.05]})
    write_measured(results, "cpu", "avif:q=60", CASE, {"psnr": [50.0, 50.0], "bpp": [1.16, 2.0]})  # 5.3 % above
    (sentence,) = quality.best_measured(load(), CASE, "psnr")
    assert plain(sentence).startswith(f"On {CASE} at 1.5–1.55 bit/px (study cpu, n = 2, 2 tokenizers), jpeg:q=75 has")


def test_a_metric_that_a_tokenizer_was_trained_with_names_another_and_says_why(results: Path) -> None:
    for name, distance in {"5B-f16x64": 0.1, "nano-f16x64": 2.0, "nano-kl-f8x16": 3.0}.items():
        write_measured(results, "cpu", name, CASE, {}, distances={"fd-dinov3": {50: distance}})
    best, disclosure = map(plain, quality.best_measured(load(), CASE, "fd-dinov3"))
    assert "nano-f16x64 has the lowest FD, DINOv3: 2" in best
    assert "5B-f16x64" not in best
    assert disclosure.startswith("† Not independent: FD, DINOv3 of 5B-f16x64, since")


def test_nobody_is_best_where_no_value_is_independent(results: Path) -> None:
    write_measured(results, "cpu", "5B-f16x64", CASE, {}, distances={"fd-dinov3": {50: 0.1}})
    nobody, _ = map(plain, quality.best_measured(load(), CASE, "fd-dinov3"))
    assert "no tokenizer is named best by FD, DINOv3" in nobody


def test_nobody_is_best_by_a_network_that_never_was_trained(results: Path) -> None:
    write_all(results)
    for quantity in ("fd-random", "bpp"):
        with pytest.raises(RequestError, match=f"'{quantity}' ranks nothing"):
            quality.best_measured(load(), CASE, quantity)


def test_published_bests_by_the_published_distance_leave_out_who_was_trained_with_it(results: Path) -> None:
    write_published()
    told = [plain(sentence) for sentence in quality.published_bests(load(), "div8k-1024", "fdd")]
    assert any("at 1 bit/px (48 : 1) on div8k-1024, sdxl has the best FDD" in sentence for sentence in told)
    assert not any("5B-f16x64 has the best FDD" in sentence for sentence in told)
    assert any(sentence.startswith("† Not independent: FDD of") and "5B-f16x64" in sentence for sentence in told)


def test_the_bias_of_a_distance_is_the_ratio_of_its_values(results: Path) -> None:
    by_name = {"nano-f16x64": {4: 8.0, 16: 2.0}, "nano-f16x32": {4: 9.0, 8: 7.0, 16: 6.0}, "pca-f16x64": {16: 5.0}}
    for name, by_count in by_name.items():
        write_measured(results, "cpu", name, CASE, {}, distances={"fd-random": by_count})
    (sentence,) = quality.bias_with_n(load(), CASE, "fd-random")
    assert numbers_in(sentence, Kind.DERIVED) == [4.0, 1.5]
    assert "of nano-f16x64 at n = 4" in plain(sentence)
    assert "of nano-f16x32" in plain(sentence)


def test_estimates_stand_beside_the_figures_that_followed(results: Path) -> None:
    write_published()
    told = [plain(sentence) for sentence in quality.estimates_met_by_figures(load(), "psnr")]
    (said,) = [text for text in told if text.startswith("5B-f16x32 on div8k-1024: ")]
    assert "ViTok Evaluation Results estimated 33.50 dB, ViTok-v2 project page later published 30.98 dB" in said


def test_counts_are_those_of_the_csv(results: Path) -> None:
    write_published()
    (sentence,) = quality.value_counts(load())
    assert numbers_in(sentence)[:2] == [398.0, 60.0]
    assert "10 ended as OOM (published)" in plain(sentence)


def test_published_counts_follow_from_the_csv() -> None:
    with (PROJECT / "vitok_lib" / "published" / "published.csv").open(encoding="utf-8") as file:
        kinds = [line["kind"] for line in csv.DictReader(file) if line["quantity"] != "status"]
    assert (len(kinds) - kinds.count("estimated"), kinds.count("estimated")) == (398, 60)
