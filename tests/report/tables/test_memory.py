"""The table of the largest image within each memory limit."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import write_machine
from tests.fakes.reading import heads, row
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables import memory

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
