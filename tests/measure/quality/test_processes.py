"""Processes that are killed, and processes that measure the same at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.fakes.counting import counting_environment
from tests.fakes.tokenizers import Identity
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.project import ROOT
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
