"""What a window or fewer blocks cost, against evaluations of each configuration by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.studies.variations import measure_variations
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.records.store import results_root

NAME, SIDE = "nano-f16x64", 96


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("originals")
    rng = np.random.default_rng(0)
    for index, (width, height) in enumerate([(96, 96), (96, 70), (80, 96)]):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def _per_image(record: Record, benchmark: str) -> pd.DataFrame:
    assert record.samples is not None
    return pd.read_parquet(results_root() / "local" / f"{benchmark}-{SIDE}" / record.samples)


@pytest.mark.parametrize(
    ("setting", "choices", "benchmark"),
    [("window", ["3", "2d:1"], "window-quality"), ("blocks", ["1/2", "0/0", "2/4"], "truncated-depth")],
)
def test_each_choice_is_that_configuration_by_itself(
    setting: str, choices: list[str], benchmark: str, images: Path
) -> None:
    record = measure_variations(RunConfig(name=NAME), setting=setting, choices=choices, images=images, resolution=SIDE)
    assert record.benchmark == benchmark
    table = _per_image(record, benchmark)
    whole = evaluate(NAME, images=images, resolution=SIDE, metrics=["psnr"]).value("psnr")
    for choice in choices:
        alone = evaluate(RunConfig(name=NAME, **{setting: choice}), images=images, resolution=SIDE, metrics=["psnr"])
        difference = record.value(f"difference@{setting}={choice}")
        assert difference is not None
        assert alone.value("psnr") is not None
        assert whole is not None
        assert difference.value == pytest.approx(alone.value("psnr").value - whole.value, abs=1e-9)  # type: ignore[union-attr]
        each = table[f"difference@{setting}={choice}"]
        assert difference.interval is not None
        if each.std() > 0:
            ends = stats.t.interval(0.95, len(each) - 1, each.mean(), stats.sem(each))
            assert (difference.interval.low, difference.interval.high) == pytest.approx(ends)


def test_all_blocks_make_no_difference(images: Path) -> None:
    asked: dict[str, Any] = {"setting": "blocks", "choices": ["2/4"], "images": images, "resolution": SIDE}
    difference = measure_variations(RunConfig(name=NAME), **asked).value("difference@blocks=2/4")
    assert difference is not None
    assert (difference.value, difference.n) == (0, 3)


def test_the_command_repeats_the_record_and_other_choices_do_not_answer(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images.parent)
    asked: dict[str, Any] = {"setting": "window", "images": f"./{images.name}", "resolution": SIDE}
    record = measure_variations(RunConfig(name=NAME), choices=["1", "2d:1"], **asked)
    assert record.provenance is not None
    repeated = parse(record.provenance.command)
    assert repeated.configs == (record.requested,)
    assert measure_variations(*repeated.configs, **repeated.request) == record
    other = measure_variations(RunConfig(name=NAME), choices=["2"], **asked)
    assert other.value("difference@window=2") is not None


@pytest.mark.parametrize(
    ("name", "options", "asked", "sentence"),
    [
        (NAME, {}, {"setting": "widow", "choices": ["1"]}, "unknown setting to vary 'widow'; did you mean window"),
        (NAME, {}, {"setting": "window", "choices": []}, "choices (=[]) must be one or more values of window"),
        (NAME, {}, {"setting": "blocks", "choices": ["1/1", "1/1"]}, "each once"),
        (NAME, {}, {"setting": "blocks", "choices": ["3/1"]}, "keeps 3 of the encoder"),
        (NAME, {}, {"setting": "window", "choices": ["wide"]}, "window (='wide') must be"),
        (NAME, {"window": 4}, {"setting": "window", "choices": ["3"]}, "window (=4) is what varies; leave it out"),
        (NAME, {"attention": "mask"}, {"setting": "window", "choices": ["3"]}, "attention (='mask') is 'bands' here"),
        ("jpeg:q=75", {}, {"setting": "window", "choices": ["3"]}, "'jpeg:q=75' is no ViTok: the setting window"),
        ("pca-f16x64", {}, {"setting": "blocks", "choices": ["1/1"]}, "'pca-f16x64' is no ViTok: the setting blocks"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    name: str, options: dict[str, Any], asked: dict[str, Any], sentence: str, images: Path
) -> None:
    with pytest.raises(RequestError) as refused:
        measure_variations(RunConfig(name=name, **options), images=images, resolution=SIDE, **asked)
    assert sentence in str(refused.value)
