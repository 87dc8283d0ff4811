"""Ranking within one protocol only, and paired differences, against results worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.records import published
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report import comparison
from vitok_lib.report.entries import find, load, of_case

CASE = "photos-512"


def winners(case: str = CASE, quantity: str = "psnr") -> set[str]:
    return comparison.best(of_case(load(), case), quantity)


def test_best_is_the_highest_psnr_of_one_protocol(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    assert winners() == {"cpu/photos-512/nano-f16x64"}


@pytest.mark.parametrize(
    "other",
    [
        {"manifest": "1" * 64},
        {"signature": "v2"},
        {"study": "h200"},
        {"psnr": [50.0, 50.0, 50.0]},
    ],
    ids=["other images", "other metric", "other machine", "other count"],
)
def test_a_higher_value_of_another_protocol_neither_wins_nor_displaces(results: Path, other: dict) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    options = {"study": "cpu", "psnr": [50.0, 50.0], **other}
    study, psnr = options.pop("study"), options.pop("psnr")
    write_measured(results, study, "nano-kl-f8x16", CASE, {"psnr": psnr}, **options)
    assert winners() == {"cpu/photos-512/nano-f16x64"}


def test_a_failed_run_does_not_win_with_what_it_got_done(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [50.0, 50.0]}, status=OutcomeStatus.OOM)
    assert winners() == {"cpu/photos-512/nano-f16x64"}


def test_estimated_values_never_win(results: Path) -> None:
    published.write()
    for case in ("div8k-1024", "div8k-2048", "div8k-4096", "div8k-8192"):
        entries = of_case(load(), case)
        for quantity in comparison.HIGHER_IS_BETTER:
            for name in comparison.best(entries, quantity):
                assert find(entries, name).value(quantity).kind == Kind.PUBLISHED
    # At 8192 px the summary estimates FID 0.15 for f32x128 over the 1,500 images for which f32x64 has 0.18.
    assert "published/div8k-8192/5B-f32x128@evaluation-summary" not in winners("div8k-8192", "fid")


def test_published_fdd_winner_at_1024_is_not_the_one_of_psnr(results: Path) -> None:
    published.write()
    assert winners("div8k-1024", "fdd") >= {"published/div8k-1024/flux@evaluation-summary"}
    assert "published/div8k-1024/5B-f16x64@evaluation-summary" in winners("div8k-1024", "psnr")


def test_windows_of_other_counts_are_not_ranked_together(results: Path) -> None:
    published.write()
    best = winners("div8k-8192", "psnr")
    assert best == {"published/div8k-8192/5B-f16x64@evaluation-summary,window=1024,samples=50"}


def test_paired_difference_is_the_mean_over_images(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 40.0, 21.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 38.0, 21.5]})
    entries = of_case(load(), CASE)
    difference = comparison.to_floor(find(entries, f"{CASE}/nano-f16x64"), entries, "psnr")
    assert difference is not None
    assert difference.mean == pytest.approx((1.0 + 2.0 - 0.5) / 3)
    assert difference.n == 3
    # The mean of three resampled differences lies between the smallest and the largest; 1 in 27 resamples is all −0.5.
    assert (difference.interval.low, difference.interval.high) == pytest.approx((-0.5, 2.0))
    assert not difference.clear


def test_floor_has_no_distance_to_itself_and_other_protocols_have_none(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "local", "nano-f16x64", CASE, {"psnr": [31.0, 32.0]})
    entries = of_case(load(), CASE)
    assert [comparison.to_floor(entry, entries, "psnr") for entry in entries] == [None, None]


def test_pairing_across_protocols_is_refused(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [29.0, 30.0]}, manifest="1" * 64)
    first, second = load()
    with pytest.raises(RequestError, match="different protocols"):
        comparison.paired(first, second, "psnr")


def test_own_runs_go_before_committed_ones(results: Path) -> None:
    for study in ("cpu", "h200", "local"):
        write_measured(results, study, "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    assert [entry.study for entry in of_case(load(), CASE)] == ["local"]
    assert find(load(), f"{CASE}/nano-f16x64").study == "local"
    assert find(load(), f"cpu/{CASE}/nano-f16x64").study == "cpu"


def test_a_record_is_found_without_its_sample_count(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0]}, settings="samples=1")
    assert find(load(), f"{CASE}/nano-f16x64").stem == "nano-f16x64@samples=1"


def test_one_own_run_does_not_take_its_tokenizer_out_of_the_committed_comparison(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 30.0]})
    write_measured(results, "local", "nano-f16x64", CASE, {"psnr": [33.0, 34.0]})
    shared, order = comparison.common(load(), CASE, "psnr")
    assert shared.origin == "cpu"
    assert [entry.stem for entry in order] == ["nano-f16x64", "pca-f16x64"]

    write_measured(results, "local", "pca-f16x64", CASE, {"psnr": [31.0, 32.0]})
    shared, _ = comparison.common(load(), CASE, "psnr")
    assert shared.origin == "local"
