"""Sentences and the figure of latent cards over invented ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.latents import CASE, QUANTITIES, write_latents
from tests.fakes.reading import numbers_in
from tests.fakes.records import write_curve, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures.latents import latent_spectra
from vitok_lib.report.findings.latents import latents_measured
from vitok_lib.report.page.content import plain
from vitok_lib.report.tables.coverage import coverage_table
from vitok_lib.report.tables.measured_where import measured_where


def mean_of(quantity: str) -> float:
    return QUANTITIES.index(quantity) + 1.5


def test_each_sentence_has_the_measured_means_of_its_records(results: Path) -> None:
    write_latents(results)
    ranks, *others = latents_measured(load(), CASE)
    assert numbers_in(ranks, Kind.MEASURED) == [mean_of("effective_rank")] * 2
    assert len(others) == 4
    assert numbers_in(others[0], Kind.MEASURED) == [mean_of("shift_quarter_loss"), mean_of("shift_whole_loss")]
    assert numbers_in(others[-1], Kind.MEASURED) == [mean_of(f"noise_{s}_psnr") for s in (0, 10, 100)]


def test_the_figure_says_what_share_the_first_axis_has(results: Path) -> None:
    """Eigenvalues ½ⁱ: the first is half of their sum."""
    write_latents(results, ("nano-f16x64",))
    assert "the first of 64 axes has 50.0 % of the variance" in latent_spectra(load(), CASE).alternative


def test_records_over_more_and_fewer_images_are_both_drawn(results: Path) -> None:
    write_latents(results, ("nano-f16x64",))
    folder = results / "cpu" / CASE
    (folder / "nano-f16x64@samples=1.json").write_bytes((folder / "nano-f16x64.json").read_bytes())
    assert latent_spectra(load(), CASE).alternative.count("nano-f16x64: the first of 64 axes") == 2


def test_records_without_a_spectrum_have_no_figure(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {"latent_std": [1.0]})
    with pytest.raises(RequestError, match="'vitok latents' measures it"):
        latent_spectra(load(), CASE)


def test_a_card_or_a_rate_is_no_missing_quality_of_an_image_set(results: Path) -> None:
    write_latents(results)
    write_curve(results, "cpu", "jpeg", 1.0)
    table = coverage_table(load())
    rows = [[plain(cell) for cell in row[:2]] for row in table.rows]
    assert rows == [["values of the latent", "latents-wallpapers"], ["rate with entropy coding", "rate"]]
    assert "quality: " not in plain(table.notes[-1])
    (where,) = measured_where(load()).rows
    assert plain(where[-1]) == "values of the latent, rate with entropy coding"
