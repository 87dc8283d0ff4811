"""Contenders side by side: their order, ratios that are known, failures that stay their own, records on the disk."""

from __future__ import annotations

import gc
import importlib
import json
import shlex
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor

from vitok_lib.check.sums import of_one
from vitok_lib.cost.flops import vitok_work
from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.speed import benchmark as speed_module
from vitok_lib.measure.speed import interleaved as race_module
from vitok_lib.measure.speed import state as contender_module
from vitok_lib.measure.speed.benchmark import Contender, measure_speed
from vitok_lib.measure.speed.state import Conditions, Entrant
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.schema import Kind, OutcomeStatus, Record, Settings, Weights
from vitok_lib.records.store import read_record, results_root
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.registry import describe
from vitok_lib.tokenizers.vitok.variant import parse_variant

NAME = "w32_d2_h2/8x6"
QUICK: dict[str, Any] = {"resolution": 32, "weights": "random", "seconds": 0.0, "iterations": 6}
MILLISECONDS = {"reference": (30.0, 50.0), "folded": (10.0, 10.0), "dense": (40.0, 40.0), "fast": (5.0, 5.0)}


@pytest.fixture(autouse=True, scope="module")
def _quick_collections() -> Iterator[None]:
    """What torch left in memory is not looked through again each time that a contender is let go."""
    importlib.import_module("torch._dynamo")
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


