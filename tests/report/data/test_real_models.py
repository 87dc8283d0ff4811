"""What is known best of each real model: measured before published and derived, in the configurations that suit it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.machines import write_fits, write_machine
from tests.fakes.records import measured_record
from vitok_lib.cost.fits import Predicted
from vitok_lib.cost.flops import SideFlops
from vitok_lib.cost.gpus import find_gpu
from vitok_lib.errors import RequestError
from vitok_lib.project import ROOT
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, Weights
from vitok_lib.records.store import record_path, write_record
from vitok_lib.report.data.real_models import (
    configurations,
    held_in,
    latency,
    peak,
    quality,
    real_models,
    smallest_fit,
)
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings.summary import outcomes_counted
from vitok_lib.report.tables.coverage import coverage_table

H100 = "NVIDIA H100 80GB HBM3"
GB = 10**9
RATIOS = {
    "350M-f16x16": 48,
    "350M-f16x32": 24,
    "350M-f16x64": 12,
    "5B-f16x16": 48,
    "5B-f16x32": 24,
    "5B-f16x64": 12,
    "5B-f32x64": 48,
    "5B-f32x128": 24,
    "5B-f32x256": 12,
    "flux": 12,
    "flux2": 6,
    "sd": 48,
    "sdxl": 48,
    "qwen": 12,
    "dc-ae-f32": 96,
    "dc-ae-f64": 96,
}
"""3·stride² pixel values over the channels of the latent."""


def _predicted(peak: int, linear: int = 0, moved: int = 0) -> Predicted:
    """Half of the FLOPs and of the bytes on each side."""
    side = SideFlops(linear=linear // 2, attention=0)
    return Predicted(GB, peak, peak, side, side, moved // 2, moved // 2)


def test_the_real_models_are_in_the_order_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(ROOT / "results"))
    found = real_models(load())
    assert {model.name: model.ratio for model in found} == RATIOS
    assert [model.name for model in found] == list(RATIOS)
    assert [model.name for model in found if model.gated] == ["flux", "flux2"]
    by_name = {model.name: model for model in found}
    assert by_name["flux"].parameters == pytest.approx(83.8e6, rel=1e-3)
    assert by_name["5B-f16x64"].parameters == pytest.approx(5.0e9, rel=1e-2)
    assert by_name["sd"].link == "https://huggingface.co/stabilityai/sd-vae-ft-mse"


def test_a_quality_is_published_until_it_is_measured_with_the_own_weights(results: Path) -> None:
    write_published()
    found = quality(load(), "5B-f16x64", "psnr", 1024)
    assert found is not None
    assert (found.value.value, found.value.kind) == (33.99, Kind.PUBLISHED)
    record = measured_record("5B-f16x64", "div8k-1024", {"psnr": [30.0, 31.0]})
    for source, kind in (("random:0", Kind.PUBLISHED), ("released", Kind.MEASURED)):
        tokenizer = record.tokenizer.model_copy(update={"weights": Weights(source=source)})
        own = record.model_copy(update={"tokenizer": tokenizer})
        write_record(own, record_path("local", "div8k", 1024, "5B-f16x64"))
        found = quality(load(), "5B-f16x64", "psnr", 1024)
        assert found is not None
        assert found.value.kind is kind
    assert found.value.value == 30.5
    assert found.number().anchor == found.entry.anchor


def test_an_estimate_never_answers_and_one_source_gives_a_column(results: Path) -> None:
    """The summary guesses 33.5 dB for 5B-f16x32; it and the page both print 0.82 and 0.89 for 5B-f16x64."""
    write_published()
    entries = load()
    found = quality(entries, "5B-f16x32", "psnr", 1024)
    assert found is not None
    assert (found.value.value, found.entry.origin) == (30.98, "project-page")
    fdd = quality(entries, "5B-f16x64", "fdd", 1024)
    assert fdd is not None
    assert (fdd.value.value, fdd.entry.origin) == (0.89, "project-page")
    only = quality(entries, "flux", "psnr", 1024)
    assert only is not None
    assert only.entry.origin == "evaluation-summary"
    assert quality(entries, "sd", "psnr", 777) is None


def test_a_latency_is_that_of_the_fastest_preset_on_this_gpu_at_batch_1_in_bf16(results: Path) -> None:
    write_fits(results, 1024, "350M-f16x64", _predicted(GB))
    runs = [
        (20.0, H100, {"preset": "reference"}),
        (12.0, H100, {"preset": "fast", "compile": "default", "chunk": 0}),
        (11.0, H100, {"preset": "fp8", "precision": "fp8"}),
        (7.0, H100, {"preset": "fast", "batch": 8}),
        (6.0, H100, {"preset": "fast", "window": 64}),
        (5.0, "NVIDIA A100-SXM4-80GB", {"preset": "fast"}),
    ]
    for milliseconds, gpu, settings in runs:
        settings = {"dtype": "bfloat16", "batch": 1, **settings}
        write_machine(results, "speed", 1024, "350M-f16x64", {"latency": milliseconds}, gpu=gpu, **settings)
    write_machine(results, "speed", 1024, "350M-f16x64", {"latency": 1.0}, gpu=H100, dtype="float16", batch=1)
    entries = load()
    found = latency(entries, "350M-f16x64", 1024, "H100")
    assert found is not None
    assert (found.value.value, found.value.kind) == (12.0, Kind.MEASURED)
    assert "preset fast" in found.configuration
    fp8 = latency(entries, "350M-f16x64", 1024, "H100", precision="fp8")
    assert fp8 is not None
    assert fp8.value.value == 11.0


def test_an_unmeasured_latency_is_the_least_that_the_data_sheet_allows(results: Path) -> None:
    """Of 989.4 TFLOP/s and 3,350 GB/s of an H100; half of the work on each side."""
    write_fits(results, 4096, "5B-f16x64", _predicted(GB, linear=2 * 10**15, moved=GB))
    write_fits(results, 1024, "5B-f16x64", _predicted(GB, moved=670 * GB))
    entries = load()
    for resolution, milliseconds in ((4096, 2e15 / 989.4e12 * 1e3), (1024, 200.0)):
        found = latency(entries, "5B-f16x64", resolution, "H100")
        assert found is not None
        assert (found.value.value, found.value.kind) == (pytest.approx(milliseconds), Kind.DERIVED)
        assert "least time" in found.number().tip
    assert latency(entries, "5B-f16x64", 2048, "H100") is None
    with pytest.raises(RequestError, match="GPU"):
        latency(entries, "5B-f16x64", 4096, "H1000")


def test_a_peak_is_measured_in_the_very_configuration_or_predicted(results: Path) -> None:
    write_fits(results, 4096, "flux", _predicted(39 * GB))
    write_fits(results, 4096, "flux", _predicted(3 * GB), tiling=True)
    measured = {"model_peak": 2.5}
    options = {"gpu": H100, "dtype": "bfloat16", "batch": 1, "weights": "random:0"}
    write_machine(results, "memory", 4096, "flux", measured, **options, tiling=True, attention="math")
    untiled, tiled = configurations(load(), "flux", 4096)
    predicted = peak(load(), "flux", 4096, "H100", configuration=tiled)
    assert predicted is not None
    assert (predicted.value.value, predicted.value.kind) == (3 * GB / 2**30, Kind.DERIVED)
    write_machine(results, "memory", 4096, "flux", measured, **options, tiling=True)
    found = peak(load(), "flux", 4096, "H100", configuration=tiled)
    assert found is not None
    assert (found.value.value, found.value.kind) == (2.5, Kind.MEASURED)
    assert "in tiles" in found.configuration
    elsewhere = peak(load(), "flux", 4096, "RTX 4090")
    assert elsewhere is not None
    assert (elsewhere.configuration, elsewhere.value.kind) == ("in tiles", Kind.DERIVED)
    on_h100 = peak(load(), "flux", 4096, "H100")
    assert on_h100 is not None
    assert on_h100.entry == untiled


def test_the_smallest_memory_holds_the_first_configuration_that_it_can(results: Path) -> None:
    write_fits(results, 8192, "flux", _predicted(24 * GB + 1))
    write_fits(results, 8192, "flux", _predicted(17 * GB), tiling=True)
    write_fits(results, 8192, "sd", _predicted(8 * GB))
    write_fits(results, 8192, "sd", _predicted(1 * GB), tiling=True)
    write_fits(results, 8192, "5B-f16x64", _predicted(8 * GB))
    write_fits(results, 8192, "5B-f16x64", _predicted(8 * GB), window=1024)
    write_fits(results, 8192, "qwen", _predicted(80 * GB + 1))
    entries = load()
    found = {name: smallest_fit(entries, name, 8192, "H100") for name in ("flux", "sd", "5B-f16x64", "qwen", "sdxl")}
    shown = {
        name: fit and (fit[0], fit[1].record.settings.tiling, fit[1].record.settings.window)
        for name, fit in found.items()
    }
    assert shown == {
        "flux": (24, True, None),
        "sd": (8, None, None),
        "5B-f16x64": (8, None, 1024),
        "qwen": None,
        "sdxl": None,
    }


def test_what_ran_out_of_memory_is_not_said_to_fit(results: Path) -> None:
    write_fits(results, 8192, "flux", _predicted(20 * GB))
    write_fits(results, 8192, "flux", _predicted(12 * GB), tiling=True)
    ended = Outcome(status=OutcomeStatus.OOM)
    options = {"gpu": "NVIDIA GeForce RTX 4090", "dtype": "bfloat16", "batch": 1}
    write_machine(results, "memory", 8192, "flux", {}, outcome=ended, **options)
    write_machine(results, "memory", 8192, "flux", {}, outcome=ended, **options, tiling=True, memory_limit_gib=4.0)
    entries = load()
    untiled, tiled = configurations(entries, "flux", 8192)
    held = {size: held_in(entries, (untiled, tiled), find_gpu("RTX 4090"), size) for size in (16, 24, 48)}
    assert held == {16: tiled, 24: tiled, 48: untiled}
    assert held_in(entries, (untiled, tiled), find_gpu("H100"), 24) == untiled


def test_a_prediction_counts_neither_as_measured_nor_as_published(results: Path) -> None:
    write_machine(results, "memory", 64, "nano-f16x64", {"model_peak": 0.1})
    before = coverage_table(load())
    write_fits(results, 1024, "sd", _predicted(GB))
    (entry,) = [entry for entry in load() if entry.study == "derived"]
    assert (entry.measured, entry.published) == (False, False)
    assert coverage_table(load()) == before
    assert outcomes_counted(load()) == []
