"""Contradictions that are planted in the table of published figures are found; what goes together is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vitok_lib.published.study import read_csv, write_published
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings import contradictions
from vitok_lib.report.page.content import WebLink, plain

Row = dict[str, str]
Publish = Callable[..., list[str]]
DOCUMENT, PAGE = "evaluation-summary", "project-page"


def row(source: str, tokenizer: str, quantity: str, value: str, **other: str) -> Row:
    filled = dict.fromkeys(read_csv()[0], "") | {"dataset": "div8k", "resolution": "1024", "kind": "measured"}
    return filled | {"source": source, "tokenizer": tokenizer, "quantity": quantity, "value": value, **other}


@pytest.fixture
def found(results: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """The contradictions of a table of these rows alone."""

    def sentences(*rows: Row) -> list[str]:
        monkeypatch.setattr("vitok_lib.published.study.read_csv", lambda: list(rows))
        write_published()
        return [plain(sentence) for sentence in contradictions.contradictions(load())]

    return sentences


def qualities(source: str, tokenizer: str, psnr: str, ssim: str, fid: str) -> list[Row]:
    values = {"psnr_db": psnr, "ssim": ssim, "fid": fid}
    return [row(source, tokenizer, quantity, value, samples="1500") for quantity, value in values.items()]


@pytest.mark.parametrize(
    ("psnr", "times"), [("31.44", 1), ("31.46", 1), ("31.47", 0)], ids=["a-unit-less", "a-unit-more", "two-units"]
)
def test_one_row_under_two_names(found: Publish, psnr: str, times: int) -> None:
    first = qualities(DOCUMENT, "flux", "31.45", "0.908", "0.89")
    assert sum("same row" in line for line in found(*first, *qualities(PAGE, "flux2", psnr, "0.908", "0.90"))) == times
    assert found(*first, *qualities(DOCUMENT, "sd", psnr, "0.908", "0.90")) == [], "one source may measure a tie"
    assert found(*first[:2], *qualities(PAGE, "flux2", psnr, "0.908", "0.90")[:2]) == [], "two qualities are too few"


def test_two_values_of_one_thing(found: Publish) -> None:
    first = row(DOCUMENT, "sd", "psnr_db", "25.58", samples="1500")
    assert found(first, row(PAGE, "sd", "psnr_db", "25.60", samples="1500")) == []
    (line,) = found(first, row(PAGE, "sd", "psnr_db", "25.61", samples="1500"))
    assert "25.58 dB" in line
    assert "25.61 dB" in line
    assert found(first, row(PAGE, "sd", "psnr_db", "25.61", samples="50")) == []
    assert found(first, row(PAGE, "sd", "psnr_db", "25.61", samples="1500", kind="estimated")) == []


def test_what_failed_in_one_source_and_ran_in_another(found: Publish) -> None:
    failed = row(DOCUMENT, "sd", "status", "oom", kind="reported")
    (line,) = found(failed, row(PAGE, "sd", "latency_ms", "20500"))
    assert "20,500 ms" in line
    assert found(failed, row(PAGE, "sd", "latency_ms", "20500", resolution="2048")) == []
    assert found(failed, row(PAGE, "sdxl", "latency_ms", "20500")) == []


@pytest.mark.parametrize(("rate", "times"), [("0.12", 1), ("0.13", 0), ("0.127", 0)])
def test_a_rate_is_one_over_its_time_to_the_digits_that_are_printed(found: Publish, rate: str, times: int) -> None:
    assert round(1 / 7.887, 4) == 0.1268
    time, speed = ("latency_ms", "7887"), ("throughput_img_per_s", rate)
    lines = found(row(DOCUMENT, "sd", *time), row(DOCUMENT, "sd", *speed, samples="50"))
    assert [line for line in lines if "0.127 img/s" in line] == lines
    assert len(lines) == times


def test_equal_flops_in_unequal_times(found: Publish) -> None:
    # Between f16x64 and f16x32 only the end of the encoder and the begin of the decoder differ: 32 of 3072 columns.
    slow = row(PAGE, "5B-f16x64", "latency_ms", "207.4")
    (line,) = found(slow, row(PAGE, "5B-f16x32", "latency_ms", "70.8"))
    assert "nearly equal FLOPs" in line
    assert found(slow, row(PAGE, "5B-f16x32", "latency_ms", "140")) == [], "within 1.5 times"
    assert found(slow, row(DOCUMENT, "5B-f16x32", "latency_ms", "70.8")) == [], "of two machines"


def test_more_flops_in_less_time(found: Publish) -> None:
    patches = {"5B-f16x64": "3.49", "5B-f32x64": "2.42"}  # four times the tokens, and yet more images a second
    (line,) = found(*(row(DOCUMENT, name, "throughput_img_per_s", rate) for name, rate in patches.items()))
    assert "faster than 5B-f32x64" in line
    assert found(*(row(DOCUMENT, name, "latency_ms", rate) for name, rate in patches.items())) == []


def test_a_larger_image_in_less_time_names_the_worst_and_the_others(found: Publish) -> None:
    small, large = {"resolution": "512"}, {"resolution": "1024"}
    times = [("sd", "52", "15"), ("sdxl", "20", "19"), ("qwen", "5", "30")]
    lines = found(
        *(row(PAGE, name, "latency_ms", time, **small) for name, time, _ in times),
        *(row(PAGE, name, "latency_ms", time, **large) for name, _, time in times),
    )
    (line,) = lines
    assert "sd 52 ms on div8k-512 and 15 ms on div8k-1024" in line
    assert line.endswith("so it does for sdxl.")


def test_the_sources_contradict_each_other_where_they_are_known_to(results: Path) -> None:
    write_published()
    lines = contradictions.contradictions(load())
    text = "\n".join(map(plain, lines))
    for words in ("31.45 dB", "207.4 ms", "70.81 ms", "OOM for sd on div8k-4096", "20,500 ms", "0.127 img/s"):
        assert words in text
    assert all(any(isinstance(part, WebLink) for part in line) for line in lines)
