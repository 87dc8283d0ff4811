"""Ranking within one protocol only, and distances at one number of images alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.record_view import find, load, of_case
from vitok_lib.report.page.labels import HIGHER_IS_BETTER

CASE = "photos-512"


def winners(case: str = CASE, quantity: str = "psnr") -> set[str]:
    return set(paired.winners(of_case(load(), case), quantity))


def write_fid(results: Path, name: str, by_count: dict[int, float], **options: Any) -> None:
    """A set of n images has a manifest of its own, as in a run."""
    write_measured(
        results, "cpu", name, CASE, {}, distances={"fid": by_count}, manifest=f"{max(by_count):064}", **options
    )


def test_best_is_the_highest_psnr_of_one_protocol(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 31.0]})
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
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 31.0]})
    options = {"study": "cpu", "psnr": [50.0, 50.0], **other}
    study, psnr = options.pop("study"), options.pop("psnr")
    write_measured(results, study, "nano-kl-f8x16", CASE, {"psnr": psnr}, **options)
    assert winners() == {"cpu/photos-512/nano-f16x64"}


@pytest.mark.parametrize("status", [status for status in OutcomeStatus if status != OutcomeStatus.OK])
def test_a_run_that_did_not_end_well_does_not_win_with_what_it_got_done(results: Path, status: OutcomeStatus) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 31.0]})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [50.0, 50.0]}, outcome=Outcome(status=status))
    assert winners() == {"cpu/photos-512/nano-f16x64"}


def test_a_distance_over_50_images_never_ranks_against_one_over_1500(results: Path) -> None:
    write_fid(results, "nano-f16x64", {50: 0.1})
    write_fid(results, "nano-kl-f8x16", {1500: 9.0})
    assert winners(quantity="fid") == set()
    (counts,) = protocol.without_common_n(load(), "fid")
    assert counts == [50, 1500]
    with pytest.raises(RequestError, match="no common n: its records hold it at n = 50, 1,500"):
        protocol.common(load(), CASE, "fid")


def test_distances_are_compared_at_the_largest_n_that_all_hold(results: Path) -> None:
    # Each at its own n, the first has the least. At n = 50, which both hold, it has the most.
    write_fid(results, "nano-f16x64", {50: 8.0, 100: 7.0, 1500: 0.5})
    write_fid(results, "nano-kl-f8x16", {25: 6.0, 50: 5.0})
    shared, order = protocol.common(load(), CASE, "fid")
    assert (shared.n, [(held.entry.stem, held.value.value) for held in order]) == (
        50,
        [("nano-kl-f8x16", 5.0), ("nano-f16x64", 8.0)],
    )
    assert winners(quantity="fid") == {"cpu/photos-512/nano-kl-f8x16"}
    assert {name: held.value.n for name, held in protocol.at_smaller_n(load(), "fid").items()} == {
        "cpu/photos-512/nano-f16x64": 50
    }


def test_distances_over_the_first_n_of_other_images_are_not_compared(results: Path) -> None:
    write_fid(results, "nano-f16x64", {50: 8.0, 100: 7.0})
    write_fid(results, "nano-kl-f8x16", {50: 5.0})
    path = results / "cpu" / CASE / "nano-kl-f8x16.parquet"
    pd.read_parquet(path).iloc[::-1].to_parquet(path, index=False)
    assert winners(quantity="fid") == set()


def test_a_distance_of_a_run_that_was_cut_short_takes_no_part(results: Path) -> None:
    cut_short = Outcome(status=OutcomeStatus.TIMEOUT, total=1500, done=50)
    write_fid(results, "nano-f16x64", {50: 8.0, 1500: 3.0})
    write_fid(results, "nano-kl-f8x16", {50: 9.0, 1500: 4.0})
    write_fid(results, "pca-f16x64", {50: 0.1}, outcome=cut_short)
    shared, order = protocol.common(load(), CASE, "fid")
    assert (shared.n, [held.entry.stem for held in order]) == (1500, ["nano-f16x64", "nano-kl-f8x16"])
    assert winners(quantity="fid") == {"cpu/photos-512/nano-f16x64"}


def test_a_value_that_is_not_independent_of_its_tokenizer_never_wins(results: Path) -> None:
    for name, distance in {"5B-f16x64": 0.1, "nano-f16x64": 2.0, "nano-kl-f8x16": 3.0}.items():
        write_measured(results, "cpu", name, CASE, {}, distances={"fd-dinov3": {50: distance}})
    assert winners(quantity="fd-dinov3") == {"cpu/photos-512/nano-f16x64"}


def test_neither_a_rate_nor_a_network_that_never_was_trained_names_a_best(results: Path) -> None:
    for name, level in {"nano-f16x64": 1.0, "nano-kl-f8x16": 2.0}.items():
        distances = {"fd-random": {2: level}, "kid-random": {2: level}}
        write_measured(results, "cpu", name, CASE, {"bpp": [level, level]}, distances=distances)
    for quantity in ("bpp", "fd-random", "kid-random"):
        assert winners(quantity=quantity) == set()


def test_estimated_values_never_win(results: Path) -> None:
    write_published()
    for case in ("div8k-1024", "div8k-2048", "div8k-4096", "div8k-8192"):
        entries = of_case(load(), case)
        for quantity in HIGHER_IS_BETTER:
            for name in paired.winners(entries, quantity):
                assert find(entries, name).value(quantity).kind == Kind.PUBLISHED
    # At 8192 px the summary estimates FID 0.15 for f32x128 over the 1,500 images for which f32x64 has 0.18.
    assert "published/div8k-8192/5B-f32x128@evaluation-summary" not in winners("div8k-8192", "fid")


def test_published_fdd_winner_at_1024_is_not_the_one_of_psnr(results: Path) -> None:
    write_published()
    best = {quantity: winners("div8k-1024", quantity) for quantity in ("fdd", "psnr")}
    assert {name for name in best["fdd"] if "5B-" in name or "350M-" in name} == set(), "trained with its features"
    assert "published/div8k-1024/sdxl@project-page" in best["fdd"] - best["psnr"]
    assert "published/div8k-1024/5B-f16x64@evaluation-summary" in best["psnr"]


def test_windows_of_other_counts_are_not_ranked_together(results: Path) -> None:
    write_published()
    best = winners("div8k-8192", "psnr")
    assert best == {"published/div8k-8192/5B-f16x64@evaluation-summary,window=1024,samples=50"}


def test_own_runs_go_before_committed_ones(results: Path) -> None:
    for study in ("cpu", "h200", "local"):
        write_measured(results, study, "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    assert [entry.study for entry in of_case(load(), CASE)] == ["local"]
    assert find(load(), f"{CASE}/nano-f16x64").study == "local"
    assert find(load(), f"cpu/{CASE}/nano-f16x64").study == "cpu"


def test_a_record_is_found_without_its_sample_count(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0]}, settings="samples=1")
    assert find(load(), f"{CASE}/nano-f16x64").stem == "nano-f16x64@samples=1"


def test_the_record_says_that_it_is_of_a_subset_and_not_the_name_of_its_file(results: Path) -> None:
    path = write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0]}, settings="samples=1")
    record = read_record(path)
    (entry,) = load()
    assert entry.row == ("nano-f16x64", "")
    write_record(record.model_copy(update={"images": record.images.model_copy(update={"requested_samples": 7})}), path)
    (entry,) = load()
    assert entry.row == ("nano-f16x64", "samples=7")


def test_a_codec_is_found_by_its_name_as_by_its_file(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [30.0]})
    assert find(load(), f"{CASE}/jpeg:q=75") == find(load(), f"{CASE}/jpeg_q_75")


def test_one_own_run_does_not_take_its_tokenizer_out_of_the_committed_comparison(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [29.0, 31.0]})
    write_measured(results, "local", "nano-f16x64", CASE, {"psnr": [33.0, 34.0]})
    shared, order = protocol.common(load(), CASE, "psnr")
    assert shared.origin == "cpu"
    assert [held.entry.stem for held in order] == ["nano-f16x64", "pca-f16x64"]

    write_measured(results, "local", "pca-f16x64", CASE, {"psnr": [31.0, 32.0]})
    shared, _ = protocol.common(load(), CASE, "psnr")
    assert shared.origin == "local"
