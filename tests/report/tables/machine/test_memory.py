"""The tables of memory: the largest image within each limit, and which peaks are noise."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import write_machine
from tests.fakes.reading import heads, row, text_of
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.best import best_table
from vitok_lib.report.tables.machine import memory
from vitok_lib.report.tables.machine.speed import machine_tables

VITOK = "5B-f16x64"


def test_without_a_record_there_is_no_table(results: Path) -> None:
    assert memory.capacity_tables([]) == []


def test_each_memory_limit_has_its_largest_square_and_what_was_predicted(results: Path) -> None:
    for limit, largest in ((80.0, 4096.0), (16.0, 1024.0)):
        values = {"largest_resolution": largest, "predicted_largest": largest / 2}
        write_machine(results, "capacity", 4096, "flux", values, memory_limit_gib=limit)
    ended = Outcome(status=OutcomeStatus.OOM, detail="weights alone do not fit")
    write_machine(results, "capacity", 4096, VITOK, {}, memory_limit_gib=16.0, outcome=ended)
    ((_, table),) = memory.capacity_tables(load())
    assert heads(table) == ["Tokenizer", "16 GiB|px", "16 GiB|predicted", "80 GiB|px", "80 GiB|predicted"]
    assert list(row(table, "flux").values()) == ["flux", "1,024", "512", "4,096 or more", "2,048"]
    assert list(row(table, VITOK).values()) == [VITOK, "OOM", "–", "not measured", "–"]
    assert "within the memory limit" in plain(table.notes[0])


def test_peaks_that_are_noise_have_no_row_and_the_table_counts_them(results: Path) -> None:
    peaks = {512: (0.0624, 0.07), 1024: (0.0626, 0.07), 2048: (0.5, 0.49), 4096: (0.5, 0.5)}
    for resolution, (model, evaluation) in peaks.items():
        values = {"model_peak": model, "evaluation_peak": evaluation}
        write_machine(results, "memory", resolution, "nano-f16x64", values)
    ((_, table),) = machine_tables(load(), ["memory"], ["model_peak", "evaluation_peak"])
    assert [text_of(cells[1]) for cells in table.rows] == ["1024 px", "4096 px"], "64 MiB are 0.0625 GiB"
    (note,) = [text_of(note) for note in table.notes]
    assert "Left out as noise: 2 measurements" in note


def test_no_least_memory_is_named_where_a_smaller_one_may_be_lost_in_noise(results: Path) -> None:
    for name, peak in {"nano-f16x64": 0.5, "nano-f32x64": 0.7, "nano-kl-f8x16": 0.05}.items():
        write_machine(results, "memory", 1024, name, {"model_peak": peak})
    answers = {text_of(cells[0]): text_of(cells[1]) for cells in best_table(load(), ["photos"], ["psnr"]).rows}
    assert answers["Least memory of the model"] == "no two tokenizers have peaks above the noise"
    (results / "h200" / "memory-1024" / "nano-kl-f8x16.json").unlink()
    answers = {text_of(cells[0]): text_of(cells[1]) for cells in best_table(load(), ["photos"], ["psnr"]).rows}
    assert answers["Least memory of the model at 1024 px"] == "nano-f16x64"
