"""What holds on a CPU holds on a GPU: presets, kernels, timings, memory. ``pytest -m gpu`` runs the GPU's half."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.fakes.images import write_noise
from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.memory.peak import measure_memory
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.speed.benchmark import measure_speed
from vitok_lib.measure.speed.numerical_error import (
    exact_config,
    exact_reconstruction,
    last_row,
    relative_error,
    small_image,
)
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.tokenizers.load import load, load_tokenizer
from vitok_lib.tokenizers.presets import PRESETS
from vitok_lib.tokenizers.vitok.kernel_choice import AGREEMENT

NAME = "nano-f16x64"
WINDOW = 40
DTYPES = {"cpu": "float32", "cuda": "bfloat16"}
LARGEST_ERRORS = {"float32": 1e-5, "bfloat16": 0.1, "fp8": 0.4}
"""Relative RMS of a reconstruction of noise: on a CPU 0.066 in bfloat16; an 8-bit float keeps half of its mantissa."""
CUDA = pytest.param("cuda", marks=pytest.mark.gpu)


def _of_presets() -> list[object]:
    on_a_cpu = [("cpu", name) for name, preset in PRESETS.items() if preset.compile is None and not preset.fused]
    return [*on_a_cpu, *(pytest.param("cuda", name, marks=pytest.mark.gpu) for name in PRESETS)]


@pytest.mark.parametrize(("device", "preset"), _of_presets())
def test_a_preset_agrees_with_exact_arithmetic(device: str, preset: str) -> None:
    config = RunConfig(name=NAME, preset=preset, device=device, dtype=DTYPES[device], window=WINDOW)
    try:
        tokenizer = load(config)
    except (RequestError, UnsupportedError) as error:
        if getattr(error, "code", None) not in ("fp8-unsupported", "fused-unsupported"):
            raise
        pytest.skip(str(error))
    image = small_image(16, device)
    with torch.no_grad():
        found = tokenizer.reconstruct(image.to(getattr(torch, config.dtype))).cpu()
    exact = exact_reconstruction(exact_config(config, device), image).cpu()
    largest = LARGEST_ERRORS[PRESETS[preset].precision or config.dtype]
    assert 0 < relative_error(found, exact) < largest
    assert relative_error(last_row(found, 16), last_row(exact, 16)) < 2 * largest, "the last tokens are cut"


@pytest.mark.parametrize(
    ("device", "kernel"),
    [("cpu", "bands"), *(pytest.param("cuda", name, marks=pytest.mark.gpu) for name in ("bands", "varlen", "flex"))],
)
def test_a_sliding_window_is_masked_dense_attention(device: str, kernel: str) -> None:
    images = small_image(16, device).to(getattr(torch, DTYPES[device]))
    given = {"device": device, "dtype": DTYPES[device]}
    with torch.no_grad():
        windowed, masked, full = (
            load_tokenizer(NAME, attention=attention, window=window, **given).reconstruct(images).cpu()
            for attention, window in ((kernel, WINDOW), ("mask", WINDOW), (None, None))
        )
    assert relative_error(windowed, masked) < {"float32": 1e-5, "bfloat16": AGREEMENT}[DTYPES[device]]
    assert relative_error(windowed, full) > 2 * relative_error(windowed, masked), "the window leaves something out"


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_clock_measures_the_work_and_not_its_launch(device: str) -> None:
    clock = Clock(device)
    matrix = torch.rand(512 if device == "cpu" else 4096, 512 if device == "cpu" else 4096, device=device)

    def multiplied(times: int) -> float:
        def work() -> None:
            for _ in range(times):
                matrix @ matrix

        return min(clock.time(work)[1] for _ in range(5))

    multiplied(3)
    began = time.perf_counter()
    short, long = multiplied(5), multiplied(50)
    assert 4 < long / short < 25
    assert 5 * (short + long) < 1.5 * (time.perf_counter() - began) * 1e3, "no more than has passed"


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_benchmark_records_latency_and_on_a_gpu_its_memory(device: str) -> None:
    configs = [
        RunConfig(name=NAME, preset=name, device=device, dtype=DTYPES[device]) for name in ("reference", "folded")
    ]
    records = measure_speed(configs, resolution=64, seconds=0.05, iterations=3)
    assert [record.outcome.status for record in records] == [OutcomeStatus.OK] * 2
    for record in records:
        latency, weights = record.value("latency"), 4 * (record.tokenizer.parameters or 0)
        assert latency is not None
        assert 0 < latency.value < 10_000
        peak = record.value("peak_memory")
        assert (peak is None) == (device == "cpu")
        if peak is not None:
            assert weights / 2 / 2**30 < peak.value < 8


@pytest.mark.gpu
def test_peak_memory_of_a_gpu_holds_weights_and_grows_with_the_image() -> None:
    peaks = []
    for resolution in (256, 1024):
        record = measure_memory(RunConfig(name=NAME, device="cuda", dtype="bfloat16"), resolution=resolution)
        assert record.outcome.status is OutcomeStatus.OK, record.outcome.detail
        weights, model, evaluation = (record.value(name) for name in ("weights", "model_peak", "evaluation_peak"))
        assert weights is not None
        assert model is not None
        assert evaluation is not None
        assert 0 < weights.value < model.value <= evaluation.value
        peaks.append(model.value)
    assert peaks[0] < peaks[1]


@pytest.mark.gpu
def test_metrics_of_a_codec_on_a_gpu_are_those_of_a_cpu(tmp_path: Path) -> None:
    images = write_noise(tmp_path, [(200, 240)])
    metrics = ["psnr", "ssim", "ms-ssim", "ssimulacra2", "ciede2000", "bpp"]
    asked: dict[str, Any] = {"images": images, "resolution": 240, "metrics": metrics}
    on_gpu = evaluate(RunConfig(name="jpeg:q=75", device="cuda"), **asked)
    on_cpu = evaluate("jpeg:q=75", **asked, study="alone")
    assert on_gpu.provenance is not None
    assert on_gpu.provenance.host.gpu is not None
    assert on_gpu.settings == on_cpu.settings
    found = {value.quantity: value.value for value in on_gpu.values}
    assert found == pytest.approx({value.quantity: value.value for value in on_cpu.values}, rel=1e-5)
    assert set(found) == set(metrics)


@pytest.mark.gpu
def test_running_out_of_a_gpus_memory_is_an_outcome_and_leaves_the_gpu_usable() -> None:
    record = measure_memory(RunConfig(name=NAME, device="cuda", dtype="bfloat16"), resolution=4096, limit_gib=0.1)
    assert record.outcome.status is OutcomeStatus.OOM
    assert record.outcome.memory is not None
    assert (record.outcome.memory.height, record.outcome.memory.batch) == (4096, 1)
    assert torch.ones(2, device="cuda").sum().item() == 2
