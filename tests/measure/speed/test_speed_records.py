"""Records of a run: what they hold, the command that repeats it, and when they answer."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pandas as pd
import pytest

from tests.measure.speed.fake_machine import (
    NAME,
    QUICK,
    FakeMachine,
    configs,
    values_of,
)
from vitok_lib.measure.common import reuse
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import read_record, read_samples, results_root


def test_a_record_reads_back(machine: FakeMachine) -> None:
    record, _ = measure_speed(configs("reference", "folded"), **QUICK, notebook="speed", parameters={"a": 1})
    folder = results_root() / "local" / "speed-32"
    path = folder / "w32_d2_h2_8x6@preset=reference,window=3,weights=random0.json"
    assert read_record(path) == record
    assert record.benchmark == "speed"
    assert record.resolution == 32
    assert record.images.name == "noise"
    assert record.choices == {"kernel": "of reference"}
    assert record.settings.attention == "bands"
    assert (record.settings.chunk, record.settings.batch) == (0, 1)
    assert record.provenance is not None
    assert (record.provenance.notebook, record.provenance.parameters) == ("speed", {"a": 1})
    assert record.provenance.command.startswith("vitok speed w32_d2_h2/8x6 ")
    repeated = parse(record.provenance.command)
    assert repeated.configs == tuple(configs("reference", "folded"))
    assert repeated.request == QUICK
    assert record.requested == repeated.configs[0]
    assert record.samples == path.with_suffix(".parquet").name
    table = pd.read_parquet(folder / record.samples)
    assert list(table.columns) == ["round", "stage", "milliseconds", "clock_mhz"]
    assert table["round"].tolist() == [number for number in range(6) for _ in range(2)]
    assert table["stage"].tolist() == 6 * ["encode", "decode"]
    assert table["milliseconds"].tolist() == 6 * [30.0, 50.0]
    assert table["clock_mhz"].isna().all()
    assert table.dtypes.astype(str).tolist()[::2] == ["int64", "float64"]


def test_what_the_command_line_cannot_say_is_a_line_of_python(machine: FakeMachine, folder: Path) -> None:
    asked = [RunConfig(name=NAME, preset="reference", weights="random", window=3), *configs("folded", chunk=7)]
    options = QUICK | {"benchmark": "sliding-window", "height": 24}
    record, _ = measure_speed(asked, **options, image_set=folder)
    assert record.provenance is not None
    assert record.provenance.command.startswith("python -c ")
    repeated = parse(record.provenance.command)
    assert repeated.configs == tuple(asked)
    # Of a folder its name alone: its place says nothing elsewhere.
    assert repeated.request == options | {"width": 32, "image_set": "images"}


def test_a_run_that_is_recorded_is_not_done_again(machine: FakeMachine) -> None:
    first = measure_speed(configs("reference", "folded"), **QUICK)
    machine.log.clear()
    assert measure_speed(configs("reference", "folded"), **QUICK) == first
    assert not machine.log
    gc.collect()
    assert not machine.alive
    measure_speed(configs("reference", "folded"), **QUICK, again=True)
    assert machine.log


def test_a_run_without_its_single_timings_is_done_again_which_is_said(machine: FakeMachine) -> None:
    first = measure_speed(configs("reference", "folded"), **QUICK)
    assert first[1].samples is not None
    next(results_root().rglob(first[1].samples)).write_bytes(b"PAR1")
    said: list[str] = []
    again = measure_speed(configs("reference", "folded"), log=said.append, **QUICK)
    assert again[0].provenance != first[0].provenance
    assert ["measured again" in sentence for sentence in said].count(True) == 1
    assert all(read_samples(path, read_record(path)).size for path in results_root().rglob("*.json"))


@pytest.mark.parametrize("change", ["host", "configuration", "settings", "first", "end to end", "other images"])
def test_a_run_is_done_again_where_something_differs(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, folder: Path, change: str
) -> None:
    chained = {"image_set": folder} if change == "other images" else {}
    first = measure_speed(configs("reference", "folded"), **QUICK, **chained)
    machine.log.clear()
    asked, options = configs("reference", "folded"), {}
    if change == "host":
        host = first[0].provenance.host.model_copy(update={"cpu": "another"})
        monkeypatch.setattr(reuse, "describe_host", lambda device: host)
    elif change == "configuration":
        asked = configs("reference", "dense")
    elif change == "settings":
        path = next(results_root().rglob("*folded*.json"))
        path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": {"dtype": "float32"}}))
    elif change == "first":
        asked.reverse()
    elif change == "other images":
        options = {"image_set": folder.rename(folder.with_name("others"))}
    else:
        options = {"image_set": folder}
    measure_speed(asked, **QUICK, **options)
    assert {preset for preset, _ in machine.log} == {"reference", asked[1].preset, asked[0].preset}


def test_a_setting_besides_the_preset_keeps_two_apart(machine: FakeMachine) -> None:
    measure_speed([*configs("folded"), *configs("folded", chunk=7)], **QUICK)
    assert len(list(results_root().rglob("*chunk=7*.json"))) == 1


def test_records_of_two_runs_are_no_run(machine: FakeMachine) -> None:
    """Only the numbers of one run compare: a configuration of one run and another of the next are measured again."""
    measure_speed(configs("reference", "folded"), **QUICK)
    measure_speed(configs("reference", "dense"), **QUICK)
    machine.log.clear()
    records = measure_speed(configs("reference", "folded"), **QUICK)
    assert {preset for preset, _ in machine.log} == {"reference", "folded"}
    assert len({record.provenance.started for record in records if record.provenance is not None}) == 1


def test_a_part_of_a_run_answers_from_it(machine: FakeMachine) -> None:
    lines: list[str] = []
    first, _, third = measure_speed(configs("reference", "folded", "dense"), **QUICK)
    machine.log.clear()
    assert measure_speed(configs("reference", "dense"), **QUICK, log=lines.append) == [first, third]
    assert not machine.log
    assert sum("from a record" in line for line in lines) == 2


@pytest.mark.parametrize("setting", ["mode", "default"])
def test_a_default_that_is_made_at_run_time_is_one_all_the_same(machine: FakeMachine, setting: str) -> None:
    """Strings are compared by value: an equal one that is another object is no other setting."""
    made = "".join(["mo", "de"])
    (record,) = measure_speed(configs("folded", posterior=made if setting == "mode" else "mode"), **QUICK)
    assert record.settings.posterior is None
    assert [path.stem for path in results_root().rglob("*.json")] == [
        "w32_d2_h2_8x6@preset=folded,window=3,weights=random0"
    ]


def test_peaks_are_measured_before_and_after_and_the_larger_counts(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def peaks(*_: object) -> dict[str, float]:
        calls.append(len(machine.log))
        return {"float32": 2e12, "copy": 3e9} if len(calls) == 1 else {"float32": 4e12, "copy": 1e9}

    monkeypatch.setattr("vitok_lib.measure.speed.benchmark.measure_peak_rates", peaks)
    (record,) = measure_speed(configs("reference"), **QUICK)
    held = values_of(record)
    assert (held["ceiling_matmul"], held["ceiling_copy"]) == (4.0, 3.0)
    assert held["utilisation"] == pytest.approx(100 * held["rate"] / 4.0)
    assert calls == [0, len(machine.log)], "the rounds are between the two"


def test_peaks_that_cannot_be_measured_again_are_those_from_before(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def peaks(*_: object) -> dict[str, float]:
        if machine.log:
            raise RuntimeError("the GPU is lost")
        return {"float32": 2e12, "copy": 3e9}

    monkeypatch.setattr("vitok_lib.measure.speed.benchmark.measure_peak_rates", peaks)
    told: list[str] = []
    (record,) = measure_speed(configs("reference"), **QUICK, log=told.append)
    assert values_of(record)["ceiling_matmul"] == 2.0
    assert any("the GPU is lost" in line for line in told)
