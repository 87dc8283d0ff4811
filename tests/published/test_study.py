"""The published records against the CSV, read here by other means."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from vitok_lib.published.sources import EVALUATION_CODE, REPOSITORY
from vitok_lib.published.study import published_identity, write_published
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.records.store import read_record

PROJECT = Path(__file__).resolve().parents[2]
COMMITTED = PROJECT / "results" / "published"


def csv_rows() -> list[dict[str, str]]:
    with (PROJECT / "vitok_lib" / "published" / "published.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def committed() -> dict[str, bytes]:
    return {str(path.relative_to(COMMITTED)): path.read_bytes() for path in COMMITTED.glob("*/*.json")}


def test_generation_gives_the_committed_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path))
    stale = tmp_path / "published" / "div8k-1024" / "gone.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")

    write_published()

    made = {str(path.relative_to(tmp_path / "published")): path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert made == committed()


def test_the_module_writes_the_study(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "vitok_lib.published"],
        env={**os.environ, "VITOK_RESULTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split()[0] == str(len(committed()))
    assert len(list((tmp_path / "published").glob("*/*.json"))) == len(committed())


def test_every_row_of_the_csv_is_in_exactly_one_record_with_its_kind_and_count() -> None:
    found = [
        (
            record.source.name if record.source else None,
            record.benchmark,
            record.resolution,
            record.tokenizer.name,
            record.settings.window,
            value.n,
            value.value,
            value.kind.value,
        )
        for record in map(read_record, COMMITTED.glob("*/*.json"))
        for value in record.values
    ]
    expected = [
        (
            row["source"],
            row["dataset"],
            int(row["resolution"]),
            row["tokenizer"],
            int(row["window"]) if row["window"] else None,
            int(row["samples"]) if row["samples"] else None,
            float(row["value"]),
            "estimated" if row["kind"] == "estimated" else "published",
        )
        for row in csv_rows()
        if row["quantity"] != "status"
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_reported_failures_are_published_outcomes() -> None:
    expected = {
        (row["source"], int(row["resolution"]), row["tokenizer"]) for row in csv_rows() if row["quantity"] == "status"
    }
    failed = [read_record(path) for path in COMMITTED.glob("*/*.json")]
    failed = [record for record in failed if record.outcome.status == OutcomeStatus.OOM]
    assert {(record.source and record.source.name, record.resolution, record.tokenizer.name) for record in failed} == (
        expected
    )
    assert {record.outcome.kind for record in failed} == {Kind.PUBLISHED}


@pytest.mark.parametrize(
    ("name", "ratio", "channels"),
    [("flux", 12.0, 16), ("flux2", 6.0, 32), ("sd", 48.0, 4), ("dc-ae-f64", 96.0, 128), ("5B-f32x64", 48.0, 64)],
)
def test_tokenizers_are_described_from_their_names(name: str, ratio: float, channels: int) -> None:
    identity = published_identity(name)
    assert (identity.compression_ratio, identity.latent_channels) == (ratio, channels)


def test_flux_and_flux2_do_not_mix_sources() -> None:
    names = {path.stem.partition("@")[0::2] for path in COMMITTED.glob("*/flux*.json")}
    assert names == {("flux", "evaluation-summary"), ("flux2", "project-page")}


def test_every_source_and_every_row_can_be_traced() -> None:
    for row in csv_rows():
        assert row["place"], row
    for record in map(read_record, COMMITTED.glob("*/*.json")):
        source = record.source
        assert source is not None
        assert source.read is not None
        assert source.file_url == f"{source.repository}/blob/{source.commit}/{source.file}"
        assert len(source.commit or "") == 40
        assert all(value.place and value.at for value in record.values)


def test_the_summary_is_linked_by_line_and_no_two_tables_share_one() -> None:
    lines: dict[str, set[int]] = {}
    for row in csv_rows():
        if row["source"] == "evaluation-summary":
            lines.setdefault(row["place"], set()).add(int(row["at"].removeprefix("L")))
    spans = sorted((min(held), max(held)) for held in lines.values())
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    assert {row["at"] for row in csv_rows() if row["source"] == "project-page"} == {"coco-eval", "div8k-eval"}


def test_each_statement_about_code_names_file_and_lines_in_order() -> None:
    for statement in EVALUATION_CODE.values():
        assert statement.places
        for _, address in statement.places:
            found = re.fullmatch(rf"{REPOSITORY}/blob/[0-9a-f]{{40}}/[\w/]+\.py#L(\d+)(?:-L(\d+))?", address)
            assert found is not None, address
            assert int(found[2] or found[1]) >= int(found[1])


def test_a_number_is_placed_under_the_heading_of_its_own_resolution() -> None:
    sizes = {(row["resolution"], row["place"]) for row in csv_rows()}
    assert {size for size, place in sizes if size not in place} == {"8192"}  # the technical analysis is of 8192 px