class Stage:
    """A world where time passes only in tokenizers; ``log`` says who was called for what."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[tuple[str, str]] = []
        self.inputs: list[Tensor] = []
        self.alive: weakref.WeakSet[Actor] = weakref.WeakSet()
        self.loaded: list[str] = []
        self.trouble: Callable[[Actor, str], None] = lambda actor, stage: None

    def load(self, name: str, **arguments: Any) -> Actor:
        path = "fast" if arguments.get("compile") else "folded" if arguments.get("folded") else "reference"
        path = "dense" if arguments.get("attention") == "mask" else path
        self.loaded.append(path)
        return Actor(self, name, path, arguments)


class Actor:
    """Gives images back as they are, and takes a known time for it."""

    def __init__(self, stage: Stage, name: str, path: str, arguments: dict[str, Any]) -> None:
        self.stage, self.path = stage, path
        self.spec = describe(name)
        self.weights = Weights(source=f"random:{arguments.get('seed', 0)}")
        known = {key: value for key, value in arguments.items() if key in Settings.model_fields}
        self.settings = Settings(**known)
        self.choices = {"kernel": f"of {path}"}
        stage.alive.add(self)

    def _take(self, stage: str) -> None:
        self.stage.trouble(self, stage)
        self.stage.log.append((self.path, stage))
        self.stage.now += MILLISECONDS[self.path][("encode", "decode").index(stage)]

    def encode(self, images: Tensor) -> Latent:
        self.stage.inputs.append(images)
        self._take("encode")
        return Latent(images.movedim(1, -1), images.shape[2], images.shape[3])

    def decode(self, latent: Latent) -> Tensor:
        self._take("decode")
        return latent.values.movedim(-1, 1)

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for index in range(3):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 64, 3), np.uint8)
        Image.fromarray(pixels).save(images / f"{index}.png")
    return images


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    world = Stage()

    class WorldClock(Clock):
        def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
            began = world.now
            return call(), world.now - began

    monkeypatch.setattr(race_module, "Clock", WorldClock)
    monkeypatch.setattr(contender_module, "load_tokenizer", world.load)
    monkeypatch.setattr("vitok_lib.measure.speed.numerical_error.load_tokenizer", world.load)
    reached = {"float32": 2e12, "bfloat16": 2e12, "fp8": 8e12}  # FLOP/s
    monkeypatch.setattr(
        speed_module,
        "measure_peak_rates",
        lambda precisions, *_: {name: reached[name] for name in precisions} | {"copy": 3e9},
    )
    yield world
    gc.collect()


def _contenders(*paths: str, **options: Any) -> list[Contender]:
    return [Contender(NAME, path, {"window": 3, **options}) for path in paths]


def _samples() -> list[pd.DataFrame]:
    return [pd.read_parquet(path) for path in sorted(results_root().rglob("*.parquet"))]


def _values(record: Record) -> dict[str, float]:
    return {value.quantity: value.value for value in record.values}


def test_contenders_take_turns(stage: Stage) -> None:
    marks: list[int] = []
    told: list[str] = []

    def progress(words: str) -> None:
        told.append(words)
        if words.startswith(("round", "comparing")):
            marks.append(len(stage.log))

    measure_speed(_contenders("reference", "folded"), **QUICK, progress=progress)
    turn = [("reference", "encode"), ("reference", "decode"), ("folded", "encode"), ("folded", "decode")]
    assert stage.log[marks[0] : marks[6]] == 6 * turn
    assert "round 6 of at least 6" in told
    assert "warming up w32_d2_h2/8x6 (folded)" in told


def test_a_round_has_fresh_images_and_all_see_the_same(stage: Stage) -> None:
    marks: list[int] = []
    measure_speed(_contenders("reference", "folded"), **QUICK, progress=lambda _: marks.append(len(stage.inputs)))
    timed = stage.inputs[6:18]  # after three calls of each to warm up
    for first, second in zip(timed[::2], timed[1::2], strict=True):
        assert first.equal(second)
    assert len({float(images.sum()) for images in timed}) == 6
    assert all(images.std() > 0.5 for images in timed)


def test_ratios_and_latencies_are_known(stage: Stage) -> None:
    reference, folded, dense = measure_speed(_contenders("reference", "folded", "dense"), **QUICK)
    assert _values(reference)["latency"] == 80
    assert _values(reference)["speedup"] == 1
    assert _values(folded)["speedup"] == 4
    assert _values(dense)["speedup"] == 1
    assert _values(folded) | {"encode_latency": 10, "decode_latency": 10, "latency": 20} == _values(folded)
    assert _values(folded)["latency_p95"] == 20
    assert _values(folded)["throughput"] == 50
    ratio = folded.value("speedup")
    assert ratio is not None
    assert ratio.interval is not None
    assert (ratio.n, ratio.kind, ratio.interval.low, ratio.interval.high) == (6, Kind.DERIVED, 4, 4)
    assert ratio.signature is not None
    assert "path=reference" in ratio.signature


def test_the_ratio_is_that_of_rounds(stage: Stage) -> None:
    """The machine slows down tenfold half-way: medians of latencies move, ratios of rounds do not."""

    def slower(actor: Actor, stage_name: str) -> None:
        if len(stage.log) >= 12 + 12:  # after the warm-ups and half of the rounds
            stage.now += 9 * MILLISECONDS[actor.path][("encode", "decode").index(stage_name)]

    stage.trouble = slower
    _, folded = measure_speed(_contenders("reference", "folded"), **QUICK)
    assert _values(folded)["speedup"] == pytest.approx(4)
    assert 20 < _values(folded)["latency"] < 200


def test_a_fast_contender_is_called_more_often_in_a_round(stage: Stage) -> None:
    records = measure_speed(_contenders("reference", "folded"), **QUICK | {"seconds": 0.96})
    samples = [pd.read_parquet(next(results_root().rglob(f"*{path}*.parquet"))) for path in ("reference", "folded")]
    calls = [table[table.stage == "encode"].groupby("round").size().tolist() for table in samples]
    assert calls == [[2] * 6, [8] * 6]  # 160 ms a round at 80 and at 20 ms a call
    assert all(table.milliseconds.sum() >= 960 for table in samples)
    assert [record.value("latency").n for record in records] == [6, 6]


def test_latencies_are_those_of_one_image(stage: Stage) -> None:
    (record,) = measure_speed(_contenders("reference"), **QUICK, batch=4)
    assert _values(record)["latency"] == 20
    assert _values(record)["throughput"] == 50
    assert record.images.count == 4
    assert stage.inputs[0].shape == (4, 3, 32, 32)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_timed(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "file"))
    with pytest.raises(RequestError, match="cannot write"):
        measure_speed(_contenders("reference"), **QUICK)
    assert stage.log == []


def test_work_is_that_of_the_formula(stage: Stage) -> None:
    records = measure_speed(_contenders("folded"), **QUICK | {"resolution": 48}, height=48, width=32, batch=2)
    work = vitok_work(parse_variant(NAME), 48, 32, window=3)
    values = _values(records[0])
    assert values["work"] == work.total / 1e12
    assert values["work_linear"] + values["work_attention"] == pytest.approx(values["work"])
    assert values["rate"] == pytest.approx(work.total / 10e-3 / 1e12)  # 20 ms for two images
    assert values["utilisation"] == pytest.approx(100 * values["rate"] / 2.0)
    assert (values["ceiling_matmul"], values["ceiling_copy"]) == (2.0, 3.0)


def test_attention_is_held_against_products_in_its_own_dtype(stage: Stage) -> None:
    (record,) = measure_speed(_contenders("folded", precision="fp8"), **QUICK)
    work = vitok_work(parse_variant(NAME), 32, 32, window=3)
    linear = work.encoder.linear + work.decoder.linear
    least = (linear / 8e12 + (work.total - linear) / 2e12) * 1e3  # ms
    values = _values(record)
    assert (values["ceiling_matmul"], values["ceiling_attention"]) == (8.0, 2.0)
    assert values["utilisation"] == pytest.approx(100 * least / 20)
    assert list(of_one(Path(), record)) == []


def test_another_size_is_set_against_the_same_path_at_the_size_of_the_run(stage: Stage) -> None:
    contenders = [*_contenders("reference", "folded"), Contender(NAME, "folded", {"window": 3}, size=(16, 32))]
    *_, low = measure_speed(contenders, **QUICK)
    ratio = low.value("relative_time")
    assert ratio is not None
    assert ratio.value == 1, "the folded path takes as long at any size here, and the reference longer"
    assert "to:w32_d2_h2_8x6@path=folded,window=3,weights=random0 at 32x32 px" in (ratio.signature or "")


def test_what_ran_out_of_memory_leaves_the_others(stage: Stage) -> None:
    def refuse(actor: Actor, stage_name: str) -> None:
        if actor.path == "folded" and stage_name == "decode":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 is full")

    stage.trouble = refuse
    reference, folded, dense = measure_speed(_contenders("reference", "folded", "dense"), **QUICK)
    assert reference.outcome.status is dense.outcome.status is OutcomeStatus.OK
    assert folded.outcome.status is OutcomeStatus.OOM
    assert folded.outcome.memory is not None
    assert folded.outcome.memory.requested_bytes == 1.5 * 2**30
    assert folded.samples is None
    assert "latency" not in _values(folded)
    assert _values(dense)["speedup"] == 1
    gc.collect()
    assert not stage.alive


def test_what_does_not_fit_beside_the_others_is_timed_alone(stage: Stage) -> None:
    def crowded(actor: Actor, _: str) -> None:
        if actor.path == "folded" and len(stage.alive) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    stage.trouble = crowded
    _, folded = measure_speed(_contenders("reference", "folded"), **QUICK)
    assert folded.outcome.status is OutcomeStatus.OK
    assert _values(folded)["latency"] == 20
    assert "speedup" not in _values(folded)


def test_a_failure_half_way_is_an_error_of_that_contender(stage: Stage) -> None:
    def fail(actor: Actor, _: str) -> None:
        if actor.path == "reference" and len(stage.log) > 20:
            raise ValueError("a kernel's trouble")

    stage.trouble = fail
    reference, folded = measure_speed(_contenders("reference", "folded"), **QUICK)
    assert reference.outcome.status is OutcomeStatus.ERROR
    assert reference.outcome.detail == "ValueError: a kernel's trouble"
    assert folded.outcome.status is OutcomeStatus.OK
    assert "speedup" not in _values(folded)
    assert _values(folded)["latency"] == 20


def test_a_failure_after_the_rounds_keeps_them(stage: Stage) -> None:
    def fail(actor: Actor, _: str) -> None:
        if len(stage.log) >= 18:  # six calls to warm up, twelve of the rounds
            raise ValueError("too late")

    stage.trouble = fail
    (record,) = measure_speed(_contenders("reference"), **QUICK)
    assert record.outcome.status is OutcomeStatus.OK
    assert record.outcome.detail == "timed whole, and then: ValueError: too late"
    assert _values(record)["latency"] == 80


@pytest.mark.parametrize(("stopped", "compared"), [("comparing", False), ("exact arithmetic", True)])
def test_a_run_that_is_stopped_keeps_what_it_timed(stage: Stage, stopped: str, compared: bool) -> None:
    def stop(words: str) -> None:
        if words.startswith(stopped):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_speed(_contenders("reference", "folded"), **QUICK, progress=stop)
    records = [read_record(next(results_root().rglob(f"*{path}*.json"))) for path in ("reference", "folded")]
    assert [_values(record)["latency"] for record in records] == [80, 20]
    assert [_values(record)["speedup"] for record in records] == [1, 4]
    assert all(record.outcome.detail == speed_module.UNCOMPARED for record in records)
    assert all(record.samples and len(table) == 12 for record, table in zip(records, _samples(), strict=True))
    assert ("error_reference" in _values(records[1])) == compared
    assert "error" not in _values(records[1])

    stage.log.clear()
    records = measure_speed(_contenders("reference", "folded"), **QUICK)  # what is missing has it done again
    assert stage.log
    assert {record.outcome.detail for record in records} == {None}
    assert "error" in _values(records[1])


def test_a_run_that_is_stopped_does_not_say_that_what_was_crowded_out_does_not_fit(stage: Stage) -> None:
    def crowded(actor: Actor, _: str) -> None:
        if actor.path == "folded":
            raise torch.OutOfMemoryError("CUDA out of memory")

    def stop(words: str) -> None:
        if words.startswith("comparing"):
            raise KeyboardInterrupt

    stage.trouble = crowded
    with pytest.raises(KeyboardInterrupt):
        measure_speed(_contenders("reference", "folded"), **QUICK, progress=stop)
    assert [path.stem.partition(",")[0] for path in results_root().rglob("*.json")] == ["w32_d2_h2_8x6@path=reference"]


@pytest.mark.parametrize(("breaks_after", "finished"), [(54 + 1, True), (18 + 7, False)])
def test_a_gpu_that_is_broken_for_good_leaves_a_record_of_each(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, breaks_after: int, finished: bool
) -> None:
    """As after a kernel's illegal access: whatever follows on the GPU fails, giving memory back too."""
    words = "CUDA error: an illegal memory access was encountered"
    real = race_module.noise

    def check() -> None:
        if len(stage.log) > breaks_after:
            raise RuntimeError(words)

    def drawn(images: Tensor) -> Tensor:
        check()
        return images

    stage.trouble = lambda actor, _: check()
    monkeypatch.setattr(race_module, "noise", lambda *arguments: map(drawn, real(*arguments)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", check)
    records = measure_speed(_contenders("reference", "folded", "dense"), **QUICK)
    assert len(stage.log) == breaks_after + 1
    for record in records:
        assert record.outcome.detail is not None
        assert record.outcome.detail.endswith(f"RuntimeError: {words}")
        assert ("latency" in _values(record)) == (record.samples is not None) == finished
        assert record.outcome.status is (OutcomeStatus.OK if finished else OutcomeStatus.ERROR)
        assert record in [read_record(path) for path in results_root().rglob("*.json")]


def test_images_that_cannot_be_drawn_are_the_failure_of_who_asks_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = race_module.noise, [0]

    def refuse_once(images: Tensor) -> Tensor:
        refused[0] += 1
        if refused[0] == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return images

    monkeypatch.setattr(race_module, "noise", lambda *arguments: map(refuse_once, real(*arguments)))
    reference, folded = measure_speed(_contenders("reference", "folded"), **QUICK)
    assert reference.outcome.status is folded.outcome.status is OutcomeStatus.OK
    assert (_values(reference)["latency"], _values(folded)["latency"]) == (80, 20)
    assert "speedup" not in _values(reference)  # which was timed alone


def test_errors_to_the_first_path_are_those_of_the_last_row_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = Actor.decode

    def wrong_at_the_end(actor: Actor, latent: Latent) -> Tensor:
        images = decode(actor, latent).clone()
        if actor.path == "folded" and images.shape[3] == 24:  # at the timed size alone
            images[:, :, 24:] *= 1.5  # of 32 rows of pixels, the last 8 are those of the last tokens
        return images

    monkeypatch.setattr(Actor, "decode", wrong_at_the_end)
    reference, folded = measure_speed(_contenders("reference", "folded"), **QUICK, width=24)
    values = _values(folded)
    assert values["error_reference_last"] == pytest.approx(0.5)
    assert values["error_reference"] == pytest.approx(0.25, rel=0.05)  # 0.5 · √(8/32) of random pixels
    assert (values["error"], values["error_last"]) == (0, 0)
    last = folded.value("error_reference_last")
    assert last is not None
    assert last.signature == "relative-rms|8x24 px|v1"
    assert not {"error_reference", "error_reference_last"} & set(_values(reference))


def test_one_contender_alone_is_compared_with_no_other(stage: Stage) -> None:
    (record,) = measure_speed(_contenders("folded"), **QUICK)
    assert not {"error_reference", "error_reference_last"} & set(_values(record))


def test_two_sizes_compare_in_one_run(stage: Stage) -> None:
    def by_area(actor: Actor, stage_name: str) -> None:
        extra = stage.inputs[-1].shape[2] / 32 - 1
        stage.now += extra * MILLISECONDS[actor.path][("encode", "decode").index(stage_name)]

    stage.trouble = by_area
    contenders = [Contender(NAME, "folded", {"window": 3}, size=size) for size in (None, (16, 32), (64, 64))]
    square, low, large = measure_speed(contenders, **QUICK)
    assert [_values(record)["latency"] for record in (square, low, large)] == [20, 10, 40]
    assert _values(square)["speedup"] == 1
    assert [_values(record)["relative_time"] for record in (low, large)] == [0.5, 2]
    assert not {"speedup", "error_reference"} & (set(_values(low)) | set(_values(large)))
    assert {record.outcome.detail for record in (square, low, large)} == {None}
    assert (low.resolution, low.images.rule, large.resolution) == (32, "16x32 px as drawn", 64)
    stem = "w32_d2_h2_8x6@path=folded,window=3,weights=random0"
    ratio = large.value("relative_time")
    assert ratio is not None
    assert ratio.signature == f"relative-time|per-round ratio|median|to:{stem} at 32x32 px|v1"
    assert read_record(results_root() / "local" / "speed-64" / f"{stem}.json") == large
    assert _values(large)["work"] == vitok_work(parse_variant(NAME), 64, 64, window=3).total / 1e12

    assert large.provenance is not None
    _, _, line = shlex.split(large.provenance.command)
    called: dict[str, Any] = {}
    call = line.partition("; ")[2]
    eval(call, {"Contender": Contender, "measure_speed": lambda those, **given: called.update(given, those=those)})
    assert called == QUICK | {"those": contenders}

    stage.log.clear()
    assert measure_speed(contenders, **QUICK) == [square, low, large]
    assert not stage.log


def test_contenders_see_images_as_an_evaluation_hands_them_over(stage: Stage) -> None:
    measure_speed(_contenders("reference", dtype="bfloat16"), **QUICK, batch=2)
    timed = [images for images in stage.inputs if images.shape[2] == 32]
    assert {images.dtype for images in timed} == {torch.bfloat16}
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in timed)


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

    class Skipping(Actor):
        def encode(self, images: Tensor) -> Latent:
            if not self.stage.log:  # as it is compiled, once
                counted["cudagraph_skips"] += skips
            return super().encode(images)

    conditions = Conditions("speed", "local", 32, 32, 32, 1, device, "float32", "random")
    entrant = Entrant(Contender(NAME, "fast", {"compile": mode}), conditions)
    entrant.tokenizer = Skipping(Stage(), NAME, "fast", dict(entrant.arguments))
    for _ in range(3):
        entrant.timed(torch.zeros(1, 3, 32, 32), Clock("cpu"))
    entrant.finished, entrant.graphs = True, 2
    entrant.judge()
    assert entrant.outcome.status is (OutcomeStatus.OK if message is None else OutcomeStatus.ERROR)
    assert (entrant.outcome.detail or "").startswith(message or "")


def test_a_reconstruction_that_is_no_number_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = Actor.decode

    def broken(actor: Actor, latent: Latent) -> Tensor:
        return decode(actor, latent) * (torch.nan if actor.path == "folded" else 1)

    monkeypatch.setattr(Actor, "decode", broken)
    reference, folded = measure_speed(_contenders("reference", "folded"), **QUICK)
    assert reference.outcome.status is OutcomeStatus.OK
    assert folded.outcome.status is OutcomeStatus.ERROR
    assert folded.outcome.detail == "its reconstructions hold values that are no finite numbers"
    assert "error" not in _values(folded)
    assert read_record(next(results_root().rglob("*folded*.json"))) == folded


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
    conditions = Conditions("speed", "local", 32, 32, 32, 1, "cuda", "bfloat16", "random")
    entrant = Entrant(Contender(NAME), conditions)
    entrant.held_bytes, entrant.settings = 100, Settings(**settings)
    monkeypatch.setattr(entrant, "timed", timed)
    race_module._first_calls(entrant, torch.zeros(1), Clock("cuda"), seconds=0)
    assert entrant.peak_bytes == expected


def test_what_cannot_be_is_unsupported(stage: Stage) -> None:
    def refuse(actor: Actor, _: str) -> None:
        if actor.path == "folded":
            raise UnsupportedError("no such kernel here")

    stage.trouble = refuse
    contenders = [*_contenders("reference", "folded"), Contender("sd", "compiled")]
    _, folded, autoencoder = measure_speed(contenders, **QUICK)
    assert (folded.outcome.status, folded.outcome.detail) == (OutcomeStatus.UNSUPPORTED, "no such kernel here")
    assert autoencoder.outcome.status is OutcomeStatus.UNSUPPORTED
    assert autoencoder.settings.preset == "compiled"
    assert autoencoder.tokenizer.weights.source == "random:0"


def test_a_contender_that_is_not_compiled_is_an_error(stage: Stage) -> None:
    (record,) = measure_speed(_contenders("fast"), **QUICK)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.outcome.detail is not None
    assert "nothing was compiled" in record.outcome.detail
    assert _values(record)["graphs"] == 0


def test_graphs_are_counted_and_a_later_one_is_an_error(stage: Stage) -> None:
    compiled = torch.compile(lambda x: x * 2, backend="eager", dynamic=False)

    def compile_first(actor: Actor, _: str) -> None:
        compiled(torch.zeros(3))

    stage.trouble = compile_first
    (record,) = measure_speed(_contenders("fast"), **QUICK)
    assert record.outcome.status is OutcomeStatus.OK
    assert (_values(record)["graphs"], _values(record)["recompilations"]) == (1, 0)

    def compile_always(actor: Actor, _: str) -> None:
        compiled(torch.zeros(3 + len(stage.log)))

    stage.log.clear()
    stage.trouble = compile_always
    (record,) = measure_speed(_contenders("fast"), **QUICK, again=True)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert _values(record)["recompilations"] == 12


def test_a_record_reads_back(stage: Stage) -> None:
    record, _ = measure_speed(_contenders("reference", "folded"), **QUICK, notebook="speed", parameters={"a": 1})
    folder = results_root() / "local" / "speed-32"
    path = folder / "w32_d2_h2_8x6@path=reference,window=3,weights=random0.json"
    assert read_record(path) == record
    assert record.benchmark == "speed"
    assert record.resolution == 32
    assert record.images.name == "noise"
    assert record.choices == {"kernel": "of reference"}
    assert record.settings.attention == "bands"
    assert (record.settings.chunk, record.settings.batch) == (0, 1)
    assert record.provenance is not None
    assert (record.provenance.notebook, record.provenance.parameters) == ("speed", {"a": 1})
    assert record.provenance.command == (
        "vitok speed w32_d2_h2/8x6 --resolution 32 --weights random --seconds 0.0 --iterations 6"
        " --path reference,folded --window 3"
    )
    assert record.samples == path.with_suffix(".parquet").name
    table = pd.read_parquet(folder / record.samples)
    assert list(table.columns) == ["round", "stage", "milliseconds", "clock_mhz"]
    assert table["round"].tolist() == [number for number in range(6) for _ in range(2)]
    assert table["stage"].tolist() == 6 * ["encode", "decode"]
    assert table["milliseconds"].tolist() == 6 * [30.0, 50.0]
    assert table["clock_mhz"].isna().all()
    assert table.dtypes.astype(str).tolist()[::2] == ["int64", "float64"]


def test_what_the_command_line_cannot_say_is_a_line_of_python(stage: Stage, folder: Path) -> None:
    contenders = [Contender(NAME, "reference", {"window": 3}), Contender(NAME, "folded", {"chunk": 7})]
    options = QUICK | {"benchmark": "sliding-window", "height": 24, "end_to_end": True, "image_set": str(folder)}
    record, _ = measure_speed(contenders, **options)
    assert record.provenance is not None
    interpreter, flag, line = shlex.split(record.provenance.command)
    assert (interpreter, flag) == ("python", "-c")
    called: dict[str, Any] = {}
    imports, _, call = line.partition("; ")
    assert imports == "from vitok_lib.measure.speed.benchmark import *"
    eval(call, {"Contender": Contender, "measure_speed": lambda those, **given: called.update(given, those=those)})
    # Of a folder its name alone: its place says nothing elsewhere.
    assert called == options | {"those": contenders, "width": 32, "image_set": "images"}


def test_a_run_that_is_recorded_is_not_done_again(stage: Stage) -> None:
    first = measure_speed(_contenders("reference", "folded"), **QUICK)
    stage.log.clear()
    assert measure_speed(_contenders("reference", "folded"), **QUICK) == first
    assert not stage.log
    gc.collect()
    assert not stage.alive
    measure_speed(_contenders("reference", "folded"), **QUICK, again=True)
    assert stage.log


@pytest.mark.parametrize("change", ["host", "contender", "settings", "first", "end to end", "other images"])
def test_a_run_is_done_again_where_something_differs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, folder: Path, change: str
) -> None:
    chained = {"end_to_end": True, "image_set": folder} if change == "other images" else {}
    first = measure_speed(_contenders("reference", "folded"), **QUICK, **chained)
    stage.log.clear()
    contenders, options = _contenders("reference", "folded"), {}
    if change == "host":
        host = first[0].provenance.host.model_copy(update={"cpu": "another"})
        monkeypatch.setattr(speed_module, "describe_host", lambda device: host)
    elif change == "contender":
        contenders = _contenders("reference", "dense")
    elif change == "settings":
        path = next(results_root().rglob("*folded*.json"))
        path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": {"dtype": "float32"}}))
    elif change == "first":
        contenders.reverse()
    elif change == "other images":
        options = {"end_to_end": True, "image_set": folder.rename(folder.with_name("others"))}
    else:
        options = {"end_to_end": True, "image_set": folder}
    measure_speed(contenders, **QUICK, **options)
    assert {path for path, _ in stage.log} == {"reference", contenders[1].path, contenders[0].path}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 0}, "resolution must be between"),
        ({"height": 16, "width": 16}, r"resolution \(=32\) must be the longer side of 16 × 16 pixels"),
        ({"height": 0}, "must be the longer side of 0 × 32"),
        ({"batch": 0}, r"batch \(=0\) must be at least 1"),
        ({"iterations": 0}, r"iterations \(=0\) must be at least 1"),
        ({"seconds": -1}, r"seconds \(=-1\) must be 0 or more"),
        ({"end_to_end": True}, "name one"),
    ],
)
def test_a_wrong_request_is_told(stage: Stage, change: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        measure_speed(_contenders("reference"), **QUICK | change)
    assert not stage.loaded


def test_nobody_to_measure(stage: Stage) -> None:
    with pytest.raises(RequestError, match="at least one contender"):
        measure_speed([], **QUICK)


def test_two_of_one_name_are_told(stage: Stage) -> None:
    with pytest.raises(RequestError, match="two contenders have one record"):
        measure_speed(_contenders("reference", "reference"), **QUICK)


def test_an_option_beside_the_path_tells_two_apart(stage: Stage) -> None:
    contenders = [Contender(NAME, "folded"), Contender(NAME, "folded", {"chunk": 7})]
    measure_speed(contenders, **QUICK)
    assert len(list(results_root().rglob("*folded,chunk=7*.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("w32_d2_h2/8x6", "quickest"), "unknown path 'quickest'"),
        (("nonesuch",), "unknown tokenizer 'nonesuch'"),
        ((NAME, "fast", {"widow": 3}), "unknown option of a contender 'widow'; did you mean window"),
        ((NAME, "fast", {}, None, (0, 32)), "resolution must be between"),
    ],
)
def test_a_wrong_contender_is_told(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Contender(*arguments)


def test_real_tokenizers_against_each_other(folder: Path) -> None:
    told: list[str] = []
    reference, folded = measure_speed(
        [Contender(NAME, path, {"window": 5}, label=path.upper()) for path in ("reference", "folded")],
        resolution=64,
        height=64,
        width=44,
        weights="random",
        seconds=0.05,
        iterations=6,
        end_to_end=True,
        image_set=folder,
        progress=told.append,
    )
    assert reference.outcome.status is folded.outcome.status is OutcomeStatus.OK
    values = _values(folded)
    positive = ("latency", "throughput", "speedup", "rate", "utilisation", "ceiling_matmul", "ceiling_copy")
    chain = ("end_to_end_latency", "stage_load", "stage_copy", "stage_encode", "stage_decode", "stage_metric")
    assert all(values[quantity] > 0 for quantity in (*positive, *chain))
    assert values["throughput"] == pytest.approx(1e3 / values["latency"])
    for quantity in ("error", "error_last", "error_reference", "error_reference_last"):
        assert 0 < values[quantity] < 1e-5
    assert not {"peak_memory", "clock", "graphs"} & set(values)
    assert "error_reference" not in _values(reference)
    assert folded.outcome.detail is not None
    assert folded.outcome.detail.startswith("from files to a metric ")
    assert values["device_latency"] == pytest.approx(values["stage_encode"] + values["stage_decode"])
    assert "warming up FOLDED" in told
