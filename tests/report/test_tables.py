"""Tables, sentences and figures as plain data."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.report.records import TOKENIZERS, write_all, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.records import published
from vitok_lib.records.schema import Kind, OutcomeStatus
from vitok_lib.report import claims, figures, runs, tables
from vitok_lib.report.entries import load
from vitok_lib.report.parts import Number, Table, plain

PROJECT = Path(__file__).resolve().parents[2]


def heads(table: Table) -> list[str]:
    """The last row of headings, each under its quantity where there are two rows."""
    if len(table.heads) == 1:
        return [head.text for head in table.heads[0]]
    top = [head.text for head in table.heads[0] for _ in range(head.span)]
    return [f"{above}|{below.text}".strip("|") for above, below in zip(top, table.heads[1], strict=True)]


def row(table: Table, title: str) -> dict[str, str]:
    (found,) = [cells for cells in table.rows if plain(cells[0]) == title]
    return dict(zip(heads(table), map(plain, found), strict=True))


def numbers(table: Table) -> list[Number]:
    return [part for cells in table.rows for cell in cells for part in cell if isinstance(part, Number)]


def test_every_published_psnr_of_the_csv_is_in_its_column(results: Path) -> None:
    published.write()
    with (PROJECT / "vitok_lib" / "records" / "published.csv").open(encoding="utf-8") as file:
        rows = [line for line in csv.DictReader(file) if line["quantity"] == "psnr_db" and line["dataset"] == "div8k"]
    assert len(rows) == 49
    made = {size: tables.quality_table(load(), f"div8k-{size}", ["psnr"]) for size in (1024, 2048, 4096, 8192)}
    for line in rows:
        table = made[int(line["resolution"])]
        title = line["tokenizer"] + (f" window={line['window']}" if line["window"] else "")
        (cell,) = [text for head, text in row(table, title).items() if line["source"] in head]
        assert cell.startswith(f"{float(line['value']):.2f}"), (line, cell)


def test_published_and_measured_stand_side_by_side(results: Path) -> None:
    published.write()
    record = write_measured(results, "h200", "nano-f16x64", "photos-1024", {"psnr": [30.0, 32.0]})
    text = record.read_text().replace('"nano-f16x64"', '"5B-f16x64"').replace('"photos"', '"div8k"')
    target = results / "h200" / "div8k-1024" / "5B-f16x64.json"
    target.parent.mkdir()
    target.write_text(text)
    cells = row(tables.quality_table(load(), "div8k-1024", ["psnr"]), "5B-f16x64")
    assert cells["PSNR, dB|evaluation-summary, n = 1,500"] == "33.99"
    assert cells["PSNR, dB|measured here, n = 2"] == "31.00 [30.00, 32.00]"
    assert cells["Study"] == "h200"
    others = row(tables.quality_table(load(), "div8k-1024", ["psnr"]), "flux")
    assert others["PSNR, dB|measured here, n = 2"] == "not measured"


def test_what_nobody_measured_is_said_to_be_not_measured(results: Path) -> None:
    published.write()
    table = tables.quality_table(load(), "div8k-2048", ["psnr", "ssim"])
    assert {cells["measured here"] for cells in (row(table, plain(line[0])) for line in table.rows)} == {"not measured"}


def test_outcomes_are_values_of_their_kind(results: Path) -> None:
    published.write()
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {}, status=OutcomeStatus.OOM)
    write_measured(results, "cpu", "pca-f16x64", "photos-512", {"psnr": [20.0, 22.0]})
    shown = [number for number in numbers(tables.quality_table(load(), "photos-512", ["psnr"])) if number.text == "OOM"]
    assert [number.kind for number in shown] == [Kind.MEASURED]
    assert (
        row(tables.quality_table(load(), "div8k-4096", ["psnr"]), "flux")["PSNR, dB|evaluation-summary, n = 1,500"]
        == "OOM"
    )


def test_windows_have_rows_of_their_own_with_their_counts(results: Path) -> None:
    published.write()
    table = tables.quality_table(load(), "div8k-8192", ["psnr"])
    assert row(table, "5B-f16x64 window=512")["PSNR, dB|evaluation-summary"] == "34.30 n = 100"
    assert row(table, "5B-f16x64 window=64")["PSNR, dB|evaluation-summary"] == "34.06 n = 50"


def test_each_number_links_to_a_record_of_the_list_of_runs(results: Path) -> None:
    published.write()
    write_all(results)
    listed = {anchor for _, _, table in runs.run_tables(load()) for anchor in table.anchors}
    assert len(listed) == len(load())
    for case in ("div8k-8192", "photos-512"):
        assert {number.anchor for number in numbers(tables.quality_table(load(), case, ["psnr"]))} <= listed


def test_image_table_holds_each_image_of_each_tokenizer(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "challenge-384", {"psnr": [30.0, 20.0]})
    write_measured(results, "cpu", "pca-f16x64", "challenge-384", {"psnr": [29.0, 21.0]})
    table = tables.image_table(load(), "challenge-384", "psnr")
    assert [[plain(cell) for cell in line] for line in table.rows] == [
        ["image-0", "30.00", "29.00"],
        ["image-1", "20.00", "21.00"],
    ]


def test_distance_to_the_floor_is_told_on_either_side(results: Path) -> None:
    write_measured(results, "cpu", "pca-f16x64", "photos-512", {"psnr": [25.0, 26.0, 27.0]})
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [26.0, 27.0, 28.0]})
    write_measured(results, "cpu", "nano-f32x64", "photos-512", {"psnr": [23.0, 24.0, 25.0]})
    write_measured(results, "cpu", "nano-f16x32", "photos-512", {"psnr": [24.0, 26.0, 28.5]})
    told = [plain(sentence) for sentence in claims.distance_to_floor(load(), "photos-512", "psnr")]
    assert told == [
        "nano-f16x32 cannot be told from the floor on photos-512: +0.17 dB [−1.00, 1.50] PSNR.",
        "nano-f16x64 lies above the floor on photos-512: +1.00 dB [1.00, 1.00] PSNR.",
        "nano-f32x64 lies below the floor on photos-512: −2.00 dB [−2.00, −2.00] PSNR.",
    ]


def test_conclusions_rest_on_measured_and_derived_values_alone(results: Path) -> None:
    published.write()
    write_all(results)
    for make in (claims.best_measured, claims.distance_to_floor):
        for sentence in make(load(), "photos-512", "psnr"):
            assert {part.kind for part in sentence if isinstance(part, Number)} <= {Kind.MEASURED, Kind.DERIVED}
    with pytest.raises(RequestError, match="nothing measured in 'div8k-1024'"):
        claims.best_measured(load(), "div8k-1024", "psnr")


def test_a_difference_that_the_images_do_not_settle_is_called_that(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 20.0]})
    write_measured(results, "cpu", "nano-f16x32", "photos-512", {"psnr": [25.0, 24.8]})
    (sentence,) = claims.best_measured(load(), "photos-512", "psnr")
    assert "do not tell the two apart" in plain(sentence)


def test_estimates_stand_beside_the_figures_that_followed(results: Path) -> None:
    published.write()
    told = [plain(sentence) for sentence in claims.estimates_met_by_figures(load(), "psnr")]
    assert (
        "5B-f16x32 on div8k-1024: evaluation-summary estimated 33.50 dB, project-page later published 30.98 dB." in told
    )


def test_counts_are_those_of_the_csv(results: Path) -> None:
    published.write()
    (sentence,) = claims.value_counts(load())
    assert "386 values published by others and 60 values estimated by others" in plain(sentence)
    assert "10 ended as oom (published)" in plain(sentence)


def test_published_counts_follow_from_the_csv() -> None:
    with (PROJECT / "vitok_lib" / "records" / "published.csv").open(encoding="utf-8") as file:
        kinds = [line["kind"] for line in csv.DictReader(file) if line["quantity"] != "status"]
    assert (len(kinds) - kinds.count("estimated"), kinds.count("estimated")) == (386, 60)


def test_figures_say_in_words_what_they_show_and_are_the_same_twice(results: Path) -> None:
    write_all(results)
    drawing = figures.by_tokenizer(load(), ["photos-512"], "psnr")
    assert all(name in drawing.alternative for name in TOKENIZERS)
    assert drawing.svg == figures.by_tokenizer(load(), ["photos-512"], "psnr").svg


def test_figure_over_the_resolution_tells_estimated_from_published(results: Path) -> None:
    published.write()
    drawing = figures.by_resolution(load(), "div8k", "psnr")
    assert "5B-f16x32: 33.50 (estimated) at 1024 px" in drawing.alternative
    assert "5B-f16x64: 33.99 at 1024 px" in drawing.alternative


def test_the_best_of_a_table_is_not_the_next_best_of_a_study_whose_winner_was_run_again(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", "photos-512", {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "nano-f16x32", "photos-512", {"psnr": [28.0, 29.0]})
    write_measured(results, "cpu", "pca-f16x64", "photos-512", {"psnr": [26.0, 27.0]})
    write_measured(results, "local", "nano-f16x64", "photos-512", {"psnr": [33.0, 34.0]})
    table = tables.quality_table(load(), "photos-512", ["psnr"])
    assert row(table, "nano-f16x64")["Study"] == "local"
    assert [number.text for number in numbers(table) if number.best] == []
    assert row(table, "nano-f16x32")["Δ PSNR to the floor, dB"].startswith("+2.00")
