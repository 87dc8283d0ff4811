"""The tables of machines and of work as plain data."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.machines import CPU, GPU, STARTED, write_all_machines, write_machine
from tests.fakes.reading import heads, numbers
from tests.fakes.records import write_measured
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, OutOfMemory
from vitok_lib.report.data.groups import BENCHMARKS
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Table, plain
from vitok_lib.report.tables import runs
from vitok_lib.report.tables.machine import flops, speed
from vitok_lib.report.tables.machine.roofline import roofline_tables
from vitok_lib.report.tables.quality import quality_table

VITOK = "5B-f16x64"


def cells(table: Table) -> list[dict[str, str]]:
    return [dict(zip(heads(table), (plain(cell) for cell in line), strict=True)) for line in table.rows]


def test_every_machine_and_every_study_has_a_table_of_its_own(results: Path) -> None:
    write_machine(results, "speed", 1024, VITOK, {"latency": 100.0}, preset="reference")
    write_machine(results, "speed", 1024, VITOK, {"latency": 90.0}, preset="reference", study="local")
    write_machine(results, "speed", 1024, VITOK, {"latency": 9000.0}, preset="reference", study="cpu", gpu=None)
    found = speed.machine_tables(load(), ["speed"], ["latency"])
    shown = {str(machine): [line["Latency, ms"] for line in cells(table)] for machine, table in found}
    assert shown == {
        f"study local, {GPU}": ["90 [89.1, 90.9] n = 20"],
        f"study h200, {GPU}": ["100 [99, 101] n = 20"],
        f"study cpu, {CPU}": ["9,000 [8,910, 9,090] n = 20"],
    }


def test_settings_that_differ_have_a_column_and_the_others_a_sentence(results: Path) -> None:
    for path, batch in (("reference", 1), ("fast", 4)):
        write_machine(results, "speed", 1024, VITOK, {"latency": 9.0}, preset=path, batch=batch, dtype="bfloat16")
    ((_, table),) = speed.machine_tables(load(), ["speed"], ["latency", "error"])
    assert heads(table) == ["Tokenizer", "Size", "Preset", "Batch", "Latency, ms"]
    assert [plain(note) for note in table.notes] == ["All rows: dtype bfloat16."]


def test_what_a_path_sets_has_no_column_and_random_weights_are_said(results: Path) -> None:
    write_machine(results, "speed", 1024, VITOK, {"latency": 9.0}, preset="fp8", precision="fp8", weights="random:0")
    write_machine(results, "speed", 1024, VITOK, {"latency": 8.0}, preset="reference")
    ((_, table),) = speed.machine_tables(load(), ["speed"], ["latency"])
    assert heads(table) == ["Tokenizer", "Size", "Preset", "Latency, ms"]
    assert [line["Tokenizer"] for line in cells(table)] == [f"{VITOK} random weights", VITOK]


def test_a_size_that_is_no_square_is_named_by_both_sides(results: Path) -> None:
    write_machine(results, "speed", 1024, VITOK, {"latency": 9.0}, size=(512, 1024))
    ((_, table),) = speed.machine_tables(load(), ["speed"], ["latency"])
    assert cells(table)[0]["Size"].replace("\N{NO-BREAK SPACE}", " ") == "512 × 1024 px"


def test_an_outcome_stands_where_the_latency_would_and_says_what_was_asked_for(results: Path) -> None:
    memory = OutOfMemory(requested_bytes=2**36, device="cuda:0", batch=1, height=8192, width=8192)
    ended = Outcome(status=OutcomeStatus.OOM, memory=memory)
    write_machine(results, "speed", 8192, VITOK, {}, preset="dense", outcome=ended)
    write_machine(results, "speed", 8192, VITOK, {"latency": 5.0, "error": 0.1}, preset="reference")
    ((_, table),) = speed.machine_tables(load(), ["speed"], ["latency", "error"])
    dense, reference = cells(table)
    assert (dense["Latency, ms"], dense["Error"]) == ("OOM", "–")
    assert reference["Error"] == "0.1"
    (oom,) = [number for number in numbers(table) if number.text == "OOM"]
    assert "asked for 64.0 GiB on cuda:0" in oom.tip


def test_an_outcome_is_in_place_of_the_peak_and_not_next_to_the_weights_that_were_loaded(results: Path) -> None:
    ended = Outcome(status=OutcomeStatus.OOM, detail="out of memory")
    write_machine(results, "memory", 4096, "flux", {"weights": 0.5}, outcome=ended)
    write_machine(results, "memory", 1024, "flux", {"weights": 0.5, "model_peak": 3.0})
    ((_, table),) = speed.machine_tables(load(), ["memory"], ["weights", "model_peak"])
    found = [[line[head] for head in line if head.endswith("GiB")] for line in cells(table)]
    assert sorted(found) == [["0.5", "3"], ["0.5", "OOM"]]


def test_where_lets_through_a_value_several_values_any_or_none(results: Path) -> None:
    for path, window in (("reference", None), ("dense", 64), ("fast", 64)):
        settings = {"window": window} if window else {}
        write_machine(results, "speed", 1024, VITOK, {"latency": 9.0}, preset=path, **settings)

    def paths(**where: str) -> list[str]:
        found = speed.machine_tables(load(), ["speed"], ["latency"], where=where)
        return sorted(plain(row[0]) + str(len(table.rows)) for _, table in found for row in table.rows)

    assert len(paths(preset="dense|fast")) == len(paths(window="*")) == 2
    assert len(paths(window="-")) == len(paths(preset="fast", family="vitok")) == 1
    assert paths(preset="fp8") == []
    with pytest.raises(RequestError, match="unknown setting 'pth'"):
        paths(pth="fast")


def test_a_tokenizer_that_a_page_names_must_be_there_and_a_benchmark_must_be_one(results: Path) -> None:
    write_machine(results, "speed", 1024, VITOK, {"latency": 9.0})
    with pytest.raises(RequestError, match="no record of 350M-f16x64 for speed"):
        speed.machine_tables(load(), ["speed"], ["latency"], tokenizers=["350M-f16x64"])
    with pytest.raises(RequestError, match="unknown benchmark of machines 'spede'; did you mean speed"):
        speed.machine_tables(load(), ["spede"], ["latency"])


def test_windows_stand_beside_what_counting_predicts_and_what_is_published(results: Path) -> None:
    write_published()
    first = None
    for window, latency in ((1024, 4000.0), (256, 3500.0), (64, 3200.0)):
        values = {"latency": latency, "speedup": 4000.0 / latency}
        where = {"preset": "folded", "window": window, "first": first}
        written = write_machine(results, "sliding-window", 8192, VITOK, values, **where)
        first = first or written
    ((_, table),) = speed.window_tables(load())
    lines = {line["Radius"]: line for line in cells(table)}
    assert lines["64"]["Speed-up, measured"] == "1.25× [1.24, 1.26]"
    assert lines["64"]["as published"] == "1.11×"  # 7887 ms / 7084 ms
    tokens, width, depth, linear = 262144, 3072, 44, 9.99e9  # linear operations a token: twice the parameters
    work = {r: linear * tokens + 4 * width * depth * tokens * (2 * r + 1) for r in (64, 1024)}
    assert lines["64"]["by FLOPs"] == f"{work[1024] / work[64]:.2f}×"
    kinds = {number.text: number.kind for number in numbers(table)}
    assert (kinds["1.11×"], kinds["1.25×"]) == (Kind.PUBLISHED, Kind.DERIVED)


def test_windows_name_the_attention_kernel_that_was_the_fastest_at_the_size_of_the_record(results: Path) -> None:
    winners, first = {1024: "flex-128x64-tma", 256: "flex-128x64", 64: "varlen", 16: None}, None
    for window, winner in winners.items():
        choices = {
            "attention": "the fastest kernel that agrees, found for each size",
            f"attention of 262,144 tokens, window {window}": f"{winner}: varlen 24 ms, flex 18 ms; found in 9 s",
            f"attention of 4,087 tokens, window {window}": "flex: varlen 0.5 ms, flex 0.4 ms; found in 3 s",
        }
        where = {"preset": "folded", "window": window, "first": first, "choices": choices if winner else {}}
        written = write_machine(results, "sliding-window", 8192, VITOK, {"latency": 4000.0 + window}, **where)
        first = first or written
    ((_, table),) = speed.window_tables(load())
    named = {line["Radius"]: line["Fastest kernel"] for line in cells(table)}
    assert named == {f"{window:,}": winner or "–" for window, winner in winners.items()}


def test_windows_of_two_runs_or_two_types_are_not_compared(results: Path) -> None:
    later = STARTED + timedelta(hours=1)
    write_machine(results, "sliding-window", 1024, VITOK, {"latency": 9.0}, window=64)
    write_machine(results, "sliding-window", 1024, VITOK, {"latency": 8.0}, window=32, started=later)
    write_machine(results, "sliding-window", 1024, VITOK, {"latency": 8.0}, window=16, dtype="bfloat16")
    assert speed.window_tables(load()) == []


def test_a_profile_has_shares_that_add_up_and_counts_beside_the_formula(results: Path) -> None:
    values = {"time_linear": 60.0, "time_attention": 30.0, "time_copy": 30.0, "counted_linear": 50.0}
    write_machine(results, "profile", 1024, VITOK, {**values, "work_linear": 40.0}, margin=0.0)
    ((_, table),) = speed.profile_tables(load())
    (line,) = cells(table)
    assert line["Linear, ms"].endswith("n = 20 50.0 %")
    assert line["Copies, ms"].endswith("n = 20 25.0 %")
    assert line["FLOPs counted, linear, TFLOP"] == "50 +25.0 %"
    assert "Convolution, ms" not in line


def test_what_bounds_is_the_longer_of_arithmetic_and_memory(results: Path) -> None:
    ceilings = {"ceiling_matmul": 800.0, "ceiling_copy": 4000.0}
    write_machine(results, "speed", 2048, VITOK, {"latency": 500.0, **ceilings}, dtype="bfloat16", preset="fast")
    write_machine(results, "speed", 1024, "nano-f16x64", {"latency": 50.0, **ceilings}, dtype="bfloat16", preset="fast")
    slow_memory = {"latency": 2e5, "ceiling_matmul": 800.0, "ceiling_copy": 10.0}
    write_machine(results, "speed", 4096, VITOK, slow_memory, dtype="bfloat16", preset="fast", window=64)
    ((_, table),) = roofline_tables(load())
    lines = {line["Tokenizer"] + line["Size"][:4]: line for line in cells(table)}
    assert lines[f"{VITOK}2048"]["Bound by"] == "compute"
    assert lines[f"{VITOK}4096"]["Bound by"] == "memory"
    assert lines["nano-f16x641024"]["Bound by"] == "neither peak"
    linear, attention = 9.99e9 * 16384, 4 * 3072 * 44 * 16384**2
    assert float(lines[f"{VITOK}2048"]["Roofline, linear, ms"]) == pytest.approx(linear / 8e14 * 1e3, rel=2e-3)
    assert float(lines[f"{VITOK}2048"]["Roofline, attention, ms"]) == pytest.approx(attention / 8e14 * 1e3, rel=2e-3)


def test_work_by_formula_agrees_with_counting_parameters(results: Path) -> None:
    table = flops.flops_table([VITOK], [1024], [None, 64, 5000])
    full, windowed = cells(table)  # a window wider than the image has no row
    assert full["Tokens"] == "4,096"
    matrices = sum(float(full[f"Linear, {side}, TFLOP"]) for side in ("encoder", "decoder"))
    assert matrices == pytest.approx(2 * 4.995e9 * 4096 / 1e12, rel=1e-3)
    assert float(full["Attention, decoder, TFLOP"]) == pytest.approx(4 * 3072 * 40 * 4096**2 / 1e12, rel=1e-3)
    assert float(windowed["Attention, %"]) < float(full["Attention, %"])
    assert {number.kind for number in numbers(table)} == {Kind.DERIVED}
    with pytest.raises(RequestError, match="'flux' is no ViTok"):
        flops.flops_table(["flux"], [1024], [None])


def test_a_case_of_the_same_images_is_listed_once_with_its_studies(results: Path) -> None:
    for study in ("cpu", "local"):
        write_measured(results, study, "nano-f16x64", "photos-512", {"psnr": [30.0, 32.0]})
    (row,) = runs.image_set_table(load()).rows
    assert sorted(plain(row[-1]).split(", ")) == ["cpu", "local"]


def test_runs_and_quality_tables_hold_with_measurements_of_machines_beside_them(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 32.0]})
    before = quality_table(load(), "photos-512", ["all"])
    write_all_machines(results)
    why = {"attention": "varlen, since the window is narrower than the image"}
    write_machine(results, "speed", 512, "nano-f16x64", {"latency": 9.0}, choices=why)
    assert quality_table(load(), "photos-512", ["all"]) == before
    listed = [table for _, case, table in runs.run_tables(load()) if case == "speed-512"]
    assert "attention chosen: varlen, since the window" in plain(listed[0].rows[0][1])
    cases = {plain(line[0]) for line in runs.image_set_table(load()).rows}
    assert cases == {"photos-512"}, f"noise is no image set, whichever of {BENCHMARKS} it is for"
    (latency,) = [part for part in numbers(listed[0]) if part.text == "9 ms"]
    assert "n = 20 repetitions" in latency.tip


@pytest.mark.parametrize(("latency", "explained"), [(1.0, True), (1000.0, False)])
def test_a_share_above_the_peak_is_explained_below_the_table(results: Path, latency: float, explained: bool) -> None:
    values = {"latency": latency, "rate": 1.0, "utilisation": 102.0 if explained else 98.0}
    values |= {"ceiling_matmul": 800.0, "ceiling_copy": 4000.0}
    write_machine(results, "speed", 1024, "5B-f16x64", values, preset="reference", dtype="bfloat16")
    ((_, shares),) = speed.machine_tables(load(), ["speed"], ["utilisation"])
    ((_, rooflines),) = roofline_tables(load())
    for table in (shares, rooflines):
        assert any("the peak was measured too low" in plain(note) for note in table.notes) == explained
