"""True rates and Bjøntegaard differences over invented curves whose differences are known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes.reading import text_of
from tests.fakes.records import CURVES, POINTS, RATES, write_all, write_curve, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.metrics.quantities import RATE_QUALITIES
from vitok_lib.records.schema import Kind
from vitok_lib.records.store import read_record, write_record
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures.rate_curves import rate_curves
from vitok_lib.report.findings.rate import against_codec
from vitok_lib.report.page.content import Number, Table
from vitok_lib.report.tables.rate_curves import bjontegaard_table, quantiser_table, true_rate_table

PSNR_OF_IMAGES = float(np.random.default_rng(3).normal(0, 1, 6).mean())
"""What the invented images add to each value."""


def _rows(table: Table) -> dict[str, list[str]]:
    return {text_of(row[0]): [text_of(cell) for cell in row[1:]] for row in table.rows}


@pytest.fixture
def written(results: Path) -> Path:
    write_all(results)
    return results


def test_a_curve_at_a_factor_of_jpegs_rate_has_that_bd_rate(written: Path) -> None:
    rows = _rows(bjontegaard_table(load(), RATES, "jpeg", "psnr"))
    assert set(rows) == {*CURVES, "webp"}
    for name, factor in (CURVES | {"webp": 0.75}).items():
        change = f"{100 * (factor - 1):+.1f}".replace("-", "−").replace("+0.0", "0.0")
        end = change.lstrip("+")
        assert rows[name][0] == f"{change} [{end}, {end}]"


def test_a_curve_at_twice_the_rate_has_three_decibels_less_at_equal_rate(results: Path) -> None:
    write_curve(results, "cpu", "jpeg", 1.0)
    write_curve(results, "cpu", "webp", 2.0)
    assert _rows(bjontegaard_table(load(), RATES, "jpeg", "psnr"))["webp"] == [
        "+100.0 [100.0, 100.0]",
        "−3.00 [−3.00, −3.00]",
    ]


def test_a_plug_in_of_a_family_of_its_own_has_a_curve(results: Path) -> None:
    path = write_curve(results, "cpu", "nano-f16x64", 1.0)
    record = read_record(path)
    identity = record.tokenizer.model_copy(update={"name": "block-dct", "family": "dct"})
    write_record(record.model_copy(update={"tokenizer": identity}), path)
    first = f"block-dct: {21 + PSNR_OF_IMAGES:.2f} dB at 0.250"
    assert first in rate_curves(load(), [RATES], "psnr").alternative


def test_a_perceptual_quality_has_its_own_differences(results: Path) -> None:
    """At twice the rate 8 of SSIMULACRA 2 less at equal rate, of which PSNR knows nothing."""
    write_curve(results, "cpu", "jpeg", 1.0)
    write_curve(results, "cpu", "webp", 2.0)
    table = bjontegaard_table(load(), RATES, "jpeg", "ssimulacra2")
    assert [head.text for head in table.heads[0]] == ["Tokenizer", "BD-rate to jpeg, %", "BD-SSIMULACRA 2 to jpeg"]
    assert _rows(table)["webp"] == ["+100.0 [100.0, 100.0]", "−8.00 [−8.00, −8.00]"]
    shown = rate_curves(load(), [RATES], "ssimulacra2").alternative
    assert f"webp: {32 + PSNR_OF_IMAGES:.2f} at 0.500" in shown


def test_curves_of_what_no_record_holds_are_refused(results: Path) -> None:
    write_measured(results, "cpu", "jpeg", RATES, {"psnr:q=1": [24.0], "bpp:q=1": [1.0]})
    with pytest.raises(RequestError, match="no record of 'rate-512' ended well and holds 'ssimulacra2'"):
        bjontegaard_table(load(), RATES, "jpeg", "ssimulacra2")
    with pytest.raises(RequestError, match="'lpips'"):
        rate_curves(load(), [RATES], "lpips")


def test_curves_that_share_no_part_say_so(results: Path) -> None:
    write_curve(results, "cpu", "jpeg", 1.0)
    write_curve(results, "cpu", "webp", 100.0)
    assert _rows(bjontegaard_table(load(), RATES, "jpeg", "psnr"))["webp"][1] == "no part shared with jpeg"


def test_the_row_is_the_least_rate_at_a_loss_of_one_decibel(results: Path) -> None:
    write_curve(results, "cpu", "nano-f16x64", 0.5, whole=27.4)  # 27 dB at common=0.25, of 1 × 0.5 bits per pixel
    (row,) = true_rate_table(load(), RATES).rows
    shown = [text_of(cell) for cell in row[1:7]]
    assert shown == ["4.000", "common=0.25", "0.500", "2.00", "8.00×", f"{PSNR_OF_IMAGES + 27.4:.2f}"]
    (change,) = row[7]
    assert isinstance(change, Number)
    assert (change.text, change.kind) == ("−0.40", Kind.DERIVED)


def test_a_latent_that_no_quantiser_serves_says_so(results: Path) -> None:
    write_curve(results, "cpu", "nano-f16x64", 0.5, whole=40)
    assert "none loses so little" in _rows(true_rate_table(load(), RATES))["nano-f16x64"]


def test_the_finding_tells_more_from_less(written: Path) -> None:
    by_error, by_eye = (text_of(sentence) for sentence in against_codec(load(), RATES))
    assert "at equal PSNR" in by_error
    assert "at equal SSIMULACRA 2" in by_eye
    for text in (by_error, by_eye):
        _tells_more_from_less(text)


def _tells_more_from_less(text: str) -> None:
    assert "pca-f16x64 takes significantly more bits than jpeg" in text
    assert "nano-f16x32, pca-f16x32 and pca-f32x64 take significantly fewer" in text
    assert "the rate of nano-f16x64 does not differ" in text


def _write_points(results: Path, name: str, points: dict[str, float], decibels: list[float], **options: str) -> None:
    """A record with ``points`` and their rates: 3 dB more at each, from ``decibels`` of each image on."""
    samples = {}
    for place, (point, rate) in enumerate(points.items()):
        for quality in RATE_QUALITIES:
            samples[f"{quality}:{point}"] = [level + 3 * place for level in decibels]
        samples[f"bpp:{point}"] = [rate] * len(decibels)
    write_measured(results, "cpu", name, RATES, samples, **options)


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([24.0, 80.0, 80.0], "On most images no {} is reached by both jpeg and nano-f16x64, so they"),
        ([24.0, 24.5, 80.0], "nano-f16x64 takes significantly fewer bits than jpeg."),
    ],
)
def test_curves_are_compared_where_half_of_the_images_share_a_part(
    levels: list[float], said: str, results: Path
) -> None:
    _write_points(results, "jpeg", {"q=1": 0.5, "q=2": 1.0, "q=3": 2.0, "q=4": 4.0}, [24.0, 24.5, 25.0])
    _write_points(results, "nano-f16x64", POINTS, levels)
    for sentence, quality in zip(against_codec(load(), RATES), ("PSNR", "SSIMULACRA 2"), strict=True):
        assert said.format(quality) in text_of(sentence)
    shown = _rows(bjontegaard_table(load(), RATES, "jpeg", "psnr"))["nano-f16x64"][0]
    assert f"({sum(level < 80 for level in levels)} of 3 images)" in shown


def test_a_common_step_is_compared_with_each_other_quantiser_that_was_measured(results: Path) -> None:
    """The same qualities at half the rate of steps of each channel; no bits over a range."""
    samples = {}
    for place, (point, rate) in enumerate(POINTS.items()):
        for each, factor in ((point, 1), (point.replace("common", "step"), 2)):
            samples |= {f"psnr:{each}": [24.0 + 3 * place, 25.0 + 3 * place], f"bpp:{each}": [factor * rate] * 2}
    write_measured(results, "cpu", "nano-f16x64", RATES, samples)
    (row,) = _rows(quantiser_table(load(), RATES)).values()
    assert row == ["−50.0 [−50.0, −50.0]", "no part shared with it"]


def test_a_curve_over_other_images_than_most_is_left_out(results: Path) -> None:
    for name in ("jpeg", "webp"):
        write_curve(results, "cpu", name, 1.0)
    _write_points(results, "nano-f16x64", POINTS, [24.0] * 6, manifest="1" * 64)
    assert set(_rows(bjontegaard_table(load(), RATES, "jpeg", "psnr"))) == {"webp"}


def test_the_figure_says_every_point_in_words(written: Path) -> None:
    drawing = rate_curves(load(), [RATES], "psnr")
    for name in (*CURVES, "jpeg", "webp"):
        assert f"{name}: " in drawing.alternative
    assert drawing.svg == rate_curves(load(), [RATES], "psnr").svg


def test_a_baseline_that_was_not_measured_is_refused_by_name(results: Path) -> None:
    write_curve(results, "cpu", "webp", 1.0)
    with pytest.raises(RequestError, match="curve in 'rate-512' 'jpeg'"):
        bjontegaard_table(load(), RATES, "jpeg", "psnr")
