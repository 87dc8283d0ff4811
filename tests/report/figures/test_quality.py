"""The figures, by the words that say what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.records import TOKENIZERS, write_all, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures import quality
from vitok_lib.report.figures.drawing import Drawing

CASE = "photos-512"


def test_figures_say_in_words_what_they_show_and_are_the_same_twice(results: Path) -> None:
    write_all(results)
    drawing = quality.by_tokenizer(load(), [CASE], "psnr")
    assert all(name in drawing.alternative for name in TOKENIZERS)
    assert drawing.svg == quality.by_tokenizer(load(), [CASE], "psnr").svg


def test_figure_over_the_resolution_tells_estimated_from_published(results: Path) -> None:
    write_published()
    drawing = quality.by_resolution(load(), "div8k", "psnr")
    assert "5B-f16x32: 33.50 (estimated) at 1024 px" in drawing.alternative
    assert "5B-f16x64: 33.99 at 1024 px" in drawing.alternative


def test_codecs_stand_at_their_bits_and_have_no_place_by_ratio(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=50", CASE, {"psnr": [30.0, 32.0], "bpp": [0.5, 1.0]})
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [32.0, 34.0], "bpp": [1.0, 2.0]})
    write_measured(results, "cpu", "jpeg:q=90", CASE, {"psnr": [35.0, 37.0], "bpp": [2.0, 3.0]})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [28.0, 29.0], "bpp": [4.0, 4.0]})
    bits = quality.bits_and_quality(load(), [CASE], "psnr")
    for said in ("jpeg:q=50 31.00 dB at 0.75", "jpeg:q=75 33.00 dB at 1.5", "nano-f16x64 28.50 dB at 4"):
        assert said in bits.alternative
    (curve,) = (line for line in bits.figure.axes[0].lines if len(line.get_xdata()) == 3)
    assert list(curve.get_xdata()) == [0.75, 1.5, 2.5]
    assert list(curve.get_ydata()) == [31.0, 33.0, 36.0]
    assert "a line joins the settings of one" in bits.caption
    assert "16 bits a value, without entropy coding" in bits.caption
    ratio = quality.rate_and_quality(load(), [CASE], "psnr")
    assert "nano-f16x64 28.50 dB at 12" in ratio.alternative
    assert "jpeg" not in ratio.alternative


def test_a_codec_at_two_settings_has_no_line(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [32.0, 34.0], "bpp": [1.0, 2.0]})
    write_measured(results, "cpu", "jpeg:q=50", CASE, {"psnr": [30.0, 32.0], "bpp": [0.5, 1.0]})
    write_measured(results, "cpu", "webp:q=80", CASE, {"psnr": [32.0, 35.0], "bpp": [1.0, 1.5]})
    assert "a line joins" not in quality.bits_and_quality(load(), [CASE], "psnr").caption


def test_codecs_alone_have_no_figure_by_ratio(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [32.0, 34.0], "bpp": [1.0, 2.0]})
    with pytest.raises(RequestError, match="'photos-512' holds 'psnr' and has a rate"):
        quality.rate_and_quality(load(), [CASE], "psnr")


def test_a_distance_is_drawn_at_every_n_and_at_the_one_it_is_extrapolated_to(results: Path) -> None:
    distances = {"fd-random": {4: 8.0, 8: 5.0, 16: 2.0}, "fd-infinity-random": {16: 0.5}, "kid-random": {16: 7.0}}
    write_measured(results, "cpu", "nano-f16x64", CASE, {}, distances=distances)
    drawing = quality.distance_by_n(load(), [CASE], "fd-random")
    assert "nano-f16x64 8 at n = 4, 5 at n = 8, 2 at n = 16, 0.5 extrapolated" in drawing.alternative
    assert "FD∞, random network" in drawing.caption
    distances.pop("fd-infinity-random")
    write_measured(results, "cpu", "nano-f16x64", CASE, {}, distances=distances)
    assert "FD∞" not in quality.distance_by_n(load(), [CASE], "fd-random").caption, "nothing is drawn of it"


def test_a_distance_at_one_n_is_no_figure(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {}, distances={"fd-random": {16: 2.0}})
    with pytest.raises(RequestError, match="'photos-512' holds 'fd-random' at two numbers of images"):
        quality.distance_by_n(load(), [CASE], "fd-random")


def _points(drawing: Drawing, count: int) -> list[tuple[list[float], list[float]]]:
    """The coordinates of what the first panel draws as so many single dots."""
    lines = (line for line in drawing.figure.axes[0].lines if line.get_linestyle() == "None")
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines if len(line.get_xdata()) == count]


def test_few_images_are_dots_and_many_an_interval(results: Path) -> None:
    few, many = [float(20 + index) for index in range(8)], [float(20 + index) for index in range(9)]
    write_measured(results, "cpu", "nano-f16x64", "photos-256", {"psnr": few})
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": many})
    ((x, _),) = _points(quality.by_tokenizer(load(), ["photos-256"], "psnr"), 8)
    assert x == few
    drawing = quality.by_tokenizer(load(), [CASE], "psnr")
    assert _points(drawing, 9) == []
    entry = next(entry for entry in load() if entry.case == CASE)
    interval = entry.value("psnr").interval
    assert interval is not None
    bars = [list(line.get_xdata()) for line in drawing.figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert [interval.low, interval.high] in bars


def test_rows_go_up_with_the_rate_and_within_a_rate_with_the_mean(results: Path) -> None:
    for name, psnr, bits in (("nano-f16x64", 30.0, 4.0), ("pca-f16x64", 29.0, 4.1), ("jpeg:q=75", 35.0, 1.5)):
        write_measured(results, "cpu", name, CASE, {"psnr": [psnr, psnr + 1], "bpp": [bits, bits]})
    (axes,) = quality.by_tokenizer(load(), [CASE], "psnr").figure.axes
    shown = [text.get_text().partition(",")[0] for text in axes.get_yticklabels()]
    assert shown == ["jpeg:q=75", "pca-f16x64", "nano-f16x64"]


def test_two_resolutions_are_marks_and_no_line(results: Path) -> None:
    for case, psnr in (("photos-256", 30.0), ("photos-512", 32.0)):
        write_measured(results, "cpu", "nano-f16x64", case, {"psnr": [psnr, psnr]})
    (axes,) = quality.by_resolution(load(), "photos", "psnr").figure.axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[30.0], [32.0]]
    assert [text.get_text() for text in axes.texts] == ["256 px", "512 px"]
