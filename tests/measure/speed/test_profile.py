"""Profiles: nothing of the profiler's total is lost, and torch counts what the formulas say."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.profiler import ProfilerActivity, profile

from vitok_lib.cost.flops import vitok_flops
from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.speed import profile as trace
from vitok_lib.measure.speed.op_types import TYPES, type_of_operator
from vitok_lib.measure.speed.profile import count_operations, measure_profile, time_by_name, time_by_type, times
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, OutcomeStatus, Record, Settings
from vitok_lib.records.store import read_record, record_path, results_root
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok.variant import parse_variant

NAME = "w32_d2_h2-w16_d3_h1/8x6"
# Operators that make no pass over values: they view, allocate, ask, or call others.
WITHOUT_WORK = """
    alias arange as_strided chunk detach dropout empty empty_like empty_strided expand flatten narrow new_empty
    new_zeros nnpack_available ones permute promote_types reshape reshape_alias resize resolve_conj result_type
    select slice split t transpose type_as unbind unflatten unsafe_view unsqueeze view
"""


def _profile(name: str = NAME, **asked: Any) -> Record:
    weights = "random" if "/" in name else "released"
    given = {key: asked.pop(key) for key in list(asked) if key in RunConfig.model_fields}
    config = RunConfig(**{"name": name, "weights": weights, "preset": "reference", **given})
    return measure_profile(config, **{"resolution": 64, **asked})


def _write_weights(folder: Path, seed: int) -> None:
    tokenizer: Any = load_tokenizer(NAME, weights="random", seed=seed)
    folder.mkdir()
    for side in ("encoder", "decoder"):
        save_file(getattr(tokenizer, side).state_dict(), folder / f"{side}.safetensors")


def _number(record: Record, quantity: str) -> float:
    value = record.value(quantity)
    assert value is not None, quantity
    return value.value


def test_the_types_together_are_all_that_the_profiler_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Kept(profile):
        def __enter__(self) -> Any:
            seen.append(self)
            return super().__enter__()  # type: ignore[no-untyped-call]

    monkeypatch.setattr(trace, "profile", Kept)
    tokenizer = load_tokenizer(NAME, weights="random", window=20)
    by_name = time_by_name(lambda: tokenizer.reconstruct(torch.rand(1, 3, 128, 128)), "cpu", iterations=2)
    spent = time_by_type(by_name, "cpu")
    (profiler,) = seen
    assert sum(spent.values()) * 2 * 1e3 == pytest.approx(profiler.key_averages().self_cpu_time_total)
    assert tuple(spent) == TYPES
    assert spent["convolution"] == 0
    assert min(spent[kind] for kind in TYPES if kind != "convolution") > 0


@pytest.mark.parametrize(
    ("name", "options"),
    [(NAME, {"weights": "random", "window": 20}), (NAME, {"weights": "random", "folded": True}), ("nano-kl-f8x16", {})],
)
def test_whatever_works_on_values_has_a_type(name: str, options: dict[str, Any]) -> None:
    tokenizer = load_tokenizer(name, **options)
    images = torch.rand(1, 3, 64, 64)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        tokenizer.reconstruct(images)
    operators = {event.key for event in profiler.key_averages()}
    untyped = {name.rpartition("::")[2].strip("_") for name in operators if type_of_operator(name) == "other"}
    assert untyped - set(WITHOUT_WORK.split()) == set()


def test_on_cuda_kernels_count_and_neither_operators_nor_annotations(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, cpu = SimpleNamespace(name="CUDA"), SimpleNamespace(name="CPU")

    def event(key: str, device: Any, microseconds: float, annotation: bool = False) -> Any:
        return SimpleNamespace(
            key=key,
            device_type=device,
            is_user_annotation=annotation,
            self_device_time_total=microseconds,
            self_cpu_time_total=1e9,
        )

    events = [
        event("nvjet_tst_192x192_64x4_2x1_v_bz_coopA_TNT", cuda, 600.0),
        event("void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<128>>", cuda, 300.0),
        event("Memcpy DtoD (Device -> Device)", cuda, 60.0),
        event("## Call CompiledFxGraph f ##", cuda, 900.0, annotation=True),
        event("aten::mm", cpu, 600.0),
    ]

    class Fake:
        def __init__(self, activities: list[ProfilerActivity]) -> None:
            assert activities == [ProfilerActivity.CUDA]

        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *error: object) -> None:
            return None

        def key_averages(self) -> list[Any]:
            return events

    waited: list[str] = []
    monkeypatch.setattr(trace, "profile", Fake)
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    spent = time_by_type(time_by_name(lambda: None, "cuda:0", iterations=3), "cuda:0")
    assert waited == ["cuda:0"]
    expected = {"linear": 0.2, "attention": 0.1, "copy": 0.02}
    assert spent == pytest.approx(dict.fromkeys(TYPES, 0.0) | expected)


@pytest.mark.parametrize(("height", "width", "batch"), [(64, 64, 1), (41, 64, 2)])
def test_torch_counts_what_the_formulas_say_of_full_attention(height: int, width: int, batch: int) -> None:
    record = _profile(height=height, width=width, batch=batch)
    work = vitok_flops(parse_variant(NAME), height, width)
    for kind in ("linear", "attention"):
        expected = (getattr(work.encoder, kind) + getattr(work.decoder, kind)) / 1e12
        assert _number(record, f"work_{kind}") == pytest.approx(expected)
        assert _number(record, f"counted_{kind}") == pytest.approx(expected)
    assert record.value("counted_convolution") is None


def test_the_work_of_an_image_in_tiles_is_what_torch_counts_over_all_of_them() -> None:
    tiled, whole = _profile(tile="32/8"), _profile()
    for kind in ("linear", "attention"):
        assert _number(tiled, f"work_{kind}") == pytest.approx(_number(tiled, f"counted_{kind}"))
    assert _number(tiled, "work_linear") > _number(whole, "work_linear")


@pytest.mark.parametrize("window", [0, 3, 200])
def test_bands_compute_at_least_what_a_window_asks_for_and_less_than_all(window: int) -> None:
    tokenizer = load_tokenizer("w32_d1_h2/1x4", weights="random", window=window, attention="bands")
    counted = count_operations(lambda: tokenizer.reconstruct(torch.zeros(1, 3, 40, 40)))  # four blocks of queries
    variant = parse_variant("w32_d1_h2/1x4")
    asked, full = (vitok_flops(variant, 40, 40, radius) for radius in (window, None))
    assert counted["linear"] == asked.encoder.linear + asked.decoder.linear
    attention = counted["attention"]
    assert asked.encoder.attention + asked.decoder.attention <= attention
    assert attention < full.encoder.attention + full.decoder.attention


def test_a_record_says_what_was_run_and_how_to_run_it_again() -> None:
    record = _profile(window=5, notebook="n", parameters={"a": 1})
    assert (record.benchmark, record.resolution, record.outcome.status) == ("profile", 64, OutcomeStatus.OK)
    assert (record.settings.preset, record.settings.window, record.settings.batch) == ("reference", 5, 1)
    assert record.tokenizer.weights.source == "random:0"
    assert record.provenance is not None
    assert (record.provenance.notebook, record.provenance.parameters) == ("n", {"a": 1})
    times = [value for value in record.values if value.quantity.startswith("time_")]
    assert [value.quantity for value in times] == [f"time_{kind}" for kind in TYPES]
    assert {(value.unit, value.kind, value.n) for value in times} == {("ms", Kind.MEASURED, trace.ITERATIONS)}
    path = record_path("local", "profile", 64, NAME, "preset=reference,window=5,weights=random0")
    assert read_record(path) == record
    path.unlink()
    repeated = parse(record.provenance.command)
    assert repeated.configs == (record.requested,)
    exec(shlex.split(record.provenance.command)[2], {})
    assert read_record(path).settings == record.settings


def test_what_is_recorded_is_measured_again_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _profile()
    calls = []

    def counted(call: Callable[[], object], device: str, iterations: int) -> dict[str, float]:
        calls.append(device)
        return time_by_name(call, device, iterations)

    monkeypatch.setattr(trace, "time_by_name", counted)
    assert _profile() == first
    assert not calls
    assert _profile(again=True).settings == first.settings
    assert len(calls) == 1


def test_a_long_call_is_profiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "LONG", 0.0)
    assert {value.n for value in _profile().values if value.quantity.startswith("time_")} == {1}


def test_each_kernel_of_some_weight_on_cuda_is_kept_by_its_name() -> None:
    by_name = {"gate": 40.0, "residual_norm": 10.0, "nvjet_qqtst_128x256": 49.9, "memset": 0.1}
    kept = times(by_name, "cuda")
    assert {name: taken for name, taken in kept.items() if ":" in name} == {
        "time:gate": 40.0, "time:residual_norm": 10.0, "time:nvjet_qqtst_128x256": 49.9,
    }  # fmt: skip
    assert (kept["time_elementwise"], kept["time_linear"], kept["time_copy"]) == (50.0, 49.9, 0.1)
    assert not any(":" in name for name in times(by_name, "cpu"))


def test_running_out_of_memory_is_an_outcome_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(trace, "time_by_name", fail)
    record = _profile()
    assert (record.outcome.status, record.values) == (OutcomeStatus.OOM, ())
    assert record.outcome.memory is not None
    assert record.outcome.memory.requested_bytes == 2 * 2**30
    assert _profile() == record


def test_a_preset_that_an_auto_encoder_has_not_is_unsupported() -> None:
    record = _profile("nano-kl-f8x16", preset="compiled")
    assert record.outcome.status is OutcomeStatus.UNSUPPORTED
    assert record.values == ()


def test_an_auto_encoder_has_convolutions_and_no_formula() -> None:
    record = _profile("nano-kl-f8x16")
    assert record.outcome.status is OutcomeStatus.OK
    assert _number(record, "time_convolution") > _number(record, "time_attention")
    tokenizer = load_tokenizer("nano-kl-f8x16")
    counted = count_operations(lambda: tokenizer.reconstruct(torch.zeros(1, 3, 64, 64)))
    assert _number(record, "counted_convolution") == pytest.approx(counted["convolution"] / 1e12)
    # Of 64 tokens of one head of 128 values, in the encoder and in the decoder.
    assert _number(record, "counted_attention") == pytest.approx(2 * 4 * 64**2 * _attention_width(tokenizer) / 1e12)
    assert record.value("work_linear") is None


def _attention_width(tokenizer: Any) -> int:
    width: int = tokenizer.model.decoder.mid_block.attentions[0].to_q.out_features
    return width


def test_compiled_loops_on_a_cpu_get_names_while_a_profile_is_taken() -> None:
    from torch._inductor import config

    before = config.cpp.enable_kernel_profile
    with trace._compiled_alone(Settings(compile="default")):
        assert config.cpp.enable_kernel_profile is True
    assert config.cpp.enable_kernel_profile is before


@pytest.mark.parametrize(
    ("settings", "counted"),
    [
        (Settings(attention="sdpa", chunk=0), True),
        (Settings(attention="varlen", window=3), True),
        (Settings(attention="flex", window=3), False),
        (Settings(attention="flex-128x64-tma", window=3), False),
        (Settings(compile="default"), False),
        (Settings(folded=True), False),
        (Settings(precision="fp8"), False),
    ],
    ids=str,
)
def test_operations_are_counted_where_torch_sees_them(settings: Settings, counted: bool) -> None:
    assert trace._is_countable(settings) is counted


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"resolution": 0}, "resolution must be between 1 and 16384 pixels"),
        ({"height": 32, "width": 32}, r"resolution \(=64\) must be the longer side of 32 × 32 pixels"),
        ({"batch": 0}, r"batch \(=0\) must be at least 1 image"),
        ({"preset": "quick"}, "unknown preset 'quick'"),
    ],
)
def test_a_wrong_request_is_one_sentence(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        _profile(**asked)


def test_profiles_of_two_weight_files_are_two_records(tmp_path: Path) -> None:
    """Files are told apart by their content, known before a record is looked up, wherever they lie."""
    records, folders = [], [tmp_path / name for name in ("one", "other", "copy of one")]
    for folder, seed in zip(folders, (1, 2, 1), strict=True):
        _write_weights(folder, seed)
        records.append(_profile(weights=str(folder)))
    one, other, copy = records
    assert one.tokenizer.weights.files != other.tokenizer.weights.files
    assert copy == one
    assert len(list(results_root().rglob("*.json"))) == 2
    assert _profile(weights=str(folders[1])) == other
    assert one.provenance is not None
    assert parse(one.provenance.command).configs[0].weights == str(folders[0])
