"""Interleaved rounds: their order, ratios and rates that are known, errors and memory of each configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.measure.speed.fake_machine import (
    MILLISECONDS,
    NAME,
    QUICK,
    FakeMachine,
    FakeTokenizer,
    configs,
    values_of,
)
from vitok_lib.check.sums import of_one
from vitok_lib.cost.flops import vitok_flops
from vitok_lib.measure.speed import interleaved as interleaved_module
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.measure.speed.state import BenchmarkState
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, OutcomeStatus, Settings
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.vitok.variant import parse_variant


def test_configurations_take_turns(machine: FakeMachine) -> None:
    marks: list[int] = []
    lines: list[str] = []

    def log(words: str) -> None:
        lines.append(words)
        if words.startswith(("round", "comparing")):
            marks.append(len(machine.log))

    measure_speed(configs("reference", "folded"), **QUICK, log=log)
    turn = [("reference", "encode"), ("reference", "decode"), ("folded", "encode"), ("folded", "decode")]
    assert machine.log[marks[0] : marks[6]] == 6 * turn
    assert "round 6 of at least 6" in lines
    assert "warming up w32_d2_h2/8x6 (folded, window 3, 32 × 32 px)" in lines


def test_a_round_has_fresh_images_and_all_see_the_same(machine: FakeMachine) -> None:
    marks: list[int] = []
    measure_speed(configs("reference", "folded"), **QUICK, log=lambda _: marks.append(len(machine.inputs)))
    timed = machine.inputs[6:18]  # after three calls of each to warm up
    for first, second in zip(timed[::2], timed[1::2], strict=True):
        assert first.equal(second)
    assert len({float(images.sum()) for images in timed}) == 6
    assert all(images.std() > 0.5 for images in timed)


def test_ratios_and_latencies_are_known(machine: FakeMachine) -> None:
    reference, folded, dense = measure_speed(configs("reference", "folded", "dense"), **QUICK)
    assert values_of(reference)["latency"] == 80
    assert values_of(reference)["speedup"] == 1
    assert values_of(folded)["speedup"] == 4
    assert values_of(dense)["speedup"] == 1
    assert values_of(folded) | {"encode_latency": 10, "decode_latency": 10, "latency": 20} == values_of(folded)
    assert values_of(folded)["latency_p95"] == 20
    assert values_of(folded)["throughput"] == 50
    ratio = folded.value("speedup")
    assert ratio is not None
    assert ratio.interval is not None
    assert (ratio.n, ratio.kind, ratio.interval.low, ratio.interval.high) == (6, Kind.DERIVED, 4, 4)
    assert ratio.signature is not None
    assert "preset=reference" in ratio.signature


def test_the_ratio_is_that_of_rounds(machine: FakeMachine) -> None:
    """The machine slows down tenfold half-way: medians of latencies move, ratios of rounds do not."""

    def slower(tokenizer: FakeTokenizer, stage_name: str) -> None:
        if len(machine.log) >= 12 + 12:  # after the warm-ups and half of the rounds
            machine.now += 9 * MILLISECONDS[tokenizer.preset][("encode", "decode").index(stage_name)]

    machine.trouble = slower
    _, folded = measure_speed(configs("reference", "folded"), **QUICK)
    assert values_of(folded)["speedup"] == pytest.approx(4)
    assert 20 < values_of(folded)["latency"] < 200


def test_a_fast_configuration_is_called_more_often_in_a_round(machine: FakeMachine) -> None:
    records = measure_speed(configs("reference", "folded"), **QUICK | {"seconds": 0.96})
    tables = [pd.read_parquet(next(results_root().rglob(f"*={name}*.parquet"))) for name in ("reference", "folded")]
    calls = [table[table.stage == "encode"].groupby("round").size().tolist() for table in tables]
    assert calls == [[2] * 6, [8] * 6]  # 160 ms a round at 80 and at 20 ms a call
    assert all(table.milliseconds.sum() >= 960 for table in tables)
    assert [record.value("latency").n for record in records] == [6, 6]


def test_latencies_are_those_of_one_image(machine: FakeMachine) -> None:
    (record,) = measure_speed(configs("reference", batch=4), **QUICK)
    assert values_of(record)["latency"] == 20
    assert values_of(record)["throughput"] == 50
    assert record.images.count == 4
    assert machine.inputs[0].shape == (4, 3, 32, 32)


def test_work_is_that_of_the_formula(machine: FakeMachine) -> None:
    records = measure_speed(configs("folded", batch=2), **QUICK | {"resolution": 48}, height=48, width=32)
    work = vitok_flops(parse_variant(NAME), 48, 32, window=3)
    values = values_of(records[0])
    assert values["work"] == work.total / 1e12
    assert values["work_linear"] + values["work_attention"] == pytest.approx(values["work"])
    assert values["rate"] == pytest.approx(work.total / 10e-3 / 1e12)  # 20 ms for two images
    assert values["utilisation"] == pytest.approx(100 * values["rate"] / 2.0)
    assert (values["ceiling_matmul"], values["ceiling_copy"]) == (2.0, 3.0)


def test_attention_is_held_against_products_in_its_own_dtype(machine: FakeMachine) -> None:
    (record,) = measure_speed(configs("folded", precision="fp8"), **QUICK)
    work = vitok_flops(parse_variant(NAME), 32, 32, window=3)
    linear = work.encoder.linear + work.decoder.linear
    least = (linear / 8e12 + (work.total - linear) / 2e12) * 1e3  # ms
    values = values_of(record)
    assert (values["ceiling_matmul"], values["ceiling_attention"]) == (8.0, 2.0)
    assert values["utilisation"] == pytest.approx(100 * least / 20)
    assert list(of_one(Path(), record)) == []


def test_errors_to_the_baseline_are_those_of_the_last_row_too(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = FakeTokenizer.decode

    def wrong_at_the_end(tokenizer: FakeTokenizer, latent: Latent) -> Tensor:
        images = decode(tokenizer, latent).clone()
        if tokenizer.preset == "folded" and images.shape[3] == 24:  # at the timed size alone
            images[:, :, 24:] *= 1.5  # of 32 rows of pixels, the last 8 are those of the last tokens
        return images

    monkeypatch.setattr(FakeTokenizer, "decode", wrong_at_the_end)
    reference, folded = measure_speed(configs("reference", "folded"), **QUICK, width=24)
    values = values_of(folded)
    assert values["error_reference_last"] == pytest.approx(0.5)
    assert values["error_reference"] == pytest.approx(0.25, rel=0.05)  # 0.5 · √(8/32) of random pixels
    assert (values["error"], values["error_last"]) == (0, 0)
    last = folded.value("error_reference_last")
    assert last is not None
    assert last.signature == "relative-rms|8x24 px|v1"
    assert not {"error_reference", "error_reference_last"} & set(values_of(reference))


def test_one_configuration_alone_is_compared_with_no_other(machine: FakeMachine) -> None:
    (record,) = measure_speed(configs("folded"), **QUICK)
    assert not {"error_reference", "error_reference_last"} & set(values_of(record))


def test_tokenizers_see_images_as_an_evaluation_hands_them_over(machine: FakeMachine) -> None:
    measure_speed(configs("reference", dtype="bfloat16", batch=2), **QUICK)
    timed = [images for images in machine.inputs if images.shape[2] == 32]
    assert {images.dtype for images in timed} == {torch.bfloat16}
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in timed)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 100 + 40),  # what it holds, and what a steady call takes beside it
        ({"compile": "default"}, 100 + 40),
        ({"graphs": True}, 100 + 900),  # a replayed graph's memory was taken when it was recorded
        ({"compile": "max-autotune"}, 100 + 900),
    ],
)
def test_memory_is_that_of_the_model_alone(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], expected: int
) -> None:
    before, peak = 5000, [0]
    calls = iter([900, 40, 40, 40])

    def timed(images: Tensor, clock: Clock) -> tuple[float, float]:
        peak[0] = max(peak[0], before + next(calls))
        return 1.0, 1.0

    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: before)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peak[0])
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: peak.__setitem__(0, before))
    config = RunConfig(name=NAME, device="cuda", dtype="bfloat16", weights="random")
    state = BenchmarkState(config, 32, 32, "speed", "local")
    state.held_bytes, state.settings = 100, Settings(**settings)
    monkeypatch.setattr(state, "timed", timed)
    interleaved_module._first_calls(state, torch.zeros(1), Clock("cuda"), seconds=0)
    assert state.peak_bytes == expected


def test_real_tokenizers_against_each_other(folder: Path) -> None:
    lines: list[str] = []
    reference, folded = measure_speed(
        configs("reference", "folded", window=5),
        resolution=64,
        height=64,
        width=44,
        seconds=0.05,
        iterations=6,
        image_set=folder,
        log=lines.append,
    )
    assert reference.outcome.status is folded.outcome.status is OutcomeStatus.OK
    values = values_of(folded)
    positive = ("latency", "throughput", "speedup", "rate", "utilisation", "ceiling_matmul", "ceiling_copy")
    chain = ("end_to_end_latency", "stage_load", "stage_copy", "stage_encode", "stage_decode", "stage_metric")
    assert all(values[quantity] > 0 for quantity in (*positive, *chain))
    assert values["throughput"] == pytest.approx(1e3 / values["latency"])
    for quantity in ("error", "error_last", "error_reference", "error_reference_last"):
        assert 0 < values[quantity] < 1e-5
    assert not {"peak_memory", "clock", "graphs"} & set(values)
    assert "error_reference" not in values_of(reference)
    assert folded.outcome.detail is not None
    assert folded.outcome.detail.startswith("from files to metrics ")
    assert values["device_latency"] == pytest.approx(values["stage_encode"] + values["stage_decode"])
    assert "warming up w32_d2_h2/8x6 (folded, window 5, 64 × 44 px)" in lines
