"""Whether a model fits on a GPU that is not here, and the least time that it takes there."""

from __future__ import annotations

import json
import sys

import pytest

from vitok_lib.cli.app import main
from vitok_lib.cost.flops import vitok_flops
from vitok_lib.cost.gpus import find_gpu
from vitok_lib.measure.predict.fits import fits_on
from vitok_lib.tokenizers.registry import RELEASED, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

GIB = 2**30
MEASURED_UNTILED = 38.23
"""GiB that an evaluation with flux at 4096 px took on one NVIDIA H100 in bf16."""


def test_a_byte_less_than_the_peak_with_its_margin_does_not_fit() -> None:
    (asked,) = fits_on(["350M-f16x64"], 1024, 0, None, {})
    peak = asked.plan.bytes_with_margin
    assert peak is not None
    for memory, fits in ((peak, True), (peak - 1, False)):
        (fit,) = fits_on(["350M-f16x64"], 1024, memory, None, {})
        assert fit.fits is fits


def test_the_margin_covers_what_was_measured_on_a_gpu() -> None:
    untiled, tiled = fits_on(["flux"], 4096, find_gpu("RTX 4090").memory_bytes, None, {})
    assert untiled.plan.bytes_with_margin is not None
    assert MEASURED_UNTILED <= untiled.plan.bytes_with_margin / GIB <= 1.1 * MEASURED_UNTILED
    assert (untiled.config.tiling, untiled.fits) == (False, False)
    assert (tiled.config.tiling, tiled.fits) == (True, True)


@pytest.mark.parametrize(
    ("name", "resolution", "window"),
    [("5B-f16x64", 4096, None), ("5B-f16x64", 8192, 1024), ("5B-f32x64", 8192, None)],
)
def test_a_vitok_attends_as_it_was_published(name: str, resolution: int, window: int | None) -> None:
    (fit,) = fits_on([name], resolution, GIB, None, {})
    assert (fit.config.window, fit.config.dtype, fit.config.device) == (window, "bfloat16", "cuda")


def test_the_least_time_is_the_flops_over_the_peak_of_the_data_sheet() -> None:
    gpu = find_gpu("H100")
    (fit,) = fits_on(["5B-f16x64"], 4096, gpu.memory_bytes, gpu, {})
    flops = vitok_flops(parse_variant(find("5B-f16x64").architecture), 4096, 4096)
    total = flops.encoder.total + flops.decoder.total
    assert fit.least_seconds == pytest.approx(total / (gpu.bf16 * 1e12))
    (faster,) = fits_on(["5B-f16x64"], 4096, gpu.memory_bytes, gpu, {"precision": "fp8"})
    assert faster.least_seconds is not None
    assert faster.least_seconds < fit.least_seconds


def _vitok(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["vitok", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_command_answers_for_all_released_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _vitok(monkeypatch, "plan", "--gpu", "rtx4090", "--resolution", "1024", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["tokenizer"] for row in rows} == set(RELEASED)
    assert {row["fits"] for row in rows} == {"yes"}
    assert all(float(row["least s"]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--gpu", "RTX 4091"), "RTX 4090"),
        (("--memory", "24"), "24GiB"),
        (("--gpu", "H100", "--memory", "24GiB"), "H100"),
        (("--gpu", "H100", "--device", "cpu"), "cpu"),
        (("--gpu", "RTX 3090", "--precision", "fp8", "350M-f16x64"), "RTX 3090"),
        ((), "name a tokenizer"),
    ],
)
def test_a_wrong_question_is_one_sentence(
    words: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _vitok(monkeypatch, "plan", "--resolution", "1024", *words) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("vitok: ")
    assert named in sentence
