"""Predictions before loading: closed forms, what an evaluation really holds, and the refusal of what does not fit."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from vitok_lib.errors import RequestError
from vitok_lib.images.formats.pillow import MAX_RESOLUTION
from vitok_lib.measure.predict import plan as planning
from vitok_lib.measure.predict.meta_memory import trace_memory
from vitok_lib.measure.predict.meta_model import Footprint, MetaModel
from vitok_lib.measure.predict.plan import as_row, check_fits, plan_of
from vitok_lib.measure.quality.metric_suite import MetricSuite
from vitok_lib.metrics.signature import find_metric
from vitok_lib.project import ROOT
from vitok_lib.records.config import RunConfig
from vitok_lib.records.store import read_record
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
        ("nano-kl-f8x16", "bfloat16", 2, None),
        ("sd", "float16", 2, 83_653_863),
    ],
)
def test_weights_take_as_many_bytes_as_their_dtype_has(
    name: str, dtype: str, itemsize: int, parameters: int | None
) -> None:
    plan = plan_of(RunConfig(name=name, dtype=dtype), 64)
    if parameters is None:
        loaded: Any = load_tokenizer(name)
        modules = [loaded.model] if hasattr(loaded, "model") else [loaded.encoder, loaded.decoder]
        parameters = sum(parameter.numel() for module in modules for parameter in module.parameters())
    assert plan.parameters == parameters
    assert plan.weight_bytes == parameters * itemsize


def test_the_evaluation_holds_fewer_copies_of_an_image_apart_from_a_gpu() -> None:
    assert plan_of(RunConfig(name="jpeg:q=75"), 100).evaluation_bytes == 100 * 100 * ON_A_CPU
    assert plan_of(RunConfig(name="jpeg:q=75", batch=3), 100).evaluation_bytes == 3 * 100 * 100 * ON_A_CPU
    # The prepared image stays in the memory of the host.
    assert plan_of(RunConfig(name="jpeg:q=75", device="cuda"), 100).evaluation_bytes == 100 * 100 * (ON_A_CPU - 3)


@pytest.mark.parametrize(
    ("name", "resolution", "batch", "dtype", "window"),
    [
        ("nano-f16x64", 512, 1, "float32", None),
        ("nano-f16x64", 360, 2, "float32", 100),
        ("nano-f32x64", 768, 1, "bfloat16", None),
        ("pca-f16x64", 512, 2, "float32", None),
        ("nano-kl-f8x16", 160, 1, "float32", None),
    ],
)
def test_the_prediction_is_what_an_evaluation_of_real_images_holds(
    name: str, resolution: int, batch: int, dtype: str, window: int | None
) -> None:
    plan = plan_of(RunConfig(name=name, batch=batch, dtype=dtype, window=window), resolution)
    images = [np.zeros((resolution, resolution, 3), np.uint8)] * batch
    suite = MetricSuite(load_tokenizer(name, dtype=dtype, window=window), [])
    _, cost = trace_memory(lambda: suite.measure(images))
    outside_of_torch = 2 * batch * resolution**2 * 3  # the prepared images and the batch that NumPy stacks
    assert plan.total_bytes is not None
    assert plan.weight_bytes is not None
    assert plan.total_bytes - plan.weight_bytes == pytest.approx(cost.peak_bytes + outside_of_torch, rel=0.01)


def test_metrics_in_strips_take_little_beside_what_is_predicted() -> None:
    plan = plan_of(RunConfig(name="nano-f32x64"), 768)
    suite = MetricSuite(load_tokenizer("nano-f32x64"), [find_metric("psnr"), find_metric("ssim")])
    _, cost = trace_memory(lambda: suite.measure([np.zeros((768, 768, 3), np.uint8)]))
    assert plan.total_bytes is not None
    assert plan.weight_bytes is not None
    assert plan.total_bytes - plan.weight_bytes == pytest.approx(cost.peak_bytes + 2 * 768**2 * 3, rel=0.1)


@pytest.mark.parametrize(
    ("name", "stride", "free"),
    [
        ("pca-f16x64", 16, GIB),
        ("nano-f16x64", 16, 300 * MIB),
        ("nano-kl-f8x16", 8, GIB),
    ],
)
def test_the_largest_resolution_fits_and_the_next_does_not(
    name: str, stride: int, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, free)
    largest = plan_of(RunConfig(name=name), 64).largest_resolution
    assert largest is not None
    assert stride <= largest < MAX_RESOLUTION
    assert largest % stride == 0
    assert plan_of(RunConfig(name=name), largest).fits is True
    assert plan_of(RunConfig(name=name), largest + stride).fits is False


def test_every_measured_peak_is_within_the_margin_of_its_prediction() -> None:
    """Of CPUs' committed records, each of which holds what was predicted next to what was measured, in GiB."""
    seen = 0
    planned = cache(lambda name: plan_of(RunConfig(name=name), 64))
    for file in (ROOT / "results").glob("*/memory-*/*.json"):
        record = read_record(file)
        measured, predicted = record.value("evaluation_peak"), record.value("predicted_peak")
        if measured is None or predicted is None:
            continue
        if record.settings.device != "cpu":
            continue
        plan = planned(record.tokenizer.name)
        allowed = predicted.value * (1 + plan.margin) + plan.fixed_margin_bytes / GIB
        assert measured.value <= allowed, file
        seen += 1
    assert seen > 5


