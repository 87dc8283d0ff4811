"""The answers that open the report: which figure wins, whose it is, and what is said where none is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.machines import write_machine
from tests.fakes.reading import numbers_in, text_of
from tests.fakes.released import write_released
from vitok_lib.published.study import SOURCES, published_identity, write_published
from vitok_lib.records.schema import ImagesIdentity, Kind, Outcome, Record, Settings, Source, Value
from vitok_lib.records.store import read_record, record_path, write_record
from vitok_lib.report.data.record_view import load
from vitok_lib.report.findings.best_reconstruction import best_reconstruction
from vitok_lib.report.findings.fastest import fastest
from vitok_lib.report.page.content import Number, WebLink

CASE = "div8k-1024"


def publish(name: str, psnr: float, kind: Kind = Kind.PUBLISHED, source: Source = SOURCES["project-page"]) -> None:
    """Write a published PSNR of a released model on DIV8K at 1024 px."""
    record = Record(
        benchmark="div8k",
        resolution=1024,
        tokenizer=published_identity(name),
        images=ImagesIdentity(name="div8k", description="invented", count=9, rule="cap"),
        settings=Settings(),
        outcome=Outcome(kind=Kind.PUBLISHED),
        values=(Value(quantity="psnr", value=psnr, unit="dB", kind=kind, n=9),),
        source=source,
    )
    write_record(record, record_path("published", "div8k", 1024, name, source.name))


def answer() -> str:
    (sentence,) = best_reconstruction(load())
    return text_of(sentence)


def test_a_better_published_value_changes_the_winner_and_is_quoted_with_its_source(results: Path) -> None:
    publish("5B-f16x64", 33.0)
    publish("350M-f16x64", 32.0)
    publish("flux2", 34.0)
    assert "put ViTok-v2 5B-f16x64 first" in answer()
    assert "FLUX.2's VAE (6 : 1) has 34.00 dB" in answer(), "another compression is named as such and does not win"
    publish("qwen", 33.5)
    (sentence,) = best_reconstruction(load())
    assert "put Qwen-Image's VAE first" in text_of(sentence)
    assert numbers_in(sentence, Kind.PUBLISHED) == numbers_in(sentence), "a published figure is no result of ours"
    assert "Published figures" in text_of(sentence)
    assert "Not measured here" in text_of(sentence)
    (link,) = [part for part in sentence if isinstance(part, WebLink)]
    assert link.url == SOURCES["project-page"].url


def test_an_estimate_never_takes_part(results: Path) -> None:
    publish("5B-f16x64", 33.0)
    publish("350M-f16x64", 32.0)
    publish("qwen", 40.0, Kind.ESTIMATED)
    publish("flux2", 41.0, Kind.ESTIMATED)
    (sentence,) = best_reconstruction(load())
    assert numbers_in(sentence) == [33.0, 32.0]
    publish("350M-f16x64", 32.0, Kind.ESTIMATED)
    assert "Unknown" in answer(), "one figure and an estimate make no ranking"


def test_equal_values_share_the_first_place(results: Path) -> None:
    publish("5B-f16x64", 33.001)
    publish("350M-f16x64", 33.003)
    publish("qwen", 30.0)
    assert "put ViTok-v2 350M-f16x64 and ViTok-v2 5B-f16x64 first" in answer()
    assert "Qwen-Image's VAE has 30.00 dB" in answer()


def test_two_sources_are_two_protocols(results: Path) -> None:
    publish("5B-f16x64", 33.0)
    publish("350M-f16x64", 32.0)
    publish("qwen", 39.0, source=SOURCES["evaluation-summary"])
    assert "put ViTok-v2 5B-f16x64 first" in answer()
    assert "39.00" not in answer()


def test_without_a_record_the_answer_says_what_is_missing(results: Path) -> None:
    assert "Unknown" in answer()
    assert "vitok run --profile released" in answer()
    (sentence,) = fastest(load())
    assert "Unknown" in text_of(sentence)
    assert "vitok run speed" in text_of(sentence)


def test_a_measurement_of_released_weights_takes_the_place_of_published_figures(results: Path) -> None:
    write_published()
    write_released(results, "qwen", CASE, {"psnr": [35.1, 36.0, 37.2]})
    assert "Published figures" in answer(), "one measurement ranks nothing"
    assert "Not measured here" not in answer()
    write_released(results, "5B-f16x64", CASE, {"psnr": [30.0, 31.0, 32.0]})
    (sentence,) = best_reconstruction(load())
    assert "Measurements here put Qwen-Image's VAE first" in text_of(sentence)
    assert numbers_in(sentence, Kind.MEASURED) == numbers_in(sentence) == [36.1, 31.0]


def test_a_measured_difference_that_is_not_significant_makes_no_winner(results: Path) -> None:
    write_released(results, "qwen", CASE, {"psnr": [29.0, 33.0, 31.5]})
    write_released(results, "5B-f16x64", CASE, {"psnr": [30.0, 31.0, 32.0]})
    assert "put Qwen-Image's VAE and ViTok-v2 5B-f16x64 first" in answer()


@pytest.mark.parametrize("other", [{"window": 64}, {"blocks": "1/1"}, {"tile": "512/64"}])
def test_another_configuration_of_a_model_is_no_second_model(results: Path, other: dict[str, object]) -> None:
    write_released(results, "qwen", CASE, {"psnr": [30.0, 31.0, 32.0]})
    record = read_record(write_released(results, "5B-f16x64", CASE, {"psnr": [33.0, 34.0, 35.0]}))
    name = ",".join(f"{key}={value}" for key, value in other.items()).replace("/", "_")
    changed = {"settings": Settings(device="cuda", **other), "samples": None}
    value = record.values[0].model_copy(update={"value": 40.0, "interval": None})
    write_record(
        record.model_copy(update={**changed, "values": (value,)}), results / "h200" / CASE / f"5B-f16x64@{name}.json"
    )
    (sentence,) = best_reconstruction(load())
    assert numbers_in(sentence) == [34.0, 31.0]
    assert "put ViTok-v2 5B-f16x64 first" in text_of(sentence)


def test_random_weights_have_no_quality(results: Path) -> None:
    publish("5B-f16x64", 33.0)
    publish("350M-f16x64", 32.0)
    for name in ("qwen", "flux"):
        path = write_released(results, name, CASE, {"psnr": [50.0, 51.0, 52.0]})
        path.write_text(path.read_text().replace('"source": "released"', '"source": "random:0"'))
    assert "Published figures put ViTok-v2 5B-f16x64 first" in answer()


def time(latencies: Mapping[str, float], results: Path, **settings: object) -> None:
    for name, latency in latencies.items():
        options = {"batch": 1, "dtype": "bfloat16", "weights": "random:0", "gpu": "NVIDIA H100 80GB HBM3", **settings}
        write_machine(results, "speed", 1024, name, {"latency": latency}, **options)  # type: ignore[arg-type]


def test_the_fastest_is_named_in_its_fastest_configuration(results: Path) -> None:
    time({"350M-f16x64": 12.0, "flux": 140.0}, results)
    time({"350M-f16x64": 11.0}, results, precision="fp8")
    time({"350M-f16x64": 26.0}, results, preset="reference")
    (sentence,) = fastest(load())
    assert "one NVIDIA H100." in text_of(sentence)
    assert "ViTok-v2 350M-f16x64 takes 11.0 ms in fp8 and 12.0 ms in bf16; FLUX.1's VAE takes 140 ms" in text_of(
        sentence
    )
    assert "random weights" in text_of(sentence)
    assert all(part.kind == Kind.MEASURED for part in sentence if isinstance(part, Number))


def test_where_the_fastest_presets_differ_the_first_is_also_given_in_the_one_that_all_have(results: Path) -> None:
    time({"350M-f16x64": 26.0, "flux": 140.0}, results, preset="reference")
    assert "preset reference" not in text_of(fastest(load())[0]), "one preset needs no word"
    time({"350M-f16x64": 12.0}, results, preset="fast")
    assert "preset reference; with it ViTok-v2 350M-f16x64 takes 26.0 ms" in text_of(fastest(load())[0])
    time({"sd": 150.0}, results, preset="compiled")
    assert "No preset was measured of all" in text_of(fastest(load())[0])


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"batch": 8}, "a batch"),
        ({"size": (512, 1024)}, "another shape"),
        ({"gpu": None}, "a processor"),
        ({"blocks": "0/0"}, "no block of it"),
        ({"tile": "512/0"}, "tiles"),
        ({"window": 8}, "a window that none was published with at this size"),
    ],
)
def test_what_was_timed_otherwise_takes_no_part(results: Path, settings: dict[str, object], why: str) -> None:
    time({"flux": 140.0, "sd": 150.0}, results)
    time({"350M-f16x64": 1.0, "nano-f16x64": 0.1}, results, **settings)
    (sentence,) = fastest(load())
    assert numbers_in(sentence) == [140.0, 150.0], why


def test_a_latency_in_another_precision_than_bf16_names_it(results: Path) -> None:
    time({"flux": 100.0}, results)
    time({"sd": 200.0}, results, dtype="float32")
    time({"qwen": 300.0}, results)
    (sentence,) = fastest(load())
    assert "takes 100 ms in bf16; Stable Diffusion's VAE takes 200 ms in fp32 and" in text_of(sentence)
    assert "takes 300 ms. Measured" in text_of(sentence)


def test_small_tokenizers_and_codecs_are_never_ranked(results: Path) -> None:
    time({"nano-f16x64": 0.1, "pca-f16x64": 0.1, "flux": 140.0}, results)
    (sentence,) = fastest(load())
    assert numbers_in(sentence) == [140.0]


def test_latencies_whose_intervals_overlap_share_the_first_place(results: Path) -> None:
    time({"flux": 100.0, "sd": 101.0, "sdxl": 150.0}, results)
    (sentence,) = fastest(load())
    first, _, rest = text_of(sentence).partition(";")
    assert "FLUX.1's VAE takes 100 ms" in first
    assert "Stable Diffusion's VAE takes 101 ms" in first
    assert "SDXL's VAE" in rest


def test_two_gpus_are_not_mixed(results: Path) -> None:
    time({"flux": 140.0, "sd": 150.0}, results)
    time({"350M-f16x64": 5.0}, results, gpu="Another", study="local")
    (sentence,) = fastest(load())
    assert numbers_in(sentence) == [140.0, 150.0]
