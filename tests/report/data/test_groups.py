"""What may be compared on one machine: runs, ways, sizes."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machines import STARTED, at_commit, write_machine
from vitok_lib.report.data import groups
from vitok_lib.report.data.record_view import load

VITOK = "nano-f16x64"


def test_what_only_one_family_has_parts_no_tokenizers_where_ways_are_free(results: Path) -> None:
    write_machine(results, "memory", 512, VITOK, {"model_peak": 1.0}, window=1024)
    write_machine(results, "memory", 512, VITOK, {"model_peak": 1.0}, window=1024, chunk=0)
    write_machine(results, "memory", 512, "nano-kl-f8x16", {"model_peak": 2.0}, tiling=True)
    write_machine(results, "memory", 512, "nano-kl-f8x16", {"model_peak": 2.0}, dtype="bfloat16")
    assert groups.runs_of(load(), apart_from="tokenizer") == []
    (run,) = groups.runs_of(load(), apart_from=("tokenizer", *groups.OF_A_FAMILY))
    assert [entry.record.tokenizer.name for entry in run] == [VITOK, VITOK, "nano-kl-f8x16"]


def test_sizes_are_joined_of_one_shape_and_what_is_timed_of_one_commit(results: Path) -> None:
    for benchmark in ("speed", "memory"):
        for resolution, started in ((512, STARTED), (1024, STARTED.replace(hour=1))):
            write_machine(results, benchmark, resolution, VITOK, {"latency": 1.0, "model_peak": 1.0}, started=started)
        write_machine(results, benchmark, 1024, VITOK, {"latency": 1.0, "model_peak": 1.0}, size=(683, 1024))
        later = write_machine(results, benchmark, 2048, VITOK, {"latency": 1.0, "model_peak": 1.0})
        at_commit(later, "fedcba9876543210")
    timed, peaks = sorted(groups.runs_of(load(), apart_from="resolution"), key=len)
    assert sorted(groups.size(entry) for entry in timed) == [(512, 512), (1024, 1024)]
    assert {entry.record.benchmark for entry in timed} == {"speed"}
    assert sorted(groups.size(entry) for entry in peaks) == [(512, 512), (1024, 1024), (2048, 2048)]