def test_a_plan_that_fits_only_without_its_margin_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(RunConfig(name="nano-kl-f8x16"), 256)
    assert plan.total_bytes is not None
    assert plan.bytes_with_margin is not None
    assert plan.bytes_with_margin > 1.3 * plan.total_bytes
    for free, fits in ((plan.total_bytes + 1, False), (plan.bytes_with_margin, True)):
        _free(monkeypatch, free)
        assert plan_of(RunConfig(name="nano-kl-f8x16"), 256).fits is fits
    row = as_row(plan)
    assert float(str(row["with margin"]).split()[0]) > float(str(row["peak"]).split()[0])


@pytest.mark.parametrize("name", ["nano-f16x64", "350M-f16x64"])
def test_the_largest_resolution_of_a_large_batch_is_found_in_seconds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _free(monkeypatch, 80 * GIB)
    traced: list[int] = []
    original = MetaModel._traced

    def counted(model: MetaModel, resolution: int, batch: int) -> Footprint:
        traced.append(batch * (resolution // 16) ** 2)
        return original(model, resolution, batch)

    monkeypatch.setattr(MetaModel, "_traced", counted)
    assert plan_of(RunConfig(name=name, batch=64), 1024).largest_resolution is not None
    assert max(traced) <= 900_000, "tokens of the largest batch whose chunks are gone through one by one"


def test_the_largest_resolution_is_that_of_the_same_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, GIB)
    one, four = plan_of(RunConfig(name="pca-f16x64"), 64), plan_of(RunConfig(name="pca-f16x64", batch=4), 64)
    assert one.largest_resolution is not None
    assert four.largest_resolution == pytest.approx(one.largest_resolution / 2, abs=16)


def test_a_model_of_one_size_of_image_has_that_as_its_largest_and_no_peak_at_another() -> None:
    plan = plan_of(RunConfig(name="rae-dinov2"), 256)
    assert plan.weight_bytes == 4 * 501_638_656
    assert plan.largest_resolution == 256
    other = plan_of(RunConfig(name="rae-dinov2"), 512)
    assert (other.total_bytes, other.fits, other.largest_resolution) == (None, None, 256)


def test_where_everything_fits_the_largest_resolution_is_the_largest_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _free(monkeypatch, 1024 * GIB)
    assert plan_of(RunConfig(name="pca-f16x64"), 64).largest_resolution == MAX_RESOLUTION


@pytest.mark.parametrize("free", [0, 65 * 768 * 4 + 1000])  # the second holds the weights and not one image
def test_where_nothing_fits_there_is_no_largest_resolution(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, free)
    plan = plan_of(RunConfig(name="pca-f16x64"), 512)
    assert plan.largest_resolution is None
    with pytest.raises(RequestError, match="no resolution fits"):
        check_fits(plan)


def test_a_refusal_names_what_is_needed_what_is_free_and_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 24 * GIB)
    with pytest.raises(RequestError) as refused:
        check_fits(plan_of(RunConfig(name="flux", dtype="bfloat16", batch=2), 4096))
    sentence = str(refused.value)
    assert "\n" not in sentence
    for part in ("tokenizer 'flux'", "4096 px", "cpu has 24 GiB free", "the largest square that fits is "):
        assert part in sentence
    needed = float(sentence.partition("needs about ")[2].partition(" GiB")[0])
    assert needed == pytest.approx(2 * 24, rel=0.05)  # twice the 24 GiB of the decoder's last level


