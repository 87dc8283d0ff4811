"""From files to a metric: which stages there are, over which images, and which of them bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.images import write_noise
from tests.fakes.tokenizers import Identity
from vitok_lib.errors import RequestError
from vitok_lib.images.drawn import DrawnSet
from vitok_lib.images.file_set import FileSet
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet, open_image_set
from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.speed import pipeline
from vitok_lib.measure.speed.pipeline import STAGES, Chain, ChainRequest, measure_chain
from vitok_lib.measure.speed.timer import Clock
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Kind

SIZES = [(16, 16), (16, 16), (16, 16), (16, 24), (16, 24)]


@dataclass(frozen=True)
class FixedClock(Clock):
    """Every call takes 6 ms."""

    device: str = "cpu"

    def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
        return call(), 6.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", SIZES, 1)


@pytest.fixture
def images(folder: Path) -> ImageSet:
    return open_image_set(folder)


def test_every_stage_is_timed_an_image_at_a_time(images: ImageSet) -> None:
    tokenizer = Identity()
    chain = measure_chain(tokenizer, ChainRequest(images), 64, count=4, batch=1, clock=FixedClock())
    assert chain.stages == dict.fromkeys(STAGES, 6.0)
    assert chain.images == 4
    assert chain.total > 0
    # One of each size to warm up, each image stage by stage, each image once more with loading ahead.
    assert [shape[3] for shape in tokenizer.shapes] == [16, 24] + 2 * [16, 16, 16, 24]


def test_images_of_one_size_go_together(images: ImageSet) -> None:
    tokenizer = Identity()
    chain = measure_chain(tokenizer, ChainRequest(images), 64, count=5, batch=2, clock=FixedClock())
    batches = [(2, 16), (1, 16), (2, 24)]
    assert [(shape[0], shape[3]) for shape in tokenizer.shapes] == 3 * batches
    assert chain.stages["decode"] == pytest.approx(3 * 6 / 5)  # the mean of five images in three batches, 6 ms each


def test_stages_add_up_over_images_of_different_sizes(images: ImageSet) -> None:
    tokenizer = Identity()

    class ByWidth(FixedClock):
        """A call takes a millisecond for each column of the image that was encoded last."""

        def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
            return call(), float(tokenizer.shapes[-1][3] if tokenizer.shapes else 0)

    chain = measure_chain(tokenizer, ChainRequest(images), 64, count=5, batch=1, clock=ByWidth())
    mean = (3 * 16 + 2 * 24) / 5  # a median would be 16
    assert chain.stages["encode"] == chain.stages["decode"] == pytest.approx(mean)
    assert chain.device == pytest.approx(2 * mean)


def test_images_lie_in_memory_as_random_ones_do(images: ImageSet) -> None:
    """Else a latency and the stages of the chain would time two layouts."""
    tokenizer = Identity()
    measure_chain(tokenizer, ChainRequest(images), 64, count=5, batch=2, clock=FixedClock())
    for (batch, _, height, width), strides in zip(tokenizer.shapes, tokenizer.strides, strict=True):
        assert strides == next(noise(batch, height, width, "cpu")).stride()


def test_images_come_past_the_cache(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    images.load("0.png", 64)  # keeps it
    before = {name: os.environ.get(name) for name in ("VITOK_CACHE", "VITOK_CACHE_GIB")}
    read: list[str] = []
    prepared = pipeline.load_ahead

    def spy(*arguments: Any) -> Any:
        read.append(os.environ["VITOK_CACHE"])
        assert os.environ["VITOK_CACHE_GIB"] == "0"
        return prepared(*arguments)

    monkeypatch.setattr(pipeline, "load_ahead", spy)
    measure_chain(Identity(), ChainRequest(images), 64, count=1, batch=1, clock=FixedClock())
    assert before["VITOK_CACHE"] not in read
    assert len(read) == 3
    assert {name: os.environ.get(name) for name in before} == before


def test_drawn_images_are_read_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else loading would time the drawing, which no evaluation of files does."""
    drawn = DrawnSet("sizes", "", ("a", "b", "c"), lambda name, side: np.full((side, side, 3), ord(name), np.uint8), ())
    read: list[tuple[object, int]] = []
    loaded = pipeline.load_ahead

    def spy(image_set: ImageSet, *arguments: Any) -> Any:
        for entry, pixels in loaded(image_set, *arguments):
            assert not isinstance(pixels, ImageError)
            read.append((type(image_set), int(pixels[15, 15, 0])))
            yield entry, pixels

    monkeypatch.setattr(pipeline, "load_ahead", spy)
    chain = measure_chain(Identity(), ChainRequest(drawn), 16, count=2, batch=1, clock=FixedClock())
    assert chain.images == 2
    assert read == 3 * [(FileSet, ord("a")), (FileSet, ord("b"))]
    assert ChainRequest(drawn).signature(1) != ChainRequest(FileSet("sizes", "", {})).signature(1)


