"""The depth grid: equal FLOPs by hand, no training is done twice, and a wrong grid is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitok_lib.measure.common.reproduce import parse
from vitok_lib.project import ROOT
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.records.store import read_record, read_records, read_samples, results_root
from vitok_lib.train import build, cell, grid
from vitok_lib.train.cell import architecture, flops_of_a_step, steps_within
from vitok_lib.train.data import TrainingImages
from vitok_lib.train.loop import Training
from vitok_lib.train.recipe import CropPlan

STEPS, SEEDS, SIDE = 4, 3, 48
NAME = architecture("1/2")
CONFIG = RunConfig(name=NAME)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two images to judge on; noise to train on, two crops of 32 px a step, and a checkpoint after each."""
    pixels = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    monkeypatch.setattr(grid, "_images", lambda: TrainingImages([pixels], [pixels[:, ::-1]], ("noise",)))
    monkeypatch.setattr(cell, "CROPS", CropPlan(1.0, 2, 32))
    monkeypatch.setattr(build, "PCA_PATCHES", 1024)
    monkeypatch.setattr("vitok_lib.train.checkpoint.SECONDS", 0.0)
    folder = tmp_path / "originals"
    folder.mkdir()
    for index in range(2):
        Image.fromarray(pixels[index : index + 40, :SIDE]).save(folder / f"{index}.png")
    return folder


def measure(images: Path, steps: int = STEPS) -> Record:
    flops = steps * flops_of_a_step(NAME)
    return grid.measure_depth(CONFIG, seeds=SEEDS, flops=flops, images=images, resolution=SIDE)


@pytest.mark.parametrize(("blocks", "depths"), [("2/2", 4), ("2/4", 6), ("4/2", 6), ("2/8", 10)])
def test_each_cell_takes_as_many_steps_as_its_flops_leave_it(blocks: str, depths: int) -> None:
    """By hand: patches of 8, 192 pixel values, 16 channels, width 64, hidden 176; 4 crops of 128 px, 256 tokens."""
    tokens, width, hidden = 4 * 256, 64, 176
    of_a_block = tokens * (4 * width**2 + 3 * width * hidden) + 2 * 4 * 256**2 * width
    ends = 2 * tokens * width * (192 + 16)
    step = 3 * 2 * (depths * of_a_block + ends)
    assert flops_of_a_step(architecture(blocks)) == step
    assert steps_within(architecture(blocks), 1e13) == round(1e13 / step)


def test_an_interrupted_grid_ends_as_one_that_was_not_and_trains_nothing_twice(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance, steps = Training.advance, 0

    def counting(training: Training, of: int, report: Callable[[str], None]) -> None:
        nonlocal steps
        if steps == stop:
            raise KeyboardInterrupt
        steps += 1
        advance(training, of, report)

    monkeypatch.setattr(Training, "advance", counting)
    stop = STEPS + 2  # in the second of three trainings
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "killed"))
    with pytest.raises(KeyboardInterrupt):
        measure(images)
    stop = -1
    resumed = measure(images)
    assert steps == SEEDS * STEPS, "no step is taken twice"
    assert measure(images) == resumed
    assert steps == SEEDS * STEPS, "what is recorded is not trained"
    assert not any((results_root() / "local" / ".training").iterdir())
    _holds_each_seed_and_each_image(resumed)
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "whole"))
    whole = measure(images)
    assert steps == 2 * SEEDS * STEPS
    assert whole.tokenizer.weights == resumed.tokenizer.weights
    assert len(set(whole.tokenizer.weights.files.values())) == 2 * SEEDS, "each seed has weights of its own"


def _holds_each_seed_and_each_image(record: Record) -> None:
    values = {value.quantity: value for value in record.values}
    (path,) = results_root().glob(f"local/{grid.BENCHMARK}-{SIDE}/*seeds={SEEDS}*.json")
    table = read_samples(path, record)
    assert len(table) == 2
    for seed in range(SEEDS):
        assert values[f"psnr@seed={seed}"].value == pytest.approx(table[f"psnr@seed={seed}"].mean())
        assert values[f"psnr_at_start@seed={seed}"].value == pytest.approx(table[f"psnr_at_start@seed={seed}"].mean())
        assert values[f"training_seconds@seed={seed}"].value >= 0
    assert values["training_steps"].value == STEPS
    tera = STEPS * flops_of_a_step(NAME) / 1e12
    assert values["training_flops"].value == values["training_budget"].value == tera
    assert record.provenance is not None
    again = parse(record.provenance.command)
    assert (again.what, again.configs) == ("measure_depth", (CONFIG,))
    assert (again.request["seeds"], again.request["flops"]) == (SEEDS, STEPS * flops_of_a_step(NAME))


def test_another_budget_leaves_the_record_of_the_first(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITOK_RESULTS", str(tmp_path / "results"))
    first, second = measure(images, steps=1), measure(images, steps=2)
    assert measure(images, steps=1) == first
    held = read_records("local", benchmark=grid.BENCHMARK)
    assert sorted(held, key=lambda record: record.value("training_steps").value) == [first, second]


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob(f"results/cpu/{grid.BENCHMARK}-*/*.json")), ids=lambda path: path.stem
)
def test_the_grid_of_the_book_is_the_usual_one(path: Path) -> None:
    record = read_record(path)
    assert record.provenance is not None
    request = parse(record.provenance.command).request
    assert {name: request[name] for name in grid.USUAL} == grid.USUAL
    assert record.arguments is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["2x4", "--flops", "1e13"], "blocks (='2x4')"),
        (["0/4", "--flops", "1e13"], "cell '0/4' has a side without blocks"),
        (["2/4", "--flops", "1e3"], "a budget of 1000 FLOPs"),
        (["2/4", "--flops", "nan"], "a budget of nan FLOPs"),
        (["2/4", "--flops", "1e13", "--seeds", "2"], "seeds (=2)"),
        (["2/4", "--flops", "1e13", "--threads", "0"], "threads (=0)"),
        (["2/4", "--flops", "1e13", "--device", "tpu"], "device 'tpu'"),
        (["2/4", "--flops", "1e13", "--study", "published"], "study 'published'"),
    ],
)
def test_a_wrong_grid_is_refused_in_one_sentence(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grid.main(options) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
