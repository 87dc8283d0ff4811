"""``python -m vitok_lib.train NAME…|all``: train small tokenizers and keep the record of each.

A run that was killed goes on from its checkpoints when its command is repeated.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from vitok_lib.digest import sha256_of
from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.load import check_device
from vitok_lib.train import checkpoint
from vitok_lib.train.build import build
from vitok_lib.train.data import TrainingImages
from vitok_lib.train.loop import Training
from vitok_lib.train.recipe import RECIPES, Recipe

RECORD = "training.json"
CHECKPOINTS = ".checkpoints"
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


def main(arguments: list[str] | None = None) -> int:
    """Train what the command line asks for; 0, or 2 for a request that is wrong."""
    try:
        train(_parser().parse_args(arguments))
    except RequestError as error:
        print(f"vitok_lib.train: {error.line}", file=sys.stderr)
        return 2
    return 0


def train(options: argparse.Namespace) -> None:
    """Train each tokenizer that ``options`` name and write its weights and record.

    Raises:
        RequestError: an option is wrong, the photographs are missing, or a checkpoint belongs to another run.
    """
    begun = time.monotonic()
    _check(options)
    recipes = [RECIPES[name] for name in (sorted(RECIPES) if options.names == ["all"] else options.names)]
    torch.set_num_threads(options.threads)
    images = TrainingImages.load()
    paths = {recipe.name: options.out / CHECKPOINTS / f"{recipe.name}.pt" for recipe in recipes}
    left, budget = sum(bool(recipe.crops) for recipe in recipes), 60 * options.minutes
    for recipe in recipes:
        started = datetime.now(UTC)
        built = build(recipe, images, options.device)
        if training := built.training:
            run, path = _run(recipe, images, options), paths[recipe.name]
            steps = checkpoint.resume(path, run, training)
            if steps is None:
                share = (budget - (time.monotonic() - begun)) / left
                steps = options.steps or max(1, int(share / training.seconds_per_step()))
                checkpoint.save(path, run, steps, training)
            else:
                budget -= training.seconds
            _print(f"{recipe.name}: step {training.step} of {steps}")
            checkpoint.finish(training, steps, path, run, _print)
            left -= 1
        folder = options.out / recipe.name
        folder.mkdir(exist_ok=True)
        built.save(folder)
        _write_record(folder, recipe, images, options, training, started)
    for path in paths.values():
        path.unlink(missing_ok=True)
    if not any((options.out / CHECKPOINTS).iterdir()):
        (options.out / CHECKPOINTS).rmdir()


def _run(recipe: Recipe, images: TrainingImages, options: argparse.Namespace) -> dict[str, Any]:
    """What makes two runs one: equal values give equal weights."""
    return {
        "recipe": repr(recipe),
        "minutes": options.minutes,
        "steps": options.steps,
        "device": options.device,
        "threads": options.threads,
        "torch": str(torch.__version__),
        "training images": images.sha256[:12],
    }


def _write_record(
    folder: Path,
    recipe: Recipe,
    images: TrainingImages,
    options: argparse.Namespace,
    training: Training | None,
    started: datetime,
) -> None:
    """Write what made the weights in ``folder``; its command, which names the steps, makes them again."""
    steps = f" --steps {training.step}" if training else ""
    command = f"python -m vitok_lib.train {recipe.name}{steps} --device {options.device} --threads {options.threads}"
    record = {
        "name": recipe.name,
        "family": recipe.family,
        "architecture": recipe.architecture,
        "command": command,
        "seed": recipe.seed,
        "started": started.isoformat(timespec="seconds"),
        "steps": training.step if training else 0,
        "seconds": round(training.seconds, 1) if training else 0.0,
        "device": options.device,
        "threads": options.threads,
        "torch": str(torch.__version__),
        "scenes": len(images.scenes),
        "photographs": list(images.names),
        "loss_curve": training.curve if training else [],
        "sha256": {file.name: sha256_of(file) for file in sorted(folder.iterdir()) if file.name != RECORD},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vitok_lib.train", description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"all, or some of {', '.join(sorted(RECIPES))}")
    parser.add_argument("--minutes", type=float, default=30.0, help="for all of it; made into steps by timing a few")
    parser.add_argument("--steps", type=int, help="of each tokenizer, in place of --minutes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder that gets a folder NAME")
    return parser


def _check(options: argparse.Namespace) -> None:
    unknown = sorted(set(options.names) - set(RECIPES)) if options.names != ["all"] else []
    if unknown:
        raise RequestError(
            f"no recipe '{unknown[0]}'; there are {', '.join(sorted(RECIPES))}, or all alone", code="unknown-name"
        )
    if not 0 < options.minutes < math.inf:
        raise RequestError(f"--minutes (={options.minutes:g}) must be above 0")
    if options.steps is not None and options.steps < 1:
        raise RequestError(f"--steps (={options.steps}) must be at least 1")
    if options.threads < 1:
        raise RequestError(f"--threads (={options.threads}) must be at least 1")
    check_device(options.device)
    try:
        (options.out / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=options.out):
            pass
    except OSError as error:
        raise RequestError(
            f"--out folder '{options.out}' cannot be written ({error.strerror}); name another", code="cannot-write"
        ) from error


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
