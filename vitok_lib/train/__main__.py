"""``python -m vitok_lib.train NAME --minutes M``: train a small tokenizer and keep its record."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from vitok_lib.images import photographs
from vitok_lib.train import data
from vitok_lib.train.build import build
from vitok_lib.train.recipe import RECIPES

RECORD = "training.json"
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vitok_lib.train", description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("--minutes", type=float, default=30.0, help="time budget of the training loop")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder that gets a folder NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = RECIPES[arguments.name]
    folder = arguments.out / recipe.name
    started = datetime.now(UTC)
    progress = build(recipe, folder, arguments.minutes, arguments.device, lambda line: print(line, flush=True))
    record = {
        "name": recipe.name,
        "family": recipe.family,
        "architecture": recipe.architecture,
        "command": f"python -m vitok_lib.train {shlex.join(sys.argv[1:])}",
        "seed": recipe.seed,
        "started": started.isoformat(timespec="seconds"),
        "steps": progress.steps,
        "seconds": round(progress.seconds, 1),
        "device": arguments.device,
        "threads": arguments.threads,
        "torch": torch.__version__,
        "scenes": len(data.SCENE_SIZES),
        "photographs": [photograph.name for photograph in photographs.training()],
        "loss_curve": progress.curve,
        "sha256": {file.name: _sha256(file) for file in sorted(folder.iterdir()) if file.name != RECORD},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
