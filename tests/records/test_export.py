"""Exported tables hold what the records hold, one protocol each, and other libraries read them."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from tests.fakes.records import write_measured
from tests.fakes.released import GPU, machine_record, write_machine
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.records.export import Row, Table, export
from vitok_lib.records.export_files import as_text, read, write
from vitok_lib.records.schema import Outcome, OutcomeStatus
from vitok_lib.records.store import read_record, write_record

CASE = "photos-512"
PSNR = [31.0, 28.5, 40.25, 33.0, 29.75]
SAMPLES = {"psnr": PSNR, "ssim": [0.9, 0.8, 0.99, 0.95, 0.85]}


def rows(tables: list[Table]) -> dict[tuple[str, str], Row]:
    return {(row.tokenizer, row.metric): row for table in tables for row in table}


def test_the_distribution_is_that_of_the_single_images(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, SAMPLES)
    row = rows(export().tables)["nano-f16x64", "psnr"]
    assert (row.mean, row.median) == (statistics.fmean(PSNR), statistics.median(PSNR))
    assert [row.p5, row.p95] == pytest.approx(np.percentile(PSNR, [5, 95]))
    assert (row.value, row.n, row.unit, row.machine) == (row.mean, 5, "dB", "")
    assert row.images.startswith("photos: 5 images, manifest 0000")


def test_identical_images_have_infinite_percentiles(results: Path) -> None:
    path = write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": PSNR})
    pd.DataFrame({"psnr": [math.inf] * len(PSNR)}).to_parquet(path.with_suffix(".parquet"))
    record = read_record(path)
    infinite = record.values[0].model_copy(update={"value": math.inf, "interval": None})
    write_record(record.model_copy(update={"values": (infinite,)}), path)
    row = rows(export().tables)["nano-f16x64", "psnr"]
    assert (row.mean, row.p5, row.median, row.p95) == (math.inf,) * 4


def test_a_distance_of_the_whole_set_has_no_distribution(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": PSNR}, distances={"fd-random": {2: 9.0, 5: 4.0}})
    row = rows(export().tables)["nano-f16x64", "fd-random"]
    assert (row.value, row.n, row.mean, row.p5, row.median, row.p95) == (4.0, 5, None, None, None, None)


def test_published_values_are_never_exported(results: Path) -> None:
    write_published()
    with pytest.raises(RequestError, match="no record of this project's own"):
        export()
    write_measured(results, "cpu", "nano-f16x64", CASE, SAMPLES)
    assert {row.evidence for row in rows(export().tables).values()} == {"measured"}
    with pytest.raises(RequestError, match="no record of this project's own"):
        export(study="published")


def test_what_did_not_end_as_ok_is_named(results: Path) -> None:
    write_machine(results, machine_record("5B-f16x64", "memory", 512, {}, outcome=Outcome(status=OutcomeStatus.OOM)))
    with pytest.raises(RequestError, match=r"h200/memory-512/5B-f16x64' ended as oom"):
        export()
    write_machine(results, machine_record("5B-f16x64", "memory", 256, {"model_peak": 3.0}))
    exported = export()
    assert [row.value for row in rows(exported.tables).values()] == [3.0]
    assert len(exported.left_out) == 1


def test_of_two_studies_the_one_that_takes_precedence_is_exported(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [20.0, 22.0]})
    write_measured(results, "local", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    assert [row.value for row in rows(export().tables).values()] == [31.0]
    assert [row.value for row in rows(export(study="cpu").tables).values()] == [21.0]


def test_settings_images_and_resolutions_select(results: Path) -> None:
    for case in (CASE, "photos-256", "leaves-256"):
        write_measured(results, "cpu", "nano-f16x64", case, {"psnr": PSNR})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": PSNR}, settings="window=64")
    asked: list[tuple[dict[str, Any], int]] = [
        ({"tokenizers": ["nano-f16x64"]}, 4),
        ({"tokenizers": ["nano-f16x64@"]}, 3),
        ({"tokenizers": ["nano-f16x64@window=64"]}, 1),
        ({"images": ["photos"]}, 3),
        ({"images": ["photos", "leaves"], "resolutions": [256]}, 2),
    ]
    for request, count in asked:
        assert sum(map(len, export(**request).tables)) == count, request
    with pytest.raises(RequestError, match="did you mean nano-f16x64"):
        export(["nano-f16x46"])


@pytest.mark.parametrize(
    "other",
    [
        {"manifest": "1" * 64},
        {"signature": "v2"},
        {"samples": {"psnr": PSNR[:3]}},
        {"case": "photos-256"},
        {"case": "leaves-512"},
    ],
    ids=["images", "signature", "n", "size", "set"],
)
def test_two_protocols_take_two_tables(results: Path, other: dict[str, Any]) -> None:
    changed = {"case": CASE, "samples": {"psnr": PSNR}, **other}
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": PSNR})
    write_measured(results, "cpu", "nano-f32x64", changed.pop("case"), changed.pop("samples"), **changed)
    assert [len(table) for table in export().tables] == [1, 1]


def test_costs_of_two_machines_take_two_tables_and_name_them(results: Path) -> None:
    for study, host in (("a", GPU), ("b", GPU.model_copy(update={"gpu": "another"}))):
        for name in ("5B-f16x64", "flux"):
            record = machine_record(name, "speed", 512, {"latency": 3.0}, host=host)
            write_machine(results, record, study=study)
    assert [[row.machine for row in table] for table in export().tables] == [["invented"] * 2, ["another"] * 2]


def test_single_images_that_are_damaged_or_of_another_run_are_refused(results: Path) -> None:
    path = write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": PSNR})
    pd.DataFrame({"psnr": [*PSNR[1:], 1.0]}).to_parquet(path.with_suffix(".parquet"))
    with pytest.raises(RequestError, match=r"holds 'psnr' = 32\.5 .* is 26\.5"):
        export()
    path.with_suffix(".parquet").write_bytes(b"PAR1")
    with pytest.raises(RequestError, match="cannot be read"):
        export()


def test_pandas_reads_the_csv_with_every_digit(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [1 / 3, 2 / 3]})
    write_measured(results, "cpu", "nano-f16x64", "photos-256", SAMPLES)
    tables = export().tables
    path = results.parent / "all.csv"
    write(as_text("csv", tables), path)
    frame = pd.read_csv(path)
    held = [(number, row) for number, table in enumerate(tables, 1) for row in table]
    assert frame["table"].tolist() == [number for number, _ in held]
    for column in ("tokenizer", "metric", "value", "p5", "median", "p95", "n", "signature", "size"):
        assert frame[column].tolist() == [getattr(row, column) for _, row in held]


def test_columns_of_markdown_are_aligned_and_bars_are_escaped(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, SAMPLES)
    write_measured(results, "cpu", "jpeg:q=75", CASE, SAMPLES)
    lines = as_text("markdown", export().tables).splitlines()
    assert len(lines) == 2 + 4
    bars = [[i for i, letter in enumerate(line) if letter == "|" and line[i - 1] != "\\"] for line in lines]
    assert all(places == bars[0] for places in bars)
    assert r"psnr\|rgb\|u8\|per-image-mean\|v1" in lines[2]


def test_the_hub_s_library_reads_the_yaml(results: Path, tmp_path: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, SAMPLES)
    text = as_text("hub-eval", export().tables, "owner/photos")
    entries = parse_eval_result_entries(yaml.safe_load(text))
    assert [(entry.dataset_id, entry.task_id) for entry in entries] == [
        ("owner/photos", "photos-512-psnr"),
        ("owner/photos", "photos-512-ssim"),
    ]
    assert entries[0].value == statistics.fmean(PSNR)
    assert entries[0].date == "2026-01-01"
    for part in ("n=5", "median=31.0", "signature=psnr|rgb|u8|per-image-mean|v1", "images=photos: 5 images"):
        assert part in (entries[0].notes or "")


@pytest.mark.parametrize(
    ("dataset", "names", "words"),
    [
        (None, ["nano-f16x64"], "--dataset OWNER/NAME"),
        ("photos", ["nano-f16x64"], "--dataset OWNER/NAME, not 'photos'"),
        ("a/b", ["nano-f16x64", "nano-f32x64"], "one tokenizer, not 2: nano-f16x64; nano-f32x64"),
    ],
)
def test_what_the_hub_s_format_cannot_hold_is_said(
    results: Path, dataset: str | None, names: list[str], words: str
) -> None:
    for name in names:
        write_measured(results, "cpu", name, CASE, SAMPLES)
    with pytest.raises(RequestError, match=words):
        as_text("hub-eval", export().tables, dataset)


def test_costs_are_no_results_on_a_data_set(results: Path) -> None:
    write_machine(results, machine_record("5B-f16x64", "speed", 512, {"latency": 3.0}))
    with pytest.raises(RequestError, match="nothing exported is a metric of images"):
        as_text("hub-eval", export().tables, "a/b")


@pytest.mark.parametrize(("form", "suffix"), [("markdown", ".md"), ("csv", ".csv"), ("hub-eval", ".yaml")])
def test_a_file_reads_back_as_what_was_written(results: Path, tmp_path: Path, form: str, suffix: str) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, SAMPLES)
    write_measured(results, "cpu", "nano-f16x64", "photos-256", SAMPLES)
    tables = export().tables
    path = tmp_path / f"file{suffix}"
    write(as_text(form, tables, "owner/photos" if form == "hub-eval" else None), path)
    columns = ("tokenizer", "metric", "images", "size", "signature", "machine")
    found = [[[cells[name] for name in columns] for cells in table] for table in read(path).values()]
    assert found == [[[getattr(row, name) for name in columns] for row in table] for table in tables]
