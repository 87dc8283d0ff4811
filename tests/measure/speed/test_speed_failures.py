"""Failures of a run: each is its configuration's own, and a wrong request is refused before anything is loaded."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.measure.speed.fake_machine import (
    NAME,
    QUICK,
    FakeMachine,
    FakeTokenizer,
    configs,
    samples,
    values_of,
)
from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.speed import benchmark as speed_module
from vitok_lib.measure.speed import interleaved as interleaved_module
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.measure.speed.state import BenchmarkState
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.records.store import read_record, results_root
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.presets import resolve


def test_what_ran_out_of_memory_leaves_the_others(machine: FakeMachine) -> None:
    def refuse(tokenizer: FakeTokenizer, stage_name: str) -> None:
        if tokenizer.preset == "folded" and stage_name == "decode":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 is full")

    machine.trouble = refuse
    reference, folded, dense = measure_speed(configs("reference", "folded", "dense"), **QUICK)
    assert reference.outcome.status is dense.outcome.status is OutcomeStatus.OK
    assert folded.outcome.status is OutcomeStatus.OOM
    assert folded.outcome.memory is not None
    assert folded.outcome.memory.requested_bytes == 1.5 * 2**30
    assert folded.samples is None
    assert "latency" not in values_of(folded)
    assert values_of(dense)["speedup"] == 1
    gc.collect()
    assert not machine.alive


def test_what_does_not_fit_next_to_the_others_is_timed_alone(machine: FakeMachine) -> None:
    def crowded(tokenizer: FakeTokenizer, _: str) -> None:
        if tokenizer.preset == "folded" and len(machine.alive) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    machine.trouble = crowded
    _, folded = measure_speed(configs("reference", "folded"), **QUICK)
    assert folded.outcome.status is OutcomeStatus.OK
    assert values_of(folded)["latency"] == 20
    assert "speedup" not in values_of(folded)


def test_a_failure_half_way_is_an_error_of_that_configuration(machine: FakeMachine) -> None:
    def fail(tokenizer: FakeTokenizer, _: str) -> None:
        if tokenizer.preset == "reference" and len(machine.log) > 20:
            raise ValueError("a kernel's trouble")

    machine.trouble = fail
    reference, folded = measure_speed(configs("reference", "folded"), **QUICK)
    assert reference.outcome.status is OutcomeStatus.ERROR
    assert reference.outcome.detail == "ValueError: a kernel's trouble"
    assert folded.outcome.status is OutcomeStatus.OK
    assert "speedup" not in values_of(folded)
    assert values_of(folded)["latency"] == 20


def test_a_failure_after_the_rounds_keeps_them(machine: FakeMachine) -> None:
    def fail(tokenizer: FakeTokenizer, _: str) -> None:
        if len(machine.log) >= 18:  # six calls to warm up, twelve of the rounds
            raise ValueError("too late")

    machine.trouble = fail
    (record,) = measure_speed(configs("reference"), **QUICK)
    assert record.outcome.status is OutcomeStatus.OK
    assert record.outcome.detail == "timed whole, and then: ValueError: too late"
    assert values_of(record)["latency"] == 80


@pytest.mark.parametrize(("stopped", "compared"), [("comparing", False), ("exact arithmetic", True)])
def test_a_run_that_is_stopped_keeps_what_it_timed(machine: FakeMachine, stopped: str, compared: bool) -> None:
    def stop(words: str) -> None:
        if words.startswith(stopped):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_speed(configs("reference", "folded"), **QUICK, log=stop)
    records = [read_record(next(results_root().rglob(f"*={name}*.json"))) for name in ("reference", "folded")]
    assert [values_of(record)["latency"] for record in records] == [80, 20]
    assert [values_of(record)["speedup"] for record in records] == [1, 4]
    assert all(record.outcome.detail == speed_module.UNCOMPARED for record in records)
    assert all(record.samples and len(table) == 12 for record, table in zip(records, samples(), strict=True))
    assert ("error_reference" in values_of(records[1])) == compared
    assert "error" not in values_of(records[1])

    machine.log.clear()
    records = measure_speed(configs("reference", "folded"), **QUICK)  # what is missing has it done again
    assert machine.log
    assert {record.outcome.detail for record in records} == {None}
    assert "error" in values_of(records[1])


def test_a_run_that_is_stopped_does_not_say_that_what_was_crowded_out_does_not_fit(machine: FakeMachine) -> None:
    def crowded(tokenizer: FakeTokenizer, _: str) -> None:
        if tokenizer.preset == "folded":
            raise torch.OutOfMemoryError("CUDA out of memory")

    def stop(words: str) -> None:
        if words.startswith("comparing"):
            raise KeyboardInterrupt

    machine.trouble = crowded
    with pytest.raises(KeyboardInterrupt):
        measure_speed(configs("reference", "folded"), **QUICK, log=stop)
    assert [path.stem.partition(",")[0] for path in results_root().rglob("*.json")] == [
        "w32_d2_h2_8x6@preset=reference"
    ]


@pytest.mark.parametrize(("breaks_after", "finished"), [(54 + 1, True), (18 + 7, False)])
def test_a_gpu_that_is_broken_for_good_leaves_a_record_of_each(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, breaks_after: int, finished: bool
) -> None:
    """As after a kernel's illegal access: whatever follows on the GPU fails, giving memory back too."""
    words = "CUDA error: an illegal memory access was encountered"
    real = interleaved_module.noise

    def check() -> None:
        if len(machine.log) > breaks_after:
            raise RuntimeError(words)

    def drawn(images: Tensor) -> Tensor:
        check()
        return images

    machine.trouble = lambda tokenizer, _: check()
    monkeypatch.setattr(interleaved_module, "noise", lambda *arguments: map(drawn, real(*arguments)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", check)
    records = measure_speed(configs("reference", "folded", "dense"), **QUICK)
    assert len(machine.log) == breaks_after + 1
    for record in records:
        assert record.outcome.detail is not None
        assert record.outcome.detail.endswith(f"RuntimeError: {words}")
        assert ("latency" in values_of(record)) == (record.samples is not None) == finished
        assert record.outcome.status is (OutcomeStatus.OK if finished else OutcomeStatus.ERROR)
        assert record in [read_record(path) for path in results_root().rglob("*.json")]


def test_images_that_cannot_be_drawn_are_the_failure_of_who_asks_first(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = interleaved_module.noise, [0]

    def refuse_once(images: Tensor) -> Tensor:
        refused[0] += 1
        if refused[0] == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return images

    monkeypatch.setattr(interleaved_module, "noise", lambda *arguments: map(refuse_once, real(*arguments)))
    reference, folded = measure_speed(configs("reference", "folded"), **QUICK)
    assert reference.outcome.status is folded.outcome.status is OutcomeStatus.OK
    assert (values_of(reference)["latency"], values_of(folded)["latency"]) == (80, 20)
    assert "speedup" not in values_of(reference)  # which was timed alone


@pytest.mark.parametrize(
    ("device", "mode", "skips", "message"),
    [
        ("cuda", "reduce-overhead", 2, "compile 'reduce-overhead' was asked for, and torch skipped its CUDA graphs, 2"),
        ("cuda", "max-autotune", 1, "compile 'max-autotune' was asked for, and torch skipped its CUDA graphs, 1"),
        ("cuda", "max-autotune", 0, None),
        ("cuda", "default", 2, None),
        ("cpu", "reduce-overhead", 2, None),  # there are none on a CPU
    ],
)
def test_cuda_graphs_that_are_skipped_are_an_error(
    monkeypatch: pytest.MonkeyPatch, device: str, mode: str, skips: int, message: str | None
) -> None:
    counted = torch._dynamo.utils.counters["inductor"]
    monkeypatch.setitem(counted, "cudagraph_skips", 5)  # of what was compiled before

    class Skipping(FakeTokenizer):
        def encode(self, images: Tensor) -> Latent:
            if not self.machine.log:  # as it is compiled, once
                counted["cudagraph_skips"] += skips
            return super().encode(images)

    config = RunConfig(name=NAME, preset="fast", compile=mode, device=device, weights="random")
    state = BenchmarkState(config, 32, 32, "speed", "local")
    state.tokenizer = Skipping(FakeMachine(), resolve(config))
    for _ in range(3):
        state.timed(torch.zeros(1, 3, 32, 32), Clock("cpu"))
    state.finished, state.graphs = True, 2
    state.check()
    assert state.outcome.status is (OutcomeStatus.OK if message is None else OutcomeStatus.ERROR)
    assert (state.outcome.detail or "").startswith(message or "")


def test_a_reconstruction_that_is_not_finite_is_an_outcome(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = FakeTokenizer.decode

    def broken(tokenizer: FakeTokenizer, latent: Latent) -> Tensor:
        return decode(tokenizer, latent) * (torch.nan if tokenizer.preset == "folded" else 1)

    monkeypatch.setattr(FakeTokenizer, "decode", broken)
    reference, folded = measure_speed(configs("reference", "folded"), **QUICK)
    assert reference.outcome.status is OutcomeStatus.OK
    assert folded.outcome.status is OutcomeStatus.NON_FINITE
    assert (folded.outcome.detail or "").startswith("100 % of the values of the reconstruction (float32)")
    assert "error" not in values_of(folded)
    assert read_record(next(results_root().rglob("*folded*.json"))) == folded


def test_what_cannot_be_is_unsupported(machine: FakeMachine) -> None:
    def refuse(tokenizer: FakeTokenizer, _: str) -> None:
        if tokenizer.preset == "folded":
            raise UnsupportedError("no such kernel here")

    machine.trouble = refuse
    asked = [*configs("reference", "folded"), RunConfig(name="sd", preset="compiled", weights="random")]
    _, folded, autoencoder = measure_speed(asked, **QUICK)
    assert (folded.outcome.status, folded.outcome.detail) == (OutcomeStatus.UNSUPPORTED, "no such kernel here")
    assert autoencoder.outcome.status is OutcomeStatus.UNSUPPORTED
    assert autoencoder.settings.preset == "compiled"
    assert autoencoder.tokenizer.weights.source == "random:0"


def test_what_is_not_compiled_is_an_error(machine: FakeMachine) -> None:
    (record,) = measure_speed(configs("fast"), **QUICK)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.outcome.detail is not None
    assert "nothing was compiled" in record.outcome.detail
    assert values_of(record)["graphs"] == 0


def test_graphs_are_counted_and_a_later_one_is_an_error(machine: FakeMachine) -> None:
    compiled = torch.compile(lambda x: x * 2, backend="eager", dynamic=False)

    def compile_first(tokenizer: FakeTokenizer, _: str) -> None:
        compiled(torch.zeros(3))

    machine.trouble = compile_first
    (record,) = measure_speed(configs("fast"), **QUICK)
    assert record.outcome.status is OutcomeStatus.OK
    assert (values_of(record)["graphs"], values_of(record)["recompilations"]) == (1, 0)

    def compile_always(tokenizer: FakeTokenizer, _: str) -> None:
        compiled(torch.zeros(3 + len(machine.log)))

    machine.log.clear()
    machine.trouble = compile_always
    (record,) = measure_speed(configs("fast"), **QUICK, again=True)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert values_of(record)["recompilations"] == 12


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_timed(
    machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "file"))
    with pytest.raises(RequestError, match="cannot write"):
        measure_speed(configs("reference"), **QUICK)
    assert machine.log == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 0}, "resolution must be between"),
        ({"height": 16, "width": 16}, r"resolution \(=32\) must be the longer side of 16 × 16 pixels"),
        ({"height": 0}, "must be the longer side of 0 × 32"),
        ({"iterations": 0}, r"iterations \(=0\) must be at least 1"),
        ({"seconds": -1}, r"seconds \(=-1\) must be 0 or more"),
    ],
)
def test_a_wrong_request_is_refused(machine: FakeMachine, change: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        measure_speed(configs("reference"), **QUICK | change)
    assert not machine.loaded


def test_nobody_to_measure(machine: FakeMachine) -> None:
    with pytest.raises(RequestError, match="at least one tokenizer"):
        measure_speed([], **QUICK)


def test_what_is_there_twice_is_refused(machine: FakeMachine) -> None:
    with pytest.raises(RequestError, match="is there twice"):
        measure_speed(configs("reference", "reference"), **QUICK)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"preset": "quickest"}, "unknown preset 'quickest'"),
        ({"name": "nonesuch"}, "unknown tokenizer 'nonesuch'"),
        ({"tiling": True}, "tiling, strips, slicing and posterior do not apply"),
        ({"batch": 2}, "batch must be one in a run, not 1 and 2"),
        ({"device": "cuda"}, "device must be one in a run, not cpu and cuda"),
    ],
)
def test_a_wrong_configuration_is_refused(machine: FakeMachine, fields: dict[str, Any], message: str) -> None:
    (config,) = configs("reference")
    with pytest.raises(RequestError, match=message):
        measure_speed([config, config.replace(**fields)], **QUICK)
    assert machine.log == []
