"""The figures, by the words that say what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.records import TOKENIZERS, write_all, write_measured
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.report.data.record_view import load
from vitok_lib.report.figures import quality

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
    write_measured(results, "cpu", "nano-f16x64", CASE, {"psnr": [28.0, 29.0], "bpp": [4.0, 4.0]})
    bits = quality.bits_and_quality(load(), [CASE], "psnr")
    for said in ("jpeg:q=50 31.00 dB at 0.75", "jpeg:q=75 33.00 dB at 1.5", "nano-f16x64 28.50 dB at 4"):
        assert said in bits.alternative
    assert "a line joins the settings of one" in bits.caption
    assert "16 bits a value, without entropy coding" in bits.caption
    ratio = quality.rate_and_quality(load(), [CASE], "psnr")
    assert "nano-f16x64 28.50 dB at 12" in ratio.alternative
    assert "jpeg" not in ratio.alternative


def test_a_codec_at_one_setting_has_no_line(results: Path) -> None:
    write_measured(results, "cpu", "jpeg:q=75", CASE, {"psnr": [32.0, 34.0], "bpp": [1.0, 2.0]})
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


def test_a_distance_at_one_n_is_no_line(results: Path) -> None:
    write_measured(results, "cpu", "nano-f16x64", CASE, {}, distances={"fd-random": {16: 2.0}})
    with pytest.raises(RequestError, match="'photos-512' holds 'fd-random' at two numbers of images"):
        quality.distance_by_n(load(), [CASE], "fd-random")
