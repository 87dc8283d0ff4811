"""Whether a model fits on a GPU that is not here, and the least time that it takes there."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.fakes.terminal import status_of
from vitok_lib.check.records import audit_records
from vitok_lib.cost.fits import predicted
from vitok_lib.cost.flops import vitok_flops
from vitok_lib.cost.gpus import find_gpu
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.predict.fits import fits_on
from vitok_lib.measure.predict.plan import MARGIN_ON_GPU, plan_of
from vitok_lib.project import ROOT
from vitok_lib.published.study import write_published
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Record
from vitok_lib.records.store import read_record, read_records
from vitok_lib.report.data.requested import requested
from vitok_lib.tokenizers.registry import RELEASED, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

GIB = 2**30


def test_a_byte_less_than_the_peak_with_its_margin_does_not_fit() -> None:
    (asked,) = fits_on(["350M-f16x64"], [1024], 0, None, {})
    peak = asked.plan.bytes_with_margin
    assert peak is not None
    for memory, fits in ((peak, True), (peak - 1, False)):
        (fit,) = fits_on(["350M-f16x64"], [1024], memory, None, {})
        assert fit.fits is fits


def _peaks_of_gpus() -> list[Path]:
    """Committed records of what GPUs measured: the peak of an evaluation, or of the model alone."""
    return [
        file
        for pattern in ("memory-*/*.json", "speed-*/*.json")
        for file in sorted((ROOT / "results").glob(f"*/{pattern}"))
        if "device=cuda" in file.name and _peak(read_record(file)) is not None
    ]


def _peak(record: Record) -> float | None:
    found = record.value("evaluation_peak") or record.value("peak_memory")
    return None if found is None else found.value


@pytest.mark.parametrize("file", _peaks_of_gpus(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_peak_that_a_gpu_measured_is_predicted_within_its_margin_either_way(file: Path) -> None:
    record = read_record(file)
    measured, plan = _peak(record), plan_of(requested(record), record.resolution)
    assert measured is not None
    assert plan.total_bytes is not None
    assert measured * GIB == pytest.approx(plan.total_bytes, rel=MARGIN_ON_GPU)


def test_there_are_peaks_of_gpus_to_hold_predictions_to() -> None:
    names = {read_record(file).tokenizer.name for file in _peaks_of_gpus()}
    assert names >= {"flux", "sd", "350M-f16x64", "5B-f16x64", "5B-f32x64"}


def test_an_auto_encoder_can_fit_in_tiles_alone() -> None:
    untiled, tiled = fits_on(["flux"], [4096], find_gpu("RTX 4090").memory_bytes, None, {})
    assert (untiled.config.tiling, untiled.fits) == (False, False)
    assert (tiled.config.tiling, tiled.fits) == (True, True)


@pytest.mark.parametrize(
    ("name", "resolution", "windows"),
    [("5B-f16x64", 4096, [None]), ("5B-f16x64", 4112, [None, 1024]), ("5B-f32x64", 8192, [None])],
)
def test_above_65536_tokens_a_vitok_is_planned_with_its_published_window_too(
    name: str, resolution: int, windows: list[int | None]
) -> None:
    fits = fits_on([name], [resolution], GIB, None, {})
    assert [fit.config.window for fit in fits] == windows
    assert {(fit.config.dtype, fit.config.device) for fit in fits} == {("bfloat16", "cuda")}


def test_the_least_time_is_the_flops_over_the_peak_of_the_data_sheet() -> None:
    gpu = find_gpu("H100")
    (fit,) = fits_on(["5B-f16x64"], [4096], gpu.memory_bytes, gpu, {})
    flops = vitok_flops(parse_variant(find("5B-f16x64").architecture), 4096, 4096)
    total = flops.encoder.total + flops.decoder.total
    assert fit.least_seconds == pytest.approx(total / (gpu.bf16 * 1e12))
    (faster,) = fits_on(["5B-f16x64"], [4096], gpu.memory_bytes, gpu, {"precision": "fp8"})
    assert faster.least_seconds is not None
    assert faster.least_seconds < fit.least_seconds


@pytest.mark.parametrize("text", ["", "1024,", "1k", "-5", "0", "512,99999", "9" * 20, "1024 4096"])
def test_a_wrong_resolution_is_one_sentence(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, "plan", "sd", f"--resolution={text}") == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("vitok: resolution")


def test_the_command_answers_for_all_released_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, "plan", "--gpu", "rtx4090", "--resolution", "256", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["tokenizer"] for row in rows} == set(RELEASED)
    assert {row["fits"] for row in rows} == {"yes"}
    assert all(float(row["least s"]) > 0 for row in rows)


def test_several_resolutions_are_rows_each_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in (["--memory", "24GiB"], ["--force"]):
        words = ("plan", "jpeg:q=75", *options, "--resolution", "96, 64,96", "--json")
        assert status_of(monkeypatch, *words) == 0
        assert [row["resolution"] for row in json.loads(capsys.readouterr().out)] == [96, 64]
    assert status_of(monkeypatch, *words[:-1]) == 0
    assert "96" in capsys.readouterr().out


def test_a_kept_plan_is_derived_and_its_command_gives_the_configuration_back(
    monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    write_published()
    assert status_of(monkeypatch, "plan", "sd", "5B-f16x64", "--resolution", "8192", "--study", "elsewhere") == 0
    records = {record.requested: record for record in read_records("elsewhere")}
    usual = {"device": "cuda", "dtype": "bfloat16"}
    assert set(records) == {
        RunConfig(name="5B-f16x64", **usual),
        RunConfig(name="5B-f16x64", **usual, window=1024),
        RunConfig(name="sd", **usual),
        RunConfig(name="sd", **usual, tiling=True),
    }
    for config, record in records.items():
        assert {value.kind for value in record.values} == {Kind.DERIVED} == {record.outcome.kind}
        assert record.provenance is not None
        measurement = parse(record.provenance.command)
        assert (measurement.what, measurement.configs, measurement.request["resolution"]) == ("plan", (config,), 8192)
    assert audit_records() == []


def test_what_a_kept_plan_holds_is_the_arithmetic_of_the_architecture(
    monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    """The decoder of 5B-f16x64: 40 blocks of width 3072 with hidden values of 8208; 512² tokens at 8192 px."""
    assert status_of(monkeypatch, "plan", "5B-f16x64", "--resolution", "8192", "--window", "1024", "--study", "s") == 0
    (record,) = read_records("s")
    tokens, block = 512**2, 4 * 3072**2 + 3 * 3072 * 8208
    pairs = sum(min(i, 1024) + min(tokens - 1 - i, 1024) + 1 for i in range(tokens))
    found = predicted(record)
    assert found.decode.linear == 2 * tokens * (40 * block + 3072 * (3 * 16**2 + 64))
    assert found.decode.attention == 40 * 4 * 3072 * pairs
    assert found.weights == pytest.approx(2 * 5.0e9, rel=0.01)
    assert found.encode_moved + found.decode_moved == pytest.approx(found.weights + 2 * 2 * 3 * 8192**2, rel=1e-3)
    assert found.peak > found.weights
    assert found.peak_with_margin == pytest.approx(found.peak * (1 + MARGIN_ON_GPU), rel=1e-9)


def test_nothing_is_kept_of_a_tokenizer_of_which_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        status_of(
            monkeypatch, "plan", "350M-f16x64", "jpeg:q=75", "--device", "cuda", "--resolution", "64", "--study", "s"
        )
        == 2
    )
    assert "'jpeg:q=75'" in capsys.readouterr().err
    assert read_records("s") == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--gpu", "RTX 4091"), "RTX 4090"),
        (("--memory", "24"), "24GiB"),
        (("--gpu", "H100", "--memory", "24GiB"), "H100"),
        (("--gpu", "H100", "--device", "cpu"), "cpu"),
        (("--gpu", "RTX 3090", "--precision", "fp8", "350M-f16x64"), "RTX 3090"),
        ((), "name a tokenizer"),
        (("--study", "published"), "'published'"),
        (("--study", "a/b"), "'a/b'"),
        (("--study", "s", "--device", "cpu"), "'cpu'"),
    ],
)
def test_a_wrong_question_is_one_sentence(
    words: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(monkeypatch, "plan", "--resolution", "1024", *words) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("vitok: ")
    assert named in sentence


DERIVED = sorted((ROOT / "results" / "derived").glob("fits-*/*.json"))


def test_the_committed_plans_are_of_every_released_model_at_four_resolutions() -> None:
    records = [read_record(file) for file in DERIVED]
    held = {(record.tokenizer.name, record.resolution) for record in records}
    assert held == set(itertools.product(RELEASED, (1024, 2048, 4096, 8192)))


@pytest.mark.parametrize(("name", "resolution"), [("350M-f16x64", 8192), ("sd", 1024), ("qwen", 4096)])
def test_the_committed_plans_are_what_the_program_gives_now(name: str, resolution: int) -> None:
    records = {record.requested: record for record in map(read_record, DERIVED) if record.resolution == resolution}
    for fit in fits_on([name], [resolution], None, None, {}):
        assert predicted(records[fit.config]) == fit.predicted
