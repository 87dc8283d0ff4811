"""Checkpoints: a training that was killed goes on where it stood, and ends with the same weights.

A file holds the state of the training and the ``run`` it belongs to: recipe, time budget, device, threads, training
images and version of torch. A checkpoint of another run is refused, since its end would be neither run's.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vitok_lib.errors import RequestError, error_text
from vitok_lib.records.store import atomic
from vitok_lib.train.loop import Training

FORMAT = 1
SECONDS = 60.0
"""Between two checkpoints."""


def save(path: Path, run: dict[str, Any], steps: int, training: Training) -> None:
    """Write the state of ``training``, which is to take ``steps``, whole or not at all."""
    with atomic(path) as temporary:
        torch.save({"format": FORMAT, "run": run, "steps": steps, "training": training.state()}, temporary)


def finish(training: Training, steps: int, path: Path, run: dict[str, Any], log: Callable[[str], None]) -> None:
    """Take the remaining of ``steps``, keeping a checkpoint now and then and at the end."""
    kept = time.monotonic()
    while training.step < steps:
        training.advance(steps, log)
        if training.step == steps or time.monotonic() - kept >= SECONDS:
            save(path, run, steps, training)
            kept = time.monotonic()


def resume(path: Path, run: dict[str, Any], training: Training) -> int | None:
    """Put ``training`` where the checkpoint at ``path`` left it; its number of steps, or None if there is no file.

    Raises:
        RequestError: the file is damaged, or belongs to another run than ``run``.
    """
    if not path.exists():
        return None
    way_out = "delete it to begin anew"
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        its_format, its_run, steps = kept["format"], kept["run"], int(kept["steps"])
    except (OSError, EOFError, RuntimeError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise RequestError(f"checkpoint '{path}' cannot be read ({error_text(error)}); {way_out}") from error
    if its_format != FORMAT:
        raise RequestError(f"checkpoint '{path}' has format {its_format}, this version reads {FORMAT}; {way_out}")
    differing = [
        f"{key} {its_run.get(key)} there, {value} here" for key, value in run.items() if its_run.get(key) != value
    ]
    if differing:
        raise RequestError(
            f"checkpoint '{path}' is of another run ({'; '.join(differing)}); repeat its command, or {way_out}"
        )
    training.restore(kept["training"])
    return steps
