"""The audit: what is planted is found and named, and what is sound is passed over in silence."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.fakes.released import machine_record, signed_record, write_machine
from vitok_lib.check.records import audit_records
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Interval, Outcome, OutcomeStatus
from vitok_lib.records.store import write_record

PROJECT = Path(__file__).resolve().parents[2]
CASE = "photos-512"
PSNR = {"nano-f16x64": [30.0, 31.0, 33.5], "pca-f16x64": [27.0, 28.0, 29.5]}


@pytest.fixture(autouse=True)
def _published(results: Path) -> None:
    write_published()


def write_quality(results: Path, name: str = "nano-f16x64") -> Path:
    path = results / "cpu" / CASE / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = signed_record(name, CASE, {"psnr": PSNR[name]}).model_copy(update={"samples": f"{name}.parquet"})
    write_record(record, path)
    frame = pd.DataFrame({"image": ["a", "b", "c"], "psnr": PSNR[name]})
    frame.to_parquet(path.with_suffix(".parquet"), index=False)
    return path


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


def test_sound_records_give_no_finding(results: Path) -> None:
    for name in PSNR:
        write_quality(results, name)
    assert audit_records() == []


def test_the_committed_records_give_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(PROJECT / "results"))
    assert audit_records() == []


def test_a_folder_without_records_is_a_wrong_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "none"))
    with pytest.raises(RequestError, match=r"there is no record in .*none"):
        audit_records()


TWO_IMAGES = 27.5 - math.tan(0.475 * math.pi) / 2, 27.5 + math.tan(0.475 * math.pi) / 2
"""Student's t interval of 27 and 28: at one degree of freedom the law is Cauchy's, and the standard error is ½."""


def interval(low: float, high: float, method: str = "Student's t over images") -> dict[str, Any]:
    return {"low": low, "high": high, "level": 0.95, "method": method}


def value(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda held: held["values"][0].update(fields)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (value(value=31.6), "holds 'psnr' = 31.6, and the mean of its single images is 31.5"),
        (value(n=4), "holds 'psnr' at n = 4, and 3 single images have one"),
        (value(n=None), "holds 'psnr' = 31.5, and the single images add up to 94.5"),
        (value(value=40.0), "holds 'psnr' = 40 outside its interval ["),
        (
            value(interval=interval(30.0, 33.5, "percentile bootstrap over images")),
            "by percentile bootstrap over images",
        ),
        (value(interval=interval(30.0, 33.5)), "with the interval [30, 33.5] by Student's t over images, and that of"),
        (value(interval=None), "holds 'psnr' over n = 3 single images without an interval"),
        (value(value=float("nan")), "holds 'psnr' = nan, which is not finite"),
        (value(unit="bel"), "gives 'psnr' in 'bel' instead of 'dB'"),
        (value(signature=None), "holds 'psnr' without a signature"),
        (value(kind="published"), "does not fit the record's origin"),
        (value(kind="guessed"), "values.0.kind"),
        (lambda held: held.update(metrics=["ssim|v1"]), "which it was not asked for"),
        (lambda held: held.update(resolution=256), "belongs in 'photos-256'"),
        (lambda held: held["tokenizer"].update(name="nano-f16x32"), "is of tokenizer 'nano-f16x32'"),
        (lambda held: held["outcome"].update(total=3, done=2), "ended as ok with 2 of 3 done"),
        (lambda held: held["outcome"].update(total=3, done=3, failed=1), "counts 3 done and 1 failed of 3"),
        (lambda held: held.update(samples="gone.parquet"), "names 'gone.parquet', which cannot be read"),
        (lambda held: held.update(values=[]), "ended as ok and holds no value"),
    ],
)
def test_what_is_wrong_with_a_record_is_named(results: Path, change: Callable[[Any], object], words: str) -> None:
    path = write_quality(results)
    edit(path, change)
    findings = audit_records()
    assert any(words in finding and "nano-f16x64" in finding for finding in findings), findings
    assert all("\n" not in finding for finding in findings)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"], ids=["empty", "cut", "no-text", "list"])
def test_a_bad_file_is_one_sentence_and_the_others_are_audited(results: Path, content: bytes) -> None:
    edit(write_quality(results), value(unit="bel"))
    (results / "cpu" / CASE / "pca-f16x64.json").write_bytes(content)
    findings = audit_records()
    assert len(findings) == 2
    assert "pca-f16x64.json' is not valid" in findings[0]
    assert "in 'bel'" in findings[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: [held["source"].pop(name) for name in ("url", "file")], "'project-page' without an address"),
        (lambda held: held["source"].pop("read"), "without the day on which it was read"),
        (lambda held: held["values"][0].pop("place"), "without the table or section of 'project-page'"),
    ],
)
def test_a_published_value_that_cannot_be_traced_is_named(
    results: Path, change: Callable[[Any], object], words: str
) -> None:
    path = results / "published" / "div8k-1024" / "sd@project-page.json"
    edit(path, change)
    assert any(words in finding and "sd@project-page" in finding for finding in audit_records())


def test_a_source_without_an_address_has_to_say_so(results: Path) -> None:
    path = results / "published" / "div8k-1024" / "sd@project-page.json"
    edit(path, lambda held: held["source"].update(url=None, file=None, without_address="No address is known."))
    assert not any("without an address" in finding for finding in audit_records())


def test_a_table_of_single_images_that_is_damaged_is_one_sentence(results: Path) -> None:
    write_quality(results).with_suffix(".parquet").write_bytes(b"PAR1")
    (finding,) = audit_records()
    assert "names 'nano-f16x64.parquet', which cannot be read" in finding


def test_a_table_without_a_record_is_named(results: Path) -> None:
    write_quality(results).unlink()
    assert audit_records() == ["file 'cpu/photos-512/nano-f16x64.parquet' belongs to no record"]


def test_one_protocol_has_one_n(results: Path) -> None:
    write_quality(results)
    path = write_quality(results, "pca-f16x64")
    edit(path, lambda held: held["values"][0].update(n=2, value=27.5, interval=interval(*TWO_IMAGES)))
    pd.DataFrame({"image": ["a", "b"], "psnr": [27.0, 28.0]}).to_parquet(path.with_suffix(".parquet"), index=False)
    (finding,) = audit_records()
    assert "'psnr' of one protocol rests on different numbers of images: n = 3 in" in finding
    assert "n = 2 in 'cpu/photos-512/pca-f16x64'" in finding


def test_the_published_study_is_what_the_table_gives(results: Path) -> None:
    study = results / "published" / "div8k-1024"
    edit(study / "flux@evaluation-summary.json", value(value=31.46))
    (study / "sd@evaluation-summary.json").unlink()
    shutil.copy(study / "sd@project-page.json", study / "sd@elsewhere.json")
    findings = "\n".join(audit_records())
    assert "record 'published/div8k-1024/flux@evaluation-summary' differs from the table" in findings
    assert "record 'published/div8k-1024/sd@evaluation-summary' is missing" in findings
    assert "record 'published/div8k-1024/sd@elsewhere' is in no table" in findings
    assert len(findings.splitlines()) == 3


def test_a_measurement_is_none_of_the_published_study(results: Path) -> None:
    path = write_quality(results)
    shutil.copytree(path.parent, results / "published" / CASE)
    assert any("has a provenance, which study 'published' does not take" in finding for finding in audit_records())


FP8 = {"work_linear": 40.0, "work_attention": 10.0, "latency": 100.0, "rate": 500.0} | {
    "ceiling_matmul": 1600.0, "ceiling_attention": 400.0
}  # fmt: skip
CHAIN = {"stage_load": 20.0, "stage_copy": 4.0, "stage_encode": 30.0, "stage_decode": 60.0, "stage_metric": 6.0}


def measured(name: str = "5B-f16x64", benchmark: str = "speed", **values: float) -> Any:
    return machine_record(name, benchmark, 1024, values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"latency": 50.0, "throughput": 20.0}, None),
        ({"latency": 50.0, "throughput": 25.0}, "'throughput' = 25, and its other values give 20"),
        ({"end_to_end_latency": 50.0, "end_to_end_throughput": 30.0}, "'end_to_end_throughput' = 30"),
        ({"work_linear": 40.0, "work_attention": 9.0, "work": 49.0}, None),
        ({"work_linear": 40.0, "work_attention": 9.0, "work": 40.0}, "'work' = 40, and its other values give 49"),
        ({"latency": 100.0, "work": 50.0, "rate": 500.0}, None),
        ({"latency": 100.0, "work": 50.0, "rate": 600.0}, "'rate' = 600, and its other values give 500"),
        ({"rate": 400.0, "ceiling_matmul": 800.0, "utilisation": 60.0}, "'utilisation' = 60"),
        (FP8 | {"utilisation": 50.0}, None),
        (FP8 | {"utilisation": 31.25}, "'utilisation' = 31.25, and its other values give 50"),
        (CHAIN | {"device_latency": 90.0, "end_to_end_latency": 80.0}, None),
        (CHAIN | {"device_latency": 80.0}, "'device_latency' = 80, and its other values give 90"),
        (CHAIN | {"end_to_end_latency": 70.0}, "'end_to_end_latency' = 70, and its stages after loading take 100"),
        ({"peak_memory": 10.4}, None),
        ({"peak_memory": 8.0}, "'peak_memory' = 8 GiB, and its weights alone take 9.3 GiB"),
        ({"weights": 9.4, "model_peak": 9.3}, "'model_peak' = 9.3 GiB below its 'weights' = 9.4 GiB"),
        ({"weights": 9.4, "evaluation_peak": 9.3}, "'evaluation_peak' = 9.3 GiB below its 'weights' = 9.4 GiB"),
        ({"model_peak": 20.0, "evaluation_peak": 12.0}, None),
        ({"largest_resolution": 2048.0}, "a largest resolution of 2048 px, above the 1024 px"),
    ],
)
def test_the_sums_of_a_machine(results: Path, values: dict[str, float], words: str | None) -> None:
    write_machine(results, measured(**values))
    findings = audit_records()
    if words is None:
        assert findings == []
    else:
        (finding,) = findings
        assert words in finding


def test_fp8_weights_take_a_byte(results: Path) -> None:
    for precision, expected in (("fp8", 0), (None, 1)):
        record = machine_record("5B-f16x64", "speed", 1024, {"peak_memory": 6.0}, settings={"precision": precision})
        write_machine(results, record)
        assert len(audit_records()) == expected


def test_one_architecture_takes_one_time(results: Path) -> None:
    write_machine(results, measured("5B-f16x64", latency=100.0))
    write_machine(results, measured("5B-f16x16", latency=108.0))
    write_machine(results, measured("5B-f32x64", latency=20.0))
    write_machine(results, measured("5B-f16x64", "sliding-window", latency=50.0))
    assert audit_records() == [], "another patch, another benchmark: other work"
    write_machine(results, measured("5B-f16x32", latency=150.0))
    findings = audit_records()
    assert len(findings) == 2
    assert "'h200/speed-1024/5B-f16x16' and 'h200/speed-1024/5B-f16x32'" in findings[0]
    assert "their 'latency' is 108 and 150" in findings[0]


def test_a_wide_interval_is_noise(results: Path) -> None:
    for name, latency in (("5B-f16x64", 100.0), ("5B-f16x16", 130.0)):
        record = measured(name, latency=latency)
        interval = Interval(low=latency - 10, high=latency + 10, method="invented")
        values = tuple(held.model_copy(update={"interval": interval}) for held in record.values)
        write_machine(results, record.model_copy(update={"values": values}))
    assert audit_records() == []


def test_what_ran_out_of_memory_is_a_result_and_no_finding(results: Path) -> None:
    outcome = Outcome(status=OutcomeStatus.OOM)
    write_machine(results, machine_record("flux", "memory", 4096, {}, outcome=outcome))
    assert audit_records() == []


def test_no_random_damage_ends_in_a_traceback(results: Path) -> None:
    path = write_quality(results)
    text = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(15):
        place, count = rng.integers(0, len(text)), rng.integers(1, 20)
        path.write_bytes(text[:place] + bytes(rng.integers(32, 127, count).tolist()) + text[place + count :])
        assert all("\n" not in finding for finding in audit_records())
