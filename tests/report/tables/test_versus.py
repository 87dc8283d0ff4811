"""Two tokenizers side by side: only within one protocol, with the kind that a difference has."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.reading import numbers
from tests.fakes.records import write_measured
from vitok_lib.published.study import write_published
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus
from vitok_lib.report.data.paired import winners
from vitok_lib.report.data.record_view import load
from vitok_lib.report.page.content import Table, plain
from vitok_lib.report.tables.versus import versus_table

CASE, FIRST, SECOND = "photos-512", "nano-f16x64", "pca-f16x64"


def _rows(table: Table) -> list[list[str]]:
    return [[plain(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def test_a_measured_difference_is_paired_and_names_the_better(results: Path) -> None:
    write_measured(results, "cpu", FIRST, CASE, {"psnr": [30.0, 31.0], "lpips": [0.4, 0.4]})
    write_measured(results, "cpu", SECOND, CASE, {"psnr": [29.0, 30.0], "lpips": [0.2, 0.2]})
    table = versus_table(load(), FIRST, SECOND)
    rows = {row[1]: row for row in _rows(table)}
    assert rows["PSNR"][4] == "+1.00 dB [1.00, 1.00]"
    assert rows["PSNR"][5] == FIRST
    assert rows["LPIPS"][5] == SECOND, "a lower LPIPS is better"
    assert {number.kind for number in numbers(table)} == {Kind.MEASURED, Kind.DERIVED}


def test_of_two_values_that_are_equal_in_print_and_have_no_test_none_is_better(results: Path) -> None:
    for name, distance in ((FIRST, 1.0), (SECOND, 1.0000001)):
        write_measured(results, "cpu", name, CASE, {}, distances={"fd-dinov2": {50: distance}})
    (row,) = _rows(versus_table(load(), FIRST, SECOND))
    assert (row[2], row[3], row[5]) == ("1", "1", "equal")
    assert winners(load(), "fd-dinov2") == {}
    write_measured(results, "cpu", SECOND, CASE, {}, distances={"fd-dinov2": {50: 1.001}})
    (row,) = _rows(versus_table(load(), FIRST, SECOND))
    assert (row[3], row[5]) == ("1.001", FIRST)
    assert len(winners(load(), "fd-dinov2")) == 1


def test_two_on_other_images_are_not_compared_and_it_says_so(results: Path) -> None:
    write_measured(results, "cpu", FIRST, CASE, {"psnr": [30.0, 31.0]})
    write_measured(results, "cpu", SECOND, CASE, {"psnr": [29.0, 30.0]}, manifest="1" * 64)
    table = versus_table(load(), FIRST, SECOND)
    assert table.rows == []
    (note,) = map(plain, table.notes)
    assert note.startswith(f"On {CASE} nothing is compared by PSNR, because the two share no protocol: ")


def test_a_difference_of_published_figures_is_published(results: Path) -> None:
    write_published()
    table = versus_table(load(), "5B-f16x64", "flux")
    assert table.rows
    assert {row[6] for row in _rows(table)} == {"evaluation-summary"}, "each source is a protocol of its own"
    assert {number.kind for number in numbers(table)} <= {Kind.PUBLISHED, Kind.ESTIMATED}
    (psnr,) = [row for row in _rows(table) if row[0].startswith("div8k-1024") and row[1] == "PSNR"]
    assert (psnr[2], psnr[3], psnr[4]) == ("33.99 dB", "31.45 dB", "+2.54 dB")
    assert psnr[5] == "5B-f16x64 as published"
    assert any("flux by evaluation-summary: OOM" in plain(note) for note in table.notes)


def test_an_estimate_is_the_reason_where_it_is_one(results: Path) -> None:
    write_published()
    shown = versus_table(load(), "5B-f16x64", "flux").notes
    notes = [plain(note).replace("\N{NO-BREAK SPACE}", " ") for note in shown]
    (said,) = [note for note in notes if note.startswith("On div8k-2048 nothing is compared")]
    assert "by PSNR, SSIM, FID and FDD, because flux has estimates alone" in said, "one reason is said once"
    assert "flux by evaluation-summary, n = 1,500, 31.80 dB, 0.912, 0.45 and 0.25" in said
    assert not any("share no protocol" in note for note in notes)


def test_a_run_that_did_not_end_well_is_the_reason_where_it_is_one(results: Path) -> None:
    write_measured(results, "cpu", FIRST, CASE, {"psnr": [30.0, 31.0]})
    ended = Outcome(status=OutcomeStatus.TIMEOUT)
    write_measured(results, "cpu", SECOND, CASE, {"psnr": [29.0, 30.0]}, outcome=ended)
    notes = [plain(note) for note in versus_table(load(), FIRST, SECOND).notes]
    assert f"nothing is compared by PSNR, because the run of {SECOND} did not end well: " in notes[0]


def test_two_of_other_rates_are_not_compared_and_both_rates_are_below(results: Path) -> None:
    write_published()
    for name in (FIRST, SECOND, "nano-f32x64"):
        write_measured(results, "cpu", name, CASE, {"psnr": [30.0, 31.0], "ssim": [0.8, 0.9]})
    table = versus_table(load(), FIRST, "nano-f32x64")
    assert table.rows == []
    (note,) = map(plain, table.notes)
    rates = "nano-f16x64 4 bit/px (12 : 1), nano-f32x64 1 bit/px (48 : 1)"
    assert note == f"Not compared on {CASE}, because the rates differ: {rates}."
    assert versus_table(load(), FIRST, SECOND).notes == [], "both are at 4 bit/px"
    published = versus_table(load(), "5B-f16x64", "flux2")
    assert published.rows == []
    assert "5B-f16x64 4 bit/px (12 : 1), flux2 8 bit/px (6 : 1)" in plain(published.notes[0])


def test_a_codec_whose_bits_nobody_counted_has_no_rate_to_compare_at(results: Path) -> None:
    for name in (FIRST, "jpeg:q=75"):
        write_measured(results, "cpu", name, CASE, {"psnr": [30.0, 31.0]})
    table = versus_table(load(), FIRST, "jpeg:q=75")
    assert table.rows == []
    assert plain(table.notes[0]).endswith("jpeg:q=75 unknown rate.")


def test_of_two_studies_with_the_same_pair_the_preceding_one_is_shown(results: Path) -> None:
    for study, shift in (("cpu", 0.0), ("local", 1.0)):
        write_measured(results, study, FIRST, CASE, {"psnr": [30.0 + shift, 31.0 + shift]})
        write_measured(results, study, SECOND, CASE, {"psnr": [29.0, 30.0]})
    (only,) = _rows(versus_table(load(), FIRST, SECOND))
    assert (only[6], only[4]) == ("study local", "+2.00 dB [2.00, 2.00]")


def test_a_run_of_one_of_the_two_takes_no_comparison_away(results: Path) -> None:
    for study, name in (("cpu", FIRST), ("cpu", SECOND), ("local", FIRST)):
        write_measured(results, study, name, CASE, {"psnr": [30.0, 31.0]})
    (only,) = _rows(versus_table(load(), FIRST, SECOND))
    assert only[6] == "study cpu"
