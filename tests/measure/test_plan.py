"""Predictions before loading: closed forms, what an evaluation really holds, and the refusal of what does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitok_lib.cli import main
from vitok_lib.errors import RequestError
from vitok_lib.images.pillow import MAX_RESOLUTION
from vitok_lib.measure import plan as planning
from vitok_lib.measure.instruments import Instruments
from vitok_lib.measure.plan import as_row, available_bytes, check_fits, predict
from vitok_lib.measure.replay import replay
from vitok_lib.metrics.signature import find_metric
from vitok_lib.tokenizers.load import load_tokenizer

GIB = 2**30
MIB = 2**20
ON_A_CPU = 3 + 3 + 12 + 3  # bytes a pixel: prepared image, batch, its float copy, reconstruction


def _free(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    monkeypatch.setattr(planning, "available_bytes", lambda device: count)


# A PCA holds the mean and 64 components of 16 × 16 × 3 values; of "sd" the number is the published one; None: counted
# in the loaded weights.
@pytest.mark.parametrize(
    ("name", "dtype", "itemsize", "parameters"),
    [
        ("pca-f16x64", "float64", 8, 65 * 768),
        ("nano-f16x64", "float32", 4, None),
        ("nano-kl-f8x4", "bfloat16", 2, None),
        ("sd", "float16", 2, 83_653_863),
    ],
)
def test_weights_take_as_many_bytes_as_their_dtype_has(
    name: str, dtype: str, itemsize: int, parameters: int | None
) -> None:
    plan = predict(name, 64, dtype=dtype)
    if parameters is None:
        loaded: Any = load_tokenizer(name)
        modules = [loaded.model] if hasattr(loaded, "model") else [loaded.encoder, loaded.decoder]
        parameters = sum(parameter.numel() for module in modules for parameter in module.parameters())
    assert plan.parameters == parameters
    assert plan.weight_bytes == parameters * itemsize


def test_the_evaluation_holds_fewer_copies_of_an_image_apart_from_a_gpu() -> None:
    assert predict("jpeg:q=75", 100).evaluation_bytes == 100 * 100 * ON_A_CPU
    assert predict("jpeg:q=75", 100, batch=3).evaluation_bytes == 3 * 100 * 100 * ON_A_CPU
    # The prepared image stays in the memory of the host.
    assert predict("jpeg:q=75", 100, device="cuda").evaluation_bytes == 100 * 100 * (ON_A_CPU - 3)


@pytest.mark.parametrize(
    ("name", "resolution", "batch", "dtype", "window"),
    [
        ("nano-f16x64", 512, 1, "float32", None),
        ("nano-f16x64", 360, 2, "float32", 100),
        ("nano-f32x64", 768, 1, "bfloat16", None),
        ("pca-f16x64", 512, 2, "float32", None),
        ("nano-kl-f8x4", 160, 1, "float32", None),
    ],
)
def test_the_prediction_is_what_an_evaluation_of_real_images_holds(
    name: str, resolution: int, batch: int, dtype: str, window: int | None
) -> None:
    plan = predict(name, resolution, batch=batch, dtype=dtype, window=window)
    images = [np.zeros((resolution, resolution, 3), np.uint8)] * batch
    instruments = Instruments(load_tokenizer(name, dtype=dtype, window=window), [])
    _, cost = replay(lambda: instruments.measure(images))
    outside_of_torch = 2 * batch * resolution**2 * 3  # the prepared images and the batch that NumPy stacks
    assert plan.total_bytes is not None
    assert plan.weight_bytes is not None
    assert plan.total_bytes - plan.weight_bytes == pytest.approx(cost.peak_bytes + outside_of_torch, rel=0.01)


def test_metrics_in_strips_take_little_beside_what_is_predicted() -> None:
    plan = predict("nano-f32x64", 768)
    instruments = Instruments(load_tokenizer("nano-f32x64"), [find_metric("psnr"), find_metric("ssim")])
    _, cost = replay(lambda: instruments.measure([np.zeros((768, 768, 3), np.uint8)]))
    assert plan.total_bytes is not None
    assert plan.weight_bytes is not None
    assert plan.total_bytes - plan.weight_bytes == pytest.approx(cost.peak_bytes + 2 * 768**2 * 3, rel=0.1)


@pytest.mark.parametrize(
    ("name", "stride", "free"),
    [
        ("pca-f16x64", 16, GIB),
        ("nano-f16x64", 16, 300 * MIB),
        ("nano-kl-f8x4", 8, GIB),
    ],
)
def test_the_largest_resolution_fits_and_the_next_does_not(
    name: str, stride: int, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, free)
    largest = predict(name, 64).largest_resolution
    assert largest is not None
    assert stride <= largest < MAX_RESOLUTION
    assert largest % stride == 0
    assert predict(name, largest).fits is True
    assert predict(name, largest + stride).fits is False


def test_the_largest_resolution_is_that_of_the_same_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, GIB)
    one, four = predict("pca-f16x64", 64), predict("pca-f16x64", 64, batch=4)
    assert one.largest_resolution is not None
    assert four.largest_resolution == pytest.approx(one.largest_resolution / 2, abs=16)


def test_where_everything_fits_the_largest_resolution_is_the_largest_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _free(monkeypatch, 1024 * GIB)
    assert predict("pca-f16x64", 64).largest_resolution == MAX_RESOLUTION


@pytest.mark.parametrize("free", [0, 65 * 768 * 4 + 1000])  # the second holds the weights and not one image
def test_where_nothing_fits_there_is_no_largest_resolution(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, free)
    plan = predict("pca-f16x64", 512)
    assert plan.largest_resolution is None
    with pytest.raises(RequestError, match="no resolution fits, and --force"):
        check_fits(plan)


def test_a_refusal_names_what_is_needed_what_is_free_and_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 24 * GIB)
    with pytest.raises(RequestError) as refused:
        check_fits(predict("flux", 4096, dtype="bfloat16", batch=2))
    sentence = str(refused.value)
    assert "\n" not in sentence
    for part in ("tokenizer 'flux'", "4096 px", "cpu has 24 GiB free", "the largest square that fits is ", "--force"):
        assert part in sentence
    needed = float(sentence.partition("needs about ")[2].partition(" GiB")[0])
    assert needed == pytest.approx(2 * 24, rel=0.05)  # twice the 24 GiB of the decoder's last level


@pytest.mark.parametrize("name", ["jpeg:q=75", "some.module:factory", "diffusers:nobody/nothing"])
def test_what_only_loading_tells_is_left_open_and_never_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 0)
    plan = predict(name, MAX_RESOLUTION)
    known = (plan.parameters, plan.weight_bytes, plan.encode_bytes, plan.decode_bytes, plan.total_bytes)
    assert (*known, plan.encode_flops, plan.decode_flops, plan.fits, plan.largest_resolution) == (None,) * 9
    check_fits(plan)
    row = as_row(plan)
    assert [row[cell] for cell in ("parameters", "weights", "peak", "fits", "largest")] == [""] * 5
    assert row["evaluation"] == "5.25 GiB"  # 16384² pixels of 21 bytes


def test_memory_that_cannot_be_told_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, None)
    plan = predict("flux", MAX_RESOLUTION)
    assert plan.fits is None
    assert plan.largest_resolution is None
    check_fits(plan)


def test_free_memory_of_a_cpu_is_some_and_no_more_than_there_is() -> None:
    free = available_bytes("cpu")
    assert free is not None
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        assert 0 < free <= int(meminfo.read_text().partition("MemTotal:")[2].split()[0]) * 1024


def test_free_memory_of_a_gpu_is_that_of_the_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ((device.index or 0) + 5, 80))
    assert [available_bytes(name) for name in ("cuda", "cuda:1", "cuda:2")] == [5, 6, None]


@pytest.mark.parametrize(
    ("name", "resolution", "options", "sentence"),
    [
        ("nano-f16x65", 512, {}, "unknown tokenizer 'nano-f16x65'; did you mean nano-f16x64"),
        ("pca-f16x64", 0, {}, "resolution must be between 1 and 16384 pixels, not 0"),
        ("pca-f16x64", 64, {"window": 8}, "'pca-f16x64' is no ViTok: window does not apply"),
        ("nano-f16x64", 64, {"window": -1}, "window (=-1) must be 0 or more"),
        ("nano-f16x64", 64, {"tiling": True}, "'nano-f16x64' is no convolutional auto-encoder: tiling does not apply"),
        ("nano-f16x64", 64, {"device": "gpu"}, "device 'gpu' is none that torch knows; try device 'cpu'"),
        ("nano-f16x64", 64, {"dtype": "float31"}, "unknown dtype 'float31'; did you mean float32"),
        ("nano-f16x64", 64, {"batch": 0}, "batch (=0) must be at least 1"),
    ],
)
def test_a_wrong_request_is_one_sentence(name: str, resolution: int, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        predict(name, resolution, **options)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_row_of_a_plan_counts_in_units(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 24 * GIB)
    row = as_row(predict("5B-f16x64", 1024, dtype="bfloat16"))
    assert (row["tokenizer"], row["resolution"], row["fits"], row["free"]) == ("5B-f16x64", 1024, "yes", "24 GiB")
    assert row["parameters"] == "4995 M"
    assert row["weights"] == "9.3 GiB"  # 4.995e9 · 2 / 2³⁰
    # Of 4096 tokens: 37.2 · 10¹² for the decoder's matrices, 4 · width · depth · 4096² for its attention.
    assert float(row["decode TFLOP"]) == pytest.approx(37.2 + 9.07 * 24 / 28, rel=0.05)


def _vitok(*words: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["vitok", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_command_prints_the_plan_and_refuses_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _free(monkeypatch, 24 * GIB)
    asked = ("plan", "pca-f16x64", "flux", "--resolution", "16384", "--json")
    assert _vitok(*asked, monkeypatch=monkeypatch) == 2
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert (first["tokenizer"], first["fits"], first["largest"]) == ("pca-f16x64", "yes", 16384)
    assert (second["tokenizer"], second["fits"]) == ("flux", "no")
    assert second["largest"] < 4096
    (sentence,) = printed.err.splitlines()
    assert sentence.startswith("vitok: tokenizer 'flux' at 16384 px needs about 771 GiB and cpu has 24 GiB free")
    assert _vitok(*asked, "--force", monkeypatch=monkeypatch) == 0
    forced = capsys.readouterr()
    assert (json.loads(forced.out), forced.err) == ([first, second], "")


def test_an_evaluation_that_does_not_fit_is_refused_before_loading_unless_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    _free(monkeypatch, MIB)
    asked = ("eval", "pca-f16x64", "--images", "photos", "--resolution", "256", "--samples", "1", "--metrics", "psnr")
    assert _vitok(*asked, monkeypatch=monkeypatch) == 2
    assert "tokenizer 'pca-f16x64' at 256 px needs about" in capsys.readouterr().err
    assert not results.exists()
    assert _vitok(*asked, "--force", monkeypatch=monkeypatch) == 0
    assert list(results.rglob("*.json"))