@pytest.mark.parametrize("name", ["jpeg:q=75", "some.module:factory", "diffusers:nobody/nothing"])
def test_what_only_loading_tells_is_left_open_and_never_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 0)
    plan = plan_of(RunConfig(name=name), MAX_RESOLUTION)
    known = (plan.parameters, plan.weight_bytes, plan.encode_bytes, plan.decode_bytes, plan.total_bytes)
    assert (*known, plan.encode_flops, plan.decode_flops, plan.fits, plan.largest_resolution) == (None,) * 9
    check_fits(plan)
    row = as_row(plan)
    assert [row[cell] for cell in ("parameters", "weights", "peak", "fits", "largest")] == [""] * 5
    assert row["evaluation"] == "5.25 GiB"  # 16384² pixels of 21 bytes


def test_memory_that_cannot_be_told_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, None)
    plan = plan_of(RunConfig(name="flux"), MAX_RESOLUTION)
    assert plan.fits is None
    assert plan.largest_resolution is None
    check_fits(plan)


@pytest.mark.parametrize(
    ("name", "resolution", "options", "sentence"),
    [
        ("nano-f16x65", 512, {}, "unknown tokenizer 'nano-f16x65'; did you mean nano-f16x64"),
        ("pca-f16x64", 0, {}, "resolution must be between 1 and 16384 pixels, not 0"),
        ("pca-f16x64", 64, {"window": 8}, "'pca-f16x64' is no ViTok: the setting window does not apply"),
        ("nano-f16x64", 64, {"window": -1}, "window (=-1) must be 0 or more"),
        ("nano-f16x64", 64, {"blocks": "3/4"}, "keeps 3 of the encoder, and 'w192_d2_h3-w192_d4_h3/1x16x64' has 2"),
        ("pca-f16x64", 64, {"blocks": "0/1"}, "'pca-f16x64' is no ViTok: the setting blocks does not apply"),
        ("nano-f16x64", 64, {"tiling": True}, "'nano-f16x64' is no convolutional auto-encoder: tiling"),
        ("nano-f16x64", 64, {"device": "gpu"}, "device 'gpu' is none that torch knows; try device 'cpu'"),
        ("nano-f16x64", 64, {"dtype": "float31"}, "unknown dtype 'float31'; did you mean float32"),
        ("nano-f16x64", 64, {"batch": 0}, "batch (=0) must be at least 1"),
        ("flux", 64, {"batch": 10**9}, "batch (=1000000000) must be at least 1 image, and at most 65,536"),
        ("nano-f16x64", 64, {"precision": "fp9"}, "unknown precision 'fp9'; did you mean fp8"),
        ("nano-f16x64", 64, {"chunk": -1}, "chunk (=-1) must be 1 or more tokens, 0 for all"),
        ("nano-f16x64", 64, {"attention": "mask"}, "attention 'mask' is not for full attention"),
        ("flux", 64, {"attention": "flish"}, "unknown attention kernel 'flish'; did you mean flash"),
        ("flux", 64, {"folded": True, "chunk": 4}, "'flux' is no ViTok: the setting folded, chunk does not apply"),
        ("pca-f16x64", 64, {"attention": "math"}, "'pca-f16x64' has no attention: the setting attention"),
    ],
)
def test_a_wrong_request_is_one_sentence(name: str, resolution: int, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        plan_of(RunConfig(name=name, **options), resolution)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_row_of_a_plan_counts_in_units(monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 24 * GIB)
    row = as_row(plan_of(RunConfig(name="5B-f16x64", dtype="bfloat16"), 1024))
    assert (row["tokenizer"], row["resolution"], row["fits"], row["free"]) == ("5B-f16x64", 1024, "yes", "24 GiB")
    assert row["parameters"] == "4995 M"
    assert row["weights"] == "9.3 GiB"  # 4.995e9 · 2 / 2³⁰
    # Of 4096 tokens: 37.2 · 10¹² for the decoder's matrices, 4 · width · depth · 4096² for its attention.
    assert float(row["decode TFLOP"]) == pytest.approx(37.2 + 9.07 * 24 / 28, rel=0.05)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "fp8"},
        {"folded": True},
        {"chunk": 0},
        {"chunk": 700},
        {"attention": "mask", "window": 9},
        {"blocks": "1/0"},
        {"window": "2d:3"},
    ],
)
def test_a_prediction_is_of_the_way_the_tokenizer_runs(options: dict[str, Any]) -> None:
    name, resolution = "w64_d2_h2-w96_d3_h2/8x6", 320
    plan = plan_of(RunConfig(name=name, **options), resolution)
    tokenizer: Any = load_tokenizer(name, weights="random", **options)
    sides = (tokenizer.encoder, tokenizer.decoder)
    assert plan.weight_bytes == sum(tensor.nbytes for side in sides for tensor in side.state_dict().values())
    suite = MetricSuite(tokenizer, [])
    _, cost = trace_memory(lambda: suite.measure([np.zeros((resolution, resolution, 3), np.uint8)]))
    assert plan.total_bytes is not None
    assert plan.weight_bytes is not None
    assert plan.total_bytes - plan.weight_bytes == pytest.approx(cost.peak_bytes + 2 * resolution**2 * 3, rel=0.05)


