"""The executive summary from invented records: bests, runners-up and coverage, against what was written."""

from __future__ import annotations

from pathlib import Path

from tests.report.machine_records import GPU, write_machine
from tests.report.reading import heads
from tests.report.records import write_measured
from vitok_lib.records import published
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.report.coverage import coverage_table
from vitok_lib.report.entries import load
from vitok_lib.report.parts import Table, plain
from vitok_lib.report.summary import best_table, outcomes_sentence

BETTER, WORSE = "nano-f16x64", "pca-f16x64"


def _rows(table: Table) -> list[list[str]]:
    return [[plain(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def _measure(root: Path, name: str, values: list[float]) -> Path:
    return write_measured(root, "cpu", name, "photos-512", {"psnr": values})


def test_the_best_at_a_ratio_changes_and_goes_with_its_records(results: Path) -> None:
    _measure(results, BETTER, [30.0, 31.0, 32.0])
    other = _measure(results, WORSE, [29.0, 30.0, 31.0])
    _measure(results, "nano-f16x32", [40.0, 40.0, 40.0])  # alone at its ratio
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "photos" in row[0]]
    assert found[0] == "Highest PSNR on photos-512 at 12 : 1"
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


def test_speed_is_compared_within_one_run_at_one_size(results: Path) -> None:
    for name, latency in (("5B-f16x64", 30.0), ("5B-f32x64", 10.0)):
        write_machine(results, "speed", 1024, name, {"latency": latency}, path="reference")
    write_machine(results, "speed", 2048, "5B-f32x128", {"latency": 1.0}, path="reference")
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "latency" in row[0]]
    assert found[0] == "Shortest latency at 1024 px"
    assert (found[1], found[3], found[5]) == ("5B-f32x64", "5B-f16x64", "3.00×")
    assert found[6].startswith(f"study h200, {GPU}, path reference")


def test_close_latencies_are_not_told_apart(results: Path) -> None:
    for name, latency in (("5B-f16x64", 10.05), ("5B-f32x64", 10.0)):
        write_machine(results, "speed", 1024, name, {"latency": latency}, path="reference")
    (found,) = [row for row in _rows(best_table(load(), ["photos"], ["psnr"])) if "latency" in row[0]]
    assert "not told apart" in found[5]


def test_what_nobody_measured_is_said(results: Path) -> None:
    published.write()
    _measure(results, BETTER, [30.0, 31.0])
    table = coverage_table(load())
    assert heads(table)[2:] == ["Here, without a GPU", "Here, on the H200", "By others"]
    rows = {(row[0], row[1]): row[2:] for row in _rows(table)}
    assert rows["quality: pixels", "photos"] == ["512 px: 1", "not measured", "not measured"]
    assert rows["speed of each path", "speed"] == ["not measured"] * 3
    assert rows["quality: pixels", "div8k"][:2] == ["not measured"] * 2
    assert "OOM" in rows["speed", "div8k"][2]
    assert "speed of each path (speed)" in plain(table.notes[-1])


def test_outcomes_are_counted_where_one_is_bad(results: Path) -> None:
    _measure(results, BETTER, [30.0])
    assert outcomes_sentence(load()) == []
    write_machine(results, "memory", 1024, "flux", {}, outcome=Outcome(status=OutcomeStatus.OOM))
    (sentence,) = outcomes_sentence(load())
    assert plain(sentence).startswith("Of 2 measurements, 1 ended as oom;")
