"""The table of one benchmark as plain data."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.fakes.reading import heads, numbers, row
from tests.fakes.records import write_all, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.metrics.signature import METRICS
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, OutOfMemory
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Number, Table, plain
from vitok_lib.report.tables import runs
from vitok_lib.report.tables.quality import quality_table

PROJECT = Path(__file__).resolve().parents[3]
CASE = "photos-512"


def marked(table: Table) -> list[str]:
    """What the table says is best."""
    return [number.text for number in numbers(table) if number.best]


def cell(table: Table, title: str, head: str) -> list[Number]:
    (found,) = [cells for cells in table.rows if plain(cells[0]) == title]
    return [part for part in found[heads(table).index(head)] if isinstance(part, Number)]


def test_every_published_psnr_of_the_csv_is_in_its_column(results: Path) -> None:
    write_published()
    with (PROJECT / "vitok_lib" / "published" / "published.csv").open(encoding="utf-8") as file:
        rows = [line for line in csv.DictReader(file) if line["quantity"] == "psnr_db" and line["dataset"] == "div8k"]
    assert len(rows) == 49
    made = {size: quality_table(load(), f"div8k-{size}", ["psnr"]) for size in (1024, 2048, 4096, 8192)}
    for line in rows:
        table = made[int(line["resolution"])]
        title = line["tokenizer"] + (f" window={line['window']}" if line["window"] else "")
        (text,) = [text for head, text in row(table, title).items() if line["source"] in head]
        assert text.startswith(f"{float(line['value']):.2f}"), (line, text)


def test_published_and_measured_stand_side_by_side(results: Path) -> None:
    write_published()
    write_measured(results, "h200", "5B-f16x64", "div8k-1024", {"psnr": [30.0, 32.0]})
    table = quality_table(load(), "div8k-1024", ["psnr"])
    cells = row(table, "5B-f16x64")
    assert cells["PSNR, dB|evaluation-summary, n = 1,500"] == "33.99"
    assert cells["PSNR, dB|measured here, n = 2"] == "31.00 [18.29, 43.71]"
    assert cells["Study"] == "h200"
    assert row(table, "flux")["PSNR, dB|measured here, n = 2"] == "not measured"


@pytest.mark.parametrize("case", ["div8k-2048", "coco-val2017-centre-crop-256", "coco-val2017-centre-crop-512"])
def test_what_nobody_measured_is_said_once_and_has_no_column(results: Path, case: str) -> None:
    write_published()
    table = quality_table(load(), case, ["all"])
    assert not [head for head in heads(table) if "measured here" in head]
    assert all(len(line) == len(heads(table)) for line in table.rows)
    said = [plain(note) for note in table.notes if "measured" in plain(note)]
    assert said == [f"Nothing was measured here on {case}."]


def test_all_quantities_are_those_of_quality_that_any_record_holds_in_the_order_of_the_catalogue(
    results: Path,
) -> None:
    samples = {"bpp": [1.0, 2.0], "ms-ssim": [0.8, 0.9], "psnr": [30.0, 32.0]}
    write_measured(results, "cpu", "nano-f16x64", CASE, samples, distances={"kid-random": {2: 0.5}})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"ssim": [0.5, 0.6]}, distances={"patch-fd-random": {18: 4.0}})
    table = quality_table(load(), CASE, ["all"])
    order = [name for name in METRICS if name in ("psnr", "ssim", "ms-ssim", "bpp", "kid-random", "patch-fd-random")]
    titles = [head.partition(", n = ")[0] for head in heads(table)]
    expected = [METRICS[name].title + (f", {METRICS[name].unit}" if METRICS[name].unit else "") for name in order]
    assert [title for title in titles if title in expected] == expected
    assert row(table, "nano-f16x64")["Patch FD, random network, n = 18 crops"] == "not measured"
    assert row(table, "pca-f16x64")["Patch FD, random network, n = 18 crops"] == "4"
    tips = [part.tip for line in table.rows for cell in line for part in cell if isinstance(part, Number)]
    assert any("psnr|rgb|u8|per-image-mean|v1" in tip for tip in tips)


def test_all_quantities_leave_out_speed_and_memory(results: Path) -> None:
    write_published()
    assert not any(
        "Latency" in head or "memory" in head for head in heads(quality_table(load(), "div8k-1024", ["all"]))
    )


def test_a_quantity_that_is_named_and_that_no_record_holds_is_refused(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    with pytest.raises(RequestError, match="no record of 'photos-512' holds fid, kid; they hold: psnr"):
        quality_table(load(), CASE, ["psnr", "kid", "fid"])


def test_outcomes_are_values_of_their_kind(results: Path) -> None:
    write_published()
    write_measured(results, "cpu", "nano-f16x64", CASE, {}, outcome=Outcome(status=OutcomeStatus.OOM))
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [20.0, 22.0]})
    shown = [number for number in numbers(quality_table(load(), CASE, ["psnr"])) if number.text == "OOM"]
    assert [number.kind for number in shown] == [Kind.MEASURED]
    assert row(quality_table(load(), "div8k-4096", ["psnr"]), "flux")["PSNR, dB|evaluation-summary, n = 1,500"] == "OOM"


def test_out_of_memory_tells_what_was_asked_for_and_what_did_fit(results: Path) -> None:
    memory = OutOfMemory(
        requested_bytes=12 * 2**30 + 2**29,
        device="cuda:0",
        batch=8,
        height=4096,
        width=4096,
        fit_batch=8,
        fit_height=2048,
        fit_width=2048,
    )
    outcome = Outcome(status=OutcomeStatus.OOM, detail="out of memory", total=6, done=2, failed=0, memory=memory)
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [40.0, 42.0]}, outcome=outcome)
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [20.0] * 6})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [19.0] * 6})
    table = quality_table(load(), CASE, ["psnr"])
    value, ended = cell(table, "nano-f16x64", "PSNR, dB, n = 6")
    assert row(table, "nano-f16x64")["PSNR, dB, n = 6"] == "41.00 [28.29, 53.71] n = 2 OOM, 2 of 6"
    assert "asked for 12.5 GiB on cuda:0 at batch 8 of 4096 × 4096 px" in ended.tip
    assert "batch 8 of 2048 × 2048 px had gone through before" in ended.tip
    assert not value.best
    assert marked(table) == ["20.00"]


def test_a_distance_that_is_compared_at_a_smaller_n_is_shown_at_that_n_too(results: Path) -> None:
    by_name = {"nano-f16x64": {50: 8.0, 1500: 0.5}, "nano-kl-f8x16": {50: 5.0}}
    for name, by_count in by_name.items():
        manifest = f"{max(by_count):064}"
        write_measured(results, "cpu", name, CASE, {}, distances={"fid": by_count}, manifest=manifest)
    table = quality_table(load(), CASE, ["fid"])
    assert row(table, "nano-f16x64")["FID"] == "0.50 n = 1,500 8.00 compared at n = 50"
    assert row(table, "nano-kl-f8x16")["FID"] == "5.00 n = 50"
    assert marked(table) == ["5.00"]


def test_distances_without_a_common_n_are_not_ranked_and_the_table_says_so(results: Path) -> None:
    for name, n, value in (("nano-f16x64", 1500, 0.5), ("nano-kl-f8x16", 50, 0.1)):
        write_measured(results, "cpu", name, CASE, {}, distances={"fid": {n: value}}, manifest=f"{n:064}")
    table = quality_table(load(), CASE, ["fid"])
    assert marked(table) == []
    (note,) = map(plain, table.notes)
    assert note.startswith("No best FID is named: the records hold it at n = 50, 1,500")


def test_a_codec_has_a_ratio_of_bits_and_a_learned_tokenizer_one_of_numbers(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [30.0, 32.0], "bpp": [1.0, 2.0]})
    write_measured(results, "cpu", "webp:q=80", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0], "bpp": [4.0, 4.0]})
    table = quality_table(load(), CASE, ["psnr"])
    assert row(table, "jpeg:q=75")["Ratio"] == "16 : 1 in bits"  # 24 bits of a pixel over 1.5
    assert row(table, "webp:q=80")["Ratio"] == "–"
    assert row(table, "nano-f16x64")["Ratio"] == "12 : 1"  # 3 · 16² pixel values over 64 latent values


def test_a_value_that_is_not_independent_is_marked_explained_once_and_never_best(results: Path) -> None:
    for name, distance in {"5B-f16x64": 0.1, "nano-f16x64": 2.0, "nano-kl-f8x16": 3.0}.items():
        distances = {"fd-dinov3": {50: distance}, "kid-dinov3": {50: distance}, "fid": {50: distance}}
        write_measured(results, "cpu", name, CASE, {}, distances=distances)
    table = quality_table(load(), CASE, ["all"])
    caveats = {number.text: number.caveat for number in cell(table, "5B-f16x64", "FD, DINOv3, n = 50")}
    assert "trained with a loss on DINOv3 features" in (caveats["0.1"] or "")
    assert cell(table, "5B-f16x64", "FID, n = 50")[0].caveat is None
    assert marked(table) == ["0.10", "2", "2"]
    (note,) = map(plain, table.notes)
    assert note.startswith("† Not independent: FD, DINOv3, KID, DINOv3 of 5B-f16x64, since released ViTok-v2")


def test_windows_have_rows_of_their_own_with_their_counts(results: Path) -> None:
    write_published()
    table = quality_table(load(), "div8k-8192", ["psnr"])
    assert row(table, "5B-f16x64 window=512")["PSNR, dB|evaluation-summary"] == "34.30 n = 100"
    assert row(table, "5B-f16x64 window=64")["PSNR, dB|evaluation-summary"] == "34.06 n = 50"


def test_each_number_links_to_a_record_of_the_list_of_runs(results: Path) -> None:
    write_published()
    write_all(results)
    listed = {anchor for _, _, table in runs.run_tables(load()) for anchor in table.anchors}
    assert len(listed) == len(load())
    for case in ("div8k-8192", CASE):
        assert {number.anchor for number in numbers(quality_table(load(), case, ["psnr"]))} <= listed


def test_the_best_of_a_table_is_not_the_next_best_of_a_study_whose_winner_was_run_again(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [30.0, 32.0]})
    write_measured(results, "cpu", "nano-kl-f8x16", CASE, {"psnr": [28.0, 29.0]})
    write_measured(results, "cpu", "pca-f16x64", CASE, {"psnr": [26.0, 27.0]})
    write_measured(results, "local", "nano-f16x64", CASE, {"psnr": [33.0, 34.0]})
    table = quality_table(load(), CASE, ["psnr"])
    assert row(table, "nano-f16x64")["Study"] == "local"
    assert marked(table) == []


def test_rows_of_one_study_and_of_one_rate_are_together_and_each_column_has_one_best_in_them(results: Path) -> None:
    psnr = {"nano-f16x64": 30.0, "pca-f16x64": 29.0, "nano-f16x32": 27.0, "nano-f32x128": 26.0}
    for name, level in psnr.items():
        write_measured(results, "cpu", name, CASE, {"psnr": [level, level + 1]})
    for name, level in {"nano-f16x64": 23.0, "pca-f16x64": 22.0, "nano-f32x64": 40.0}.items():
        write_measured(results, "local", name, CASE, {"psnr": [level, level + 1]}, manifest="1" * 64)
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [20.0, 21.0]})  # whose rate nobody counted
    table = quality_table(load(), CASE, ["psnr"])
    shown = [(plain(cells[2]), plain(cells[0])) for cells in table.rows]
    assert shown == [
        ("local", "nano-f32x64"),
        ("local", "nano-f16x64"),
        ("local", "pca-f16x64"),
        ("cpu", "nano-f16x32"),
        ("cpu", "nano-f32x128"),
        ("cpu", "jpeg:q=75"),
    ]
    assert table.groups == [0, 1, 3, 5]
    assert marked(table) == ["23.50", "27.50"]
