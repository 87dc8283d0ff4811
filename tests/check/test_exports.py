"""An exported file that mixes protocols is found, in every format and by every part of a protocol."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.fakes.records import write_measured
from tests.fakes.released import machine_record, write_machine
from vitok_lib.check.exports import audit_export
from vitok_lib.errors import RequestError
from vitok_lib.records.export import export
from vitok_lib.records.export_files import as_text

CASE = "photos-512"
SUFFIXES = {"markdown": ".md", "csv": ".csv", "hub-eval": ".yaml"}
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def exported(results: Path) -> Path:
    """A CSV file of two tokenizers over one set, and of their latency on one machine."""
    for name in ("5B-f16x64", "flux"):
        write_measured(results, "cpu", name, CASE, {"psnr": [30.0, 31.0, 33.5], "ssim": [0.5, 0.75, 0.25]})
        write_machine(results, machine_record(name, "speed", 512, {"latency": 3.0}))
    path = results.parent / "export.csv"
    path.write_text(as_text("csv", export().tables))
    return path


def edit(path: Path, metric: str, column: str, text: str) -> None:
    """Change ``column`` in the last row of ``metric``."""
    held = list(csv.DictReader(io.StringIO(path.read_text())))
    [row for row in held if row["metric"] == metric][-1][column] = text
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, held[0])
        writer.writeheader()
        writer.writerows(held)


def test_what_export_wrote_gives_no_finding(exported: Path) -> None:
    assert audit_export(exported) == []


@pytest.mark.parametrize(
    ("metric", "column", "text", "words"),
    [
        ("psnr", "images", "leaves: 8 images, manifest 0123456789ab", "mixes protocols: images is"),
        ("psnr", "size", "256 px, drawn", "mixes protocols: size rule is"),
        ("psnr", "n", "24", "mixes protocols: n of 'psnr' is '3', '24'"),
        ("psnr", "signature", "psnr|luma|v1", "mixes protocols: signature of 'psnr' is"),
        ("ssim", "unit", "%", "mixes protocols: unit of 'ssim' is none, '%'"),
        ("latency", "machine", "another", "mixes protocols: machine is 'invented', 'another'"),
        ("latency", "machine", "", "mixes protocols: machine is 'invented', none"),
        ("psnr", "evidence", "published", "evidence is 'published'"),
        ("psnr", "images", "", "states no images in row"),
    ],
)
def test_a_planted_mixture_is_found(exported: Path, metric: str, column: str, text: str, words: str) -> None:
    edit(exported, metric, column, text)
    assert any(words in finding for finding in audit_export(exported)), audit_export(exported)


@pytest.mark.parametrize("form", ["markdown", "csv"])
def test_the_rows_of_two_sets_in_one_table_are_found(results: Path, tmp_path: Path, form: str) -> None:
    texts = []
    for case in (CASE, "leaves-512"):
        write_measured(results, "cpu", "nano-f16x64", case, {"psnr": [30.0, 31.0]})
        texts.append(as_text(form, export(images=[case.partition("-")[0]]).tables))
    heading = 2 if form == "markdown" else 1
    path = tmp_path / f"both{SUFFIXES[form]}"
    path.write_text(texts[0] + "".join(texts[1].splitlines(keepends=True)[heading:]))
    assert [finding for finding in audit_export(path) if "mixes protocols: images is" in finding]
    apart = tmp_path / "apart.md"
    apart.write_text("# A model\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n" + "\nText between.\n\n".join(texts))
    if form == "markdown":
        assert audit_export(apart) == []


def test_two_sets_of_images_as_one_data_set_of_the_hub_are_found(results: Path, tmp_path: Path) -> None:
    texts = []
    for case in (CASE, "leaves-512"):
        write_measured(results, "cpu", "nano-f16x64", case, {"psnr": [30.0, 31.0], "ssim": [0.5, 0.75]})
        texts.append(as_text("hub-eval", export(images=[case.partition("-")[0]]).tables, "a/b"))
    path = tmp_path / "hub.yaml"
    for text in texts:
        path.write_text(text)
        assert audit_export(path) == []
    path.write_text("".join(texts))
    assert [finding for finding in audit_export(path) if finding.startswith("data set 'a/b' of")]
    path.write_text(texts[0].replace("size=512 px", "size=256 px", 1))
    assert [finding for finding in audit_export(path) if "mixes protocols: size rule" in finding]
    path.write_text("- dataset:\n    id: a/b\n    task_id: c\n  value: 1\n")
    assert [finding for finding in audit_export(path) if "states no images" in finding]


def test_an_export_of_all_committed_records_holds_one_protocol_a_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(PROJECT / "results"))
    tables = export().tables
    for form in ("markdown", "csv"):
        path = tmp_path / f"all{SUFFIXES[form]}"
        path.write_text(as_text(form, tables))
        assert audit_export(path) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "no table"),
        ("a.csv", "a,b\n1,2\n"),
        ("a.csv", ""),
        ("a.yaml", "a: [1"),
        ("a.yaml", "a: 1"),
        ("a.yaml", "- value: 1"),
        ("a.yaml", ""),
        ("a.txt", "text"),
        ("b.md", None),
    ],
)
def test_what_is_no_export_is_a_wrong_request(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(RequestError):
        audit_export(tmp_path / name)


@pytest.mark.parametrize("line", ['1,"a"b', '1,"a', "1,a", f"1,{'a' * 200_000}", f"1{',a' * 40}"])
def test_a_damaged_line_of_csv_is_a_wrong_request(exported: Path, line: str) -> None:
    with exported.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(RequestError, match="no export that can be read"):
        audit_export(exported)


def test_bytes_that_are_no_text_are_a_wrong_request(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="no export that can be read"):
        audit_export(tmp_path / "a.csv")