def test_weights_in_8_bits_take_a_byte_and_a_scale_a_row_and_the_ends_two_bytes() -> None:
    block = 4 * 3072**2 + 3 * 3072 * 8208
    rows = 3 * 3072 + 3072 + 2 * 8208 + 3072
    ends = 2 * (3072 * (768 + 64) + 3072) + 64 + 768
    norms = 44 * 2 * 128  # of queries and keys; those of blocks are folded into the matrices
    plan = plan_of(RunConfig(name="5B-f16x64", dtype="bfloat16", device="cuda", precision="fp8"), 1024)
    assert plan.weight_bytes == 44 * (block + 4 * rows) + 2 * (ends + norms)
    assert plan.weight_bytes / 1e9 == pytest.approx(5.0, rel=0.005)


def test_without_chunks_the_hidden_values_of_all_tokens_are_there_at_once() -> None:
    """Of 262,144 tokens of 5B: x, h, attention's output, 2 · 8208 hidden values, the gate's and their product."""
    chunked, whole = (
        plan_of(RunConfig(name="5B-f16x64", dtype="bfloat16", device="cuda", chunk=chunk), 8192) for chunk in (None, 0)
    )
    assert whole.decode_bytes is not None
    assert chunked.decode_bytes is not None
    assert whole.decode_bytes == pytest.approx(2 * 262_144 * (3 * 3072 + 4 * 8208), rel=0.05)
    assert chunked.decode_bytes < 0.6 * whole.decode_bytes


def test_largest_within_is_the_largest_of_a_gpu_of_that_size(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(RunConfig(name="flux", dtype="bfloat16", device="cuda"), 1024)
    largest = plan.largest_within(24 * GIB)
    assert largest is not None
    # Bytes a pixel while the decoder's widest convolution runs, whose workspaces hold its input and output once more:
    # the coarser features, before and after the last blocks, and the full ones, 256 values of 2 bytes.
    decoding = 256 + 128 + 2 * 512 + 2 * 512
    at_4096 = decoding * 4096**2 + plan.evaluation_bytes * 16
    assert largest == pytest.approx(4096 * (24 * GIB / at_4096) ** 0.5, rel=0.02)
    _free(monkeypatch, 24 * GIB)
    with_margin = plan_of(RunConfig(name="flux", dtype="bfloat16", device="cuda"), 1024).largest_resolution
    assert with_margin == pytest.approx(largest / 1.1**0.5, rel=0.02)  # memory grows with the pixels
    assert plan.largest_within(0) is None
