"""Processes that are killed, and processes that measure the same at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.fakes.counting import counting_environment
from tests.fakes.tokenizers import Identity
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.runner import Run
from vitok_lib.project import ROOT
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import read_record, results_root

COUNT = 12


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for index in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(folder / f"{index:02d}.png")
    return folder


def test_two_processes_on_one_record_measure_each_image_once(images: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()", "eval", "counting:Counting"]
    command += ["--images", str(images), "--resolution", "32", "--json"]
    environment = counting_environment(tmp_path, tmp_path / "log")
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == COUNT
    files = sorted(path.name for path in results_root().rglob("*") if path.is_file())
    assert files == ["counting_Counting.json", "counting_Counting.parquet"]
    (table,) = results_root().rglob("*.parquet")
    assert list(pd.read_parquet(table)["image"]) == [f"{index:02d}.png" for index in range(COUNT)]


def test_two_writers_of_one_record_with_different_metrics_lose_neither(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = evaluate(Identity(), images=images, resolution=32, metrics=["psnr", "ssim"], study="alone")
    said: list[str] = []

    def meanwhile(*_: Any) -> None:
        """The other process begins and ends while the first one is at its images."""
        monkeypatch.setattr(Run, "finish", finish)
        evaluate(Identity(), images=images, resolution=32, metrics=["ssim"])

    finish = Run.finish
    monkeypatch.setattr(Run, "finish", lambda run: (meanwhile(), finish(run))[1])
    record = evaluate(Identity(), images=images, resolution=32, metrics=["psnr"], log=said.append)
    (path,) = (results_root() / "local").rglob("*.json")
    assert read_record(path) == record
    assert {value.quantity: value for value in record.values} == {value.quantity: value for value in alone.values}
    assert [sentence for sentence in said if "psnr" in sentence and "ssim" in sentence]
    columns = {"image", "sha256", "psnr", "ssim"}
    assert columns <= set(pd.read_parquet(path.with_suffix(".parquet")).columns)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.stem}.parquet"]


def test_shards_lose_nothing_of_a_record_with_other_metrics_that_came_meanwhile(images: Path) -> None:
    def shard(number: int) -> Record:
        return evaluate(Identity(), images=images, resolution=32, metrics=["psnr"], shard=f"{number}/2")

    shard(1)
    other = evaluate(Identity(), images=images, resolution=32, metrics=["ssim"])
    assert "shards 1/2" in (shard(2).outcome.detail or "")  # which is measured with both, since one record has both
    assert read_record(next(results_root().rglob("*.json"))) == other
    both = shard(1)
    assert {value.quantity for value in both.values} == {"psnr", "ssim"}
    assert both.value("ssim") == other.value("ssim")


@pytest.mark.parametrize("again", [False, True])
def test_a_run_that_does_not_end_well_leaves_a_complete_record_unless_it_measures_again(
    images: Path, again: bool
) -> None:
    complete = evaluate(Identity(), images=images, resolution=32, metrics=["psnr"])
    (path,) = results_root().rglob("*.json")
    asked: dict[str, Any] = {"images": images, "resolution": 32, "metrics": ["psnr", "ssim"]}
    ended = evaluate(Identity(), **asked, time_limit=1e-9, again=again)
    assert (ended.outcome.status, ended.outcome.done) == (OutcomeStatus.TIMEOUT, 1)
    assert read_record(path) == (ended if again else complete)
    whole = evaluate(Identity(), **asked)
    assert whole == read_record(path)
    assert whole.value("psnr") == complete.value("psnr")
    assert whole.value("ssim") is not None


def test_kills_at_random_moments_lose_nothing_and_change_nothing() -> None:
    benchmark = [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "12"]
    done = subprocess.run(benchmark, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["kills"] == 12
    assert (counts["lost"], counts["duplicated"], counts["damaged"], counts["different"]) == (0, 0, 0, 0)


def test_what_a_killed_process_left_half_written_is_cleared_away(images: Path) -> None:
    evaluate(Identity(), images=images, resolution=32)
    (record,) = results_root().rglob("*.json")
    files = sorted(path.name for path in record.parent.iterdir())
    (record.parent / f".{record.name}.abc.part").write_text("{")
    (record.parent / f".{record.stem}.parquet.abc.part").write_text("PAR1")
    record.unlink()
    evaluate(Identity(), images=images, resolution=32)
    assert sorted(path.name for path in record.parent.iterdir()) == files == [record.name, f"{record.stem}.parquet"]
    assert read_record(record).outcome.done == COUNT