def test_the_metrics_are_those_asked_for(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[dict[str, float]] = []
    compared = pipeline._Stages._compared

    def spy(*given: Any) -> list[dict[str, float]]:
        found.extend(compared(*given))
        return found[-1:]

    monkeypatch.setattr(pipeline._Stages, "_compared", spy)
    asked = ChainRequest(images, ("ms-ssim", "psnr"))
    measure_chain(Identity(), asked, 64, count=1, batch=1, clock=FixedClock())
    assert all(list(values) == ["ms-ssim", "psnr"] and values["psnr"] == 100 for values in found)
    assert "ms-ssim+psnr" in asked.signature(1)


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (("psnr", "sism"), "did you mean ssim"),
        (("bpp",), "'bpp' is no metric of single"),
        ((), "one or more"),
    ],
)
def test_metrics_that_no_single_image_has_are_refused(
    images: ImageSet, metrics: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        ChainRequest(images, metrics)


def test_an_image_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "0.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"0\.png"):
        measure_chain(Identity(), ChainRequest(open_image_set(folder)), 64, count=2, batch=1, clock=FixedClock())
    assert "VITOK_CACHE_GIB" not in os.environ


@pytest.mark.parametrize(
    ("load", "decode", "whole", "bound"),
    [
        (10.0, 100.0, 108.0, "the model"),
        (400.0, 100.0, 200.0, "preparation"),
        (200.0, 100.0, 108.0, "the model"),
        (10.0, 1.0, 9.0, "the model"),
        (200.0, 100.0, 208.0, "the model"),  # on a CPU, where the threads that prepare take cores from it
        (10.0, 100.0, 113.0 * 1.24, "the model"),
        (10.0, 100.0, 113.0 * 1.26, None),  # what the stages do not explain is nobody's
        (10.0, 100.0, 108.0 * 0.74, None),
        (400.0, 100.0, 110.0, None),
    ],
)
def test_what_bounds_explains_the_whole(load: float, decode: float, whole: float, bound: str | None) -> None:
    """Loading bounds only if all threads together are slower than the rest."""
    stages = {"load": load, "copy": 1.0, "encode": 5.0, "decode": decode, "metric": 2.0}
    assert Chain(stages, whole, images=3, workers=2).bound == bound


def test_metrics_that_take_longer_than_the_model_bound() -> None:
    stages = {"load": 10.0, "copy": 1.0, "encode": 5.0, "decode": 6.0, "metric": 12.0}
    assert Chain(stages, 25.0, images=3, workers=2).bound == "the metrics"


def test_a_chain_as_values() -> None:
    chain = Chain(dict.fromkeys(STAGES, 2.0), total=8.0, images=3, workers=2)
    values = {value.quantity: value for value in chain.values("over|photos")}
    assert values["end_to_end_latency"].value == 8
    assert values["end_to_end_throughput"].value == 125
    assert values["end_to_end_throughput"].kind is Kind.DERIVED
    assert {f"stage_{stage}" for stage in STAGES} < set(values)
    assert (values["device_latency"].value, values["device_latency"].kind) == (4, Kind.DERIVED)
    assert values["preparing_threads"].value == 2
    assert all((value.n, value.signature) == (3, "over|photos") for value in values.values())
    assert not METRICS.keys() & values.keys(), "times of random weights must not be read as quality"
