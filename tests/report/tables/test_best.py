"""The executive summary from invented records: bests, runners-up and coverage, against what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.machines import GPU, write_machine
from tests.fakes.reading import heads
from tests.fakes.records import write_measured
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings.summary import outcomes_counted
from vitok_lib.report.page.content import Table, plain
from vitok_lib.report.sphinx.catalogue import best
from vitok_lib.report.sphinx.directives import Wide
from vitok_lib.report.sphinx.request import Request
from vitok_lib.report.tables.best import best_table
from vitok_lib.report.tables.coverage import coverage_table

BETTER, WORSE = "nano-f16x64", "pca-f16x64"


def _rows(table: Table) -> list[list[str]]:
    return [[plain(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def _measure(root: Path, name: str, values: list[float]) -> Path:
    return write_measured(root, "cpu", name, "photos-512", {"psnr": values})


def test_the_best_at_a_rate_changes_and_goes_with_its_records(results: Path) -> None:
    _measure(results, BETTER, [30.0, 31.0, 32.0])
    other = _measure(results, WORSE, [29.0, 30.0, 31.0])
    _measure(results, "nano-f16x32", [40.0, 40.0, 40.0])  # alone at its rate
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "photos" in row[0]]
    assert found[0] == "Highest PSNR on photos-512 at 4 bit/px (12 : 1)"
    assert (found[1], found[3]) == (BETTER, WORSE)
    assert found[2].startswith("31.00 dB [")
    assert found[4].startswith("30.00 dB [")
    assert found[5] == "+1.00 dB [1.00, 1.00]"
    assert found[6].startswith("study cpu, n = 3, psnr|rgb")
    _measure(results, WORSE, [33.0, 34.0, 35.0])
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "photos" in row[0]]
    assert (found[1], found[3]) == (WORSE, BETTER)
    other.unlink()
    assert not [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "photos-512" in row[0]]


def test_no_best_over_one_image(results: Path) -> None:
    _measure(results, BETTER, [31.0])
    _measure(results, WORSE, [30.0])
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "photos" in row[0]]
    assert found[:2] == ["Quality on photos", "one image allows no test"]


def test_speed_is_compared_within_one_run_at_one_size(results: Path) -> None:
    for name, latency in (("5B-f16x64", 30.0), ("5B-f32x64", 10.0)):
        write_machine(results, "speed", 1024, name, {"latency": latency}, preset="reference")
    write_machine(results, "speed", 2048, "5B-f32x128", {"latency": 1.0}, preset="reference")
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "latency" in row[0]]
    assert found[0] == "Shortest latency at 1024 px"
    assert (found[1], found[3], found[5]) == ("5B-f32x64", "5B-f16x64", "3.00× [2.98, 3.02]")
    assert found[6].startswith(f"study h200, {GPU}, preset reference")


def test_close_latencies_are_not_told_apart(results: Path) -> None:
    for name, latency in (("5B-f16x64", 10.05), ("5B-f32x64", 10.0)):
        write_machine(results, "speed", 1024, name, {"latency": latency}, preset="reference")
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "latency" in row[0]]
    assert "not significant" in found[5]


def test_ways_of_a_tokenizer_compete_for_one_row_a_size(results: Path) -> None:
    for resolution, tiled in ((512, 0.20), (1024, 0.80)):
        for ways, peak in (({}, 1.8), ({"attention": "math"}, 1.9), ({"tiling": True}, tiled)):
            write_machine(results, "memory", resolution, "nano-kl-f8x16", {"model_peak": peak}, **ways)
        for chunk in ({}, {"chunk": 0}):  # one execution, since either size is one chunk
            values = {"model_peak": 0.30}
            write_machine(results, "memory", resolution, "nano-f16x64", values, window=1024, **chunk)
    small, large = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "memory" in row[0]]
    assert small[0] == "Least memory of the model at 512 px"
    assert small[1:6] == ["nano-kl-f8x16 (tiled)", "0.2 GiB", "nano-f16x64 (radius 1,024)", "0.3 GiB", "1.50×"]
    assert small[6] == f"study h200, {GPU}"
    assert large[0] == "Least memory of the model at 1024 px"
    assert large[1:5] == ["nano-f16x64 (radius 1,024)", "0.3 GiB", "nano-kl-f8x16 (tiled)", "0.8 GiB"]


def test_of_more_than_a_chunk_the_whole_is_a_way_of_its_own(results: Path) -> None:
    for chunk, peak in (({}, 1.0), ({"chunk": 0}, 0.5)):
        write_machine(results, "memory", 8192, "nano-f16x64", {"model_peak": peak}, **chunk)
    write_machine(results, "memory", 8192, "nano-kl-f8x16", {"model_peak": 2.0})
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "memory" in row[0]]
    assert found[1:4] == ["nano-f16x64 (all tokens at once)", "0.5 GiB", "nano-kl-f8x16"]


@pytest.mark.parametrize(("same", "other", "clear"), [(1.01, 1.06, True), (1.01, 1.04, False), (1.08, 1.06, False)])
def test_single_runs_are_told_apart_by_more_than_noise(results: Path, same: float, other: float, clear: bool) -> None:
    write_machine(results, "memory", 512, "nano-f16x64", {"model_peak": 1.0})
    write_machine(results, "memory", 512, "nano-f16x64", {"model_peak": same}, chunk=0)
    write_machine(results, "memory", 512, "nano-kl-f8x16", {"model_peak": other})
    table = best_table(load(), ["photos"], ["psnr"])
    (found,) = [row for row in _rows(table) if "memory" in row[0]]
    assert ("within noise" not in found[5]) == clear
    (note,) = map(plain, table.notes)
    assert "more than 5 %" in note
    assert note.endswith(f"over 1 execution with two records of memory, by at most {100 * (same - 1):.1f} %.")


def test_the_largest_square_is_asked_of_tokenizers_with_and_without_a_window(results: Path) -> None:
    for limit, vitok, kl in ((0.5, 3456.0, 848.0), (1.0, 4096.0, 1024.0)):
        settings = {"memory_limit_gib": limit}
        write_machine(results, "capacity", 4096, "nano-f16x64", {"largest_resolution": vitok}, window=1024, **settings)
        write_machine(results, "capacity", 4096, "nano-kl-f8x16", {"largest_resolution": kl}, **settings)
    half, whole = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "square" in row[0]]
    assert half[:4] == [
        "Largest square that fits within 0.5 GiB",
        "nano-f16x64 (radius 1,024)",
        "3,456 px",
        "nano-kl-f8x16",
    ]
    assert half[5] == "4.08×"
    assert (whole[0], whole[2]) == ("Largest square that fits within 1 GiB", "4,096 px or more")
    assert whole[5] == "4.00× or more"


def test_what_has_records_but_no_two_of_one_protocol_is_not_called_unmeasured(results: Path) -> None:
    values = {"largest_resolution": 1024.0}
    write_machine(results, "capacity", 4096, "nano-f16x64", values, memory_limit_gib=1.0)
    write_machine(results, "capacity", 4096, "nano-kl-f8x16", values, memory_limit_gib=2.0)
    _measure(results, BETTER, [30.0, 31.0])
    answers = {row[0]: row[1] for row in _rows(best_table(load(), ["photos", "leaves"], ["psnr"]))}
    assert answers == {
        "Quality on photos": "no two tokenizers of equal rate share a protocol",
        "Quality on leaves": "not measured",
        "Shortest latency": "not measured",
        "Least memory of the model": "not measured",
        "Largest square that fits": "no two tokenizers share a protocol",
    }


def test_an_oom_answers_only_what_its_source_has_values_of(results: Path) -> None:
    write_published()
    table = coverage_table(load())
    rows = {(row[0], row[1]): row[2:] for row in _rows(table)}
    assert "8192 px: 8 (5 OOM)" in rows["quality: pixels", "div8k"][0]
    assert ("quality: perceptual", "div8k") not in rows, "nobody printed LPIPS or DISTS"
    assert "quality: perceptual (div8k)" in plain(table.notes[-1])


def test_what_nobody_measured_is_said(results: Path) -> None:
    write_published()
    _measure(results, BETTER, [30.0, 31.0])
    table = coverage_table(load())
    assert heads(table)[2:] == ["Here, without a GPU", "By others"]
    rows = {(row[0], row[1]): row[2:] for row in _rows(table)}
    assert rows["quality: pixels", "photos"] == ["512 px: 1", "–"]
    assert ("speed of each preset", "speed") not in rows
    assert rows["quality: pixels", "div8k"][0] == "–"
    assert "OOM" in rows["speed", "div8k"][1]
    assert "speed of each preset (speed)" in plain(table.notes[-1])


def test_coverage_has_a_column_for_each_gpu_that_there_is(results: Path) -> None:
    _measure(results, BETTER, [30.0])
    for study, gpu in (("somewhere", "NVIDIA A100-SXM4-80GB"), ("new", "NVIDIA GH200 480GB")):
        write_machine(results, "memory", 1024, "flux", {"model_peak": 1.0}, study=study, gpu=gpu)
    table = coverage_table(load())
    here = ["Here, study new (NVIDIA GH200 480GB)", "Here, study somewhere (NVIDIA A100-SXM4-80GB)"]
    assert heads(table)[2:] == [*here, "Here, without a GPU", "By others"]


def test_outcomes_are_counted_where_one_is_bad(results: Path) -> None:
    _measure(results, BETTER, [30.0])
    assert outcomes_counted(load()) == []
    write_machine(results, "memory", 1024, "flux", {}, outcome=Outcome(status=OutcomeStatus.OOM))
    (sentence,) = outcomes_counted(load())
    assert plain(sentence).startswith("Of 2 measurements, 1 ended as OOM;")


def test_the_table_of_a_page_never_ranks_a_released_model(results: Path) -> None:
    for name, latency in (("5B-f16x64", 30.0), ("5B-f32x64", 10.0), ("nano-f16x64", 2.0), ("nano-f32x64", 1.0)):
        write_machine(results, "speed", 1024, name, {"latency": latency}, preset="reference")
    (shown,) = best(Request("best-table", [], {"benchmarks": "photos"}, load()))
    assert isinstance(shown, Wide)
    (found,) = [row for row in _rows(shown.table) if "latency" in row[0]]
    assert (found[1], found[3]) == ("nano-f32x64", "nano-f16x64")
