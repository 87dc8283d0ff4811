"""A training that is killed goes on where it stood; a request that is wrong is refused in one sentence."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vitok_lib.train import __main__ as command
from vitok_lib.train import build, checkpoint
from vitok_lib.train.data import TrainingImages
from vitok_lib.train.loop import Training
from vitok_lib.train.recipe import CropPlan, Recipe

STEPS = 40
CROPS = (CropPlan(0.5, 2, 32), CropPlan(0.5, 1, 64))
TINY = {
    "tiny": Recipe("tiny", "vitok", "w32_d1_h2-w32_d1_h2/8x8", CROPS, 1e-3),
    "pca": Recipe("pca", "pca", "f8x8", (), 0.0),
}


def make_tiny(replace: Callable[[object, str, object], None]) -> None:
    """Two tiny recipes, noise to train on, and a checkpoint every few steps."""
    pixels = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    replace(TrainingImages, "load", lambda: TrainingImages([pixels], [pixels[:, ::-1]], ("noise",)))
    replace(command, "RECIPES", TINY)
    replace(checkpoint, "SECONDS", 0.03)
    replace(build, "PCA_PATCHES", 2048)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny(monkeypatch.setattr)


def run(out: Path, *options: str) -> int:
    fixed = ["--device", "cpu", "--threads", "1", "--out", str(out)]
    return command.main(["all", *(options or ("--steps", str(STEPS))), *fixed])


def run_until_killed(out: Path, at: int) -> None:
    """:func:`run`, ended before step ``at`` by a signal that cannot be caught."""
    make_tiny(setattr)
    advance = Training.advance

    def killing(training: Training, steps: int, report: Callable[[str], None]) -> None:
        if training.step == at:
            os.kill(os.getpid(), signal.SIGKILL)
        advance(training, steps, report)

    Training.advance = killing  # type: ignore[method-assign]
    run(out)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a :func:`run` that was killed at a random step."""
    out = tmp_path_factory.mktemp("killed")
    at = random.randrange(10, STEPS)
    code = f"from tests.train.test_resume import *; run_until_killed(Path({str(out)!r}), {at})"
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert torch.load(out / ".checkpoints" / "tiny.pt")["training"]["step"] <= at
    assert not (out / "tiny").exists()
    return out


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(killed: Path, tmp_path: Path) -> None:
    shutil.copytree(killed, tmp_path / "resumed")
    assert run(tmp_path / "resumed") == run(tmp_path / "whole") == 0
    for file in ("tiny/encoder.safetensors", "tiny/decoder.safetensors", "pca/pca.safetensors"):
        resumed, whole = load_file(tmp_path / "resumed" / file), load_file(tmp_path / "whole" / file)
        assert all(torch.equal(resumed[name], whole[name]) for name in whole), file
    assert not (tmp_path / "resumed" / ".checkpoints").exists()


def test_steps_that_a_time_budget_was_made_into_give_the_same_weights_again(tmp_path: Path) -> None:
    """Timing the steps leaves no trace; the command of the record says how many there were."""
    assert run(tmp_path / "timed", "--minutes", "0.02") == 0
    record = json.loads((tmp_path / "timed" / "tiny" / "training.json").read_text(encoding="utf-8"))
    assert record["steps"] > 0
    assert f"--steps {record['steps']} " in record["command"]
    assert run(tmp_path / "again", "--steps", str(record["steps"])) == 0
    again = json.loads((tmp_path / "again" / "tiny" / "training.json").read_text(encoding="utf-8"))
    assert again["sha256"] == record["sha256"]


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused_and_kept(
    killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(killed, tmp_path / "out")
    out, kept = tmp_path / "out", tmp_path / "out" / ".checkpoints" / "tiny.pt"
    before = kept.read_bytes()
    assert run(out, "--steps", "7") == 2
    assert f"steps {STEPS} there, 7 here" in capsys.readouterr().err
    monkeypatch.setattr("vitok_lib.train.checkpoint.FORMAT", 99)
    assert run(out) == 2
    assert "this version reads 99" in capsys.readouterr().err
    assert kept.read_bytes() == before
    kept.write_bytes(before[:1000])
    assert run(out) == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nano"], "no recipe 'nano'"),
        (["all", "tiny"], "no recipe 'all'"),
        (["tiny", "--minutes", "0"], "--minutes (=0)"),
        (["tiny", "--minutes", "nan"], "--minutes (=nan)"),
        (["tiny", "--steps", "0"], "--steps (=0)"),
        (["tiny", "--threads", "0"], "--threads (=0)"),
        (["tiny", "--device", "tpu"], "device 'tpu'"),
        (["tiny", "--out", "/dev/null/weights"], "'/dev/null/weights' cannot be written"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "WEIGHTS", tmp_path)
    out = [] if "--out" in options else ["--out", str(tmp_path)]
    assert command.main([*options, *out]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
