"""The runner that studies of single images share: what a record holds where images fail, are left out, or fit not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.fakes.images import write_noise
from vitok_lib.errors import RequestError
from vitok_lib.measure.latents.rate import measure_rate
from vitok_lib.measure.studies.how_many import measure_how_many
from vitok_lib.measure.studies.image_study import ImageStudy, Quantity, Result, measure_images
from vitok_lib.measure.studies.variations import measure_variations
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, OutcomeStatus, Record, Value
from vitok_lib.records.store import iterate, results_root, slug
from vitok_lib.report.data.record_view import Entry
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load

GREYS = {"a.png": 10, "b.png": 20, "c.png": 60, "d.png": 200}
TINY = RunConfig(name="w32_d1_h2-w32_d1_h2/1x8x6", weights="random")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "greys"
    folder.mkdir()
    for name, grey in GREYS.items():
        Image.new("RGB", (16, 16), (grey, grey, grey)).save(folder / name)
    return folder


def _grey(tokenizer: Tokenizer, original: torch.Tensor, name: str) -> Result | None:
    grey = float(original.float().mean())
    if grey == 200:
        return None
    return {"grey": grey, "brightest": grey, "dark": grey if grey < 15 else float("nan")}


def _total(tokenizer: Tokenizer) -> tuple[Value, ...]:
    return (Value(quantity="seen", value=3, unit="", kind=Kind.MEASURED, n=3),)


def _study(measure=_grey) -> ImageStudy[Tokenizer]:  # type: ignore[no-untyped-def]
    return ImageStudy(
        function="measure_tiling",
        benchmark="greys",
        quantities={
            "grey": Quantity("levels", "grey|v1"),
            "brightest": Quantity("levels", "brightest|v1", over="maximum"),
            "dark": Quantity("levels", "dark|v1"),
        },
        load=load,
        tokenizer=lambda tokenizer: tokenizer,
        measure=measure,
        totals=_total,
    )


def _measured(images: Path, measure=_grey, **asked: Any) -> Record:  # type: ignore[no-untyped-def]
    return measure_images(_study(measure), TINY, images=images, resolution=16, **asked)


def test_means_maxima_and_totals_of_the_images_that_have_them(images: Path) -> None:
    record = _measured(images)
    values = {value.quantity: (value.value, value.n) for value in record.values}
    assert values == {"grey": (pytest.approx(30), 3), "brightest": (60, 3), "dark": (10, 1), "seen": (3, 3)}
    mean, largest = record.value("grey"), record.value("brightest")
    assert mean is not None
    assert largest is not None
    half = 4.302653 * np.std([10, 20, 60], ddof=1) / 3**0.5  # Student's t of two degrees of freedom
    assert mean.interval is not None
    assert mean.interval.high >= 30 + half * 0.99
    assert largest.interval is None
    assert (record.outcome.total, record.outcome.done, record.outcome.failed) == (4, 3, None)
    assert record.samples is not None
    table = pd.read_parquet(results_root() / "local" / "greys-16" / record.samples)
    assert dict(zip(table["image"], table["grey"], strict=True)) == {"a.png": 10, "b.png": 20, "c.png": 60}


def test_an_image_that_fails_is_named_and_the_others_go_on(images: Path) -> None:
    (images / "b.png").write_bytes(b"no image")

    def fails_once(tokenizer: Tokenizer, original: torch.Tensor, name: str) -> Result | None:
        if name == "a.png":
            raise ValueError("too grey")
        return _grey(tokenizer, original, name)

    record = _measured(images, fails_once)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert "a.png" in str(record.outcome.detail)
    assert "too grey" in str(record.outcome.detail)
    grey = record.value("grey")
    assert grey is not None
    assert (grey.value, grey.n) == (60, 1)


def test_out_of_memory_ends_the_run_and_keeps_what_there_is(images: Path) -> None:
    def fails(tokenizer: Tokenizer, original: torch.Tensor, name: str) -> Result | None:
        if name == "c.png":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return _grey(tokenizer, original, name)

    record = _measured(images, fails)
    assert record.outcome.status is OutcomeStatus.OOM
    assert (record.outcome.total, record.outcome.done) == (4, 2)
    assert record.outcome.memory is not None
    assert (record.outcome.memory.height, record.outcome.memory.requested_bytes) == (16, 2 * 2**30)
    grey = record.value("grey")
    assert grey is not None
    assert grey.value == pytest.approx(15)


def test_what_is_recorded_is_not_measured_again(images: Path) -> None:
    record = _measured(images)
    assert _measured(images, lambda *words: pytest.fail("measured again")) == record


def test_values_of_another_set_are_replaced_where_that_is_asked_for_alone(images: Path) -> None:
    record, other = _measured(images), images.rename(images.with_name("others"))
    with pytest.raises(RequestError, match=r"record of image set 'greys-\w+', which one of 'others-\w+' would replace"):
        _measured(other)
    ((_, kept),) = iterate()
    assert kept == record
    for asked in ({"study": "mine"}, {"again": True}):
        assert _measured(other, **asked).images.name.startswith("others-")


def test_a_choice_that_is_not_the_usual_one_is_in_the_records_name(images: Path) -> None:
    def measured(**chosen: Any) -> Record:
        asked = {"draws": 50, "counts": (4, 8)} | chosen
        study = replace(_study(), arguments={"extractor": "random", **asked}, usual={"draws": 50, "counts": (4, 8)})
        return measure_images(study, TINY, images=images, resolution=16)

    records = [measured(), measured(draws=9), measured(counts=(4, 6)), measured(counts=(46,))]
    assert [record.arguments for record in records] == [None, {"draws": "9"}, {"counts": "4,6"}, {"counts": "46"}]
    kept = {path.name: record for path, record in iterate()}
    assert len(kept) == len(records), "no choice replaced another's record"
    assert all(record in kept.values() for record in records)
    assert {f"{slug(TINY.name)}@weights=random0.json", f"{slug(TINY.name)}@weights=random0,draws=9.json"} <= set(kept)
    assert measured(draws=9, counts=(4, 8)) == records[1], "the usual ones may be spelt out"
    titles = {Entry("local", path, record).title for path, record in iterate()}
    assert len(titles) == len(records), "and none is shown under the name of another"


@pytest.mark.parametrize(
    ("measure", "name", "one", "other"),
    [
        (measure_how_many, "jpeg:q=75", {"counts": (3,), "draws": 2}, {"counts": (3,), "draws": 3}),
        (measure_how_many, "jpeg:q=75", {"counts": (3,), "draws": 2}, {"counts": (3,), "draws": 2, "draw_seed": 1}),
        (measure_rate, "jpeg", {"points": "q=5"}, {"points": "q=90"}),
        (measure_variations, "w32_d2_h2/1x8x6", *({"setting": "window", "choices": [text]} for text in ("1", "2d:1"))),
    ],
)
def test_another_choice_of_a_study_keeps_the_record_of_the_first(  # type: ignore[no-untyped-def]
    measure, name: str, one: dict[str, Any], other: dict[str, Any], tmp_path: Path
) -> None:
    write_noise(tmp_path / "images", [(24, 16)] * 6)
    config = RunConfig(name=name, weights="random" if measure is measure_variations else "released")
    first, second = (measure(config, images=tmp_path / "images", resolution=24, **asked) for asked in (one, other))
    kept = [record for _, record in iterate()]
    assert len(kept) == 2
    assert first in kept
    assert second in kept


def test_what_gave_no_values_of_another_set_is_replaced(images: Path) -> None:
    assert _measured(images, lambda tokenizer, original, name: None).values == ()
    assert _measured(images.rename(images.with_name("others"))).values
