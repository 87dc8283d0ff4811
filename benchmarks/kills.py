"""Kill an evaluation at random moments, again and again, and count what was lost.

``python benchmarks/kills.py [KILLS]`` forks a process that evaluates 60 images, kills it with signal 9 at a random
moment, and starts it again, until it was killed so often; then it lets the work end and compares with a run that
nothing disturbed. It prints how many images were lost (beyond the one in flight), measured twice, and how many files
were damaged, and one JSON line.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.store import read_record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer

IMAGES = 60
SIDE = 48
TOKENIZER = "pca-f16x64"
METRICS = ("psnr", "ssim", "bpp", "fd-random")


def make_images(folder: Path, count: int, side: int = SIDE) -> Path:
    """Noise of differing smoothness."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (2 + index % side, side, 3), np.uint8))
        coarse.resize((side, side)).save(folder / f"{index:04d}.png")
    return folder


def measure_in_child(images: Path, results: Path, tokenizer: Tokenizer, reports: int) -> int:
    """Fork a process that evaluates and writes a line into ``reports`` after each image; its process id."""
    child = os.fork()
    if child:
        return child
    os.environ["VITOK_RESULTS"] = str(results)

    def report(done: int, _: int) -> None:
        os.write(reports, f"{done}\n".encode())

    try:
        evaluate(tokenizer, images=images, resolution=SIDE, metrics=METRICS, progress=report, workers=1)
    finally:
        os._exit(0)


def kill_again_and_again(images: Path, results: Path, kills: int, seed: int = 0) -> dict[str, int]:
    """Kill ``kills`` times, then let the work end; what was lost, measured twice, or damaged on the way."""
    tokenizer = load_tokenizer(TOKENIZER)
    rng = random.Random(seed)
    counts = {"kills": 0, "lost": 0, "damaged": 0, "ended_early": 0}
    reported = 0
    while True:
        reading, writing = os.pipe()
        child = measure_in_child(images, results, tokenizer, writing)
        os.close(writing)
        if counts["kills"] < kills:
            time.sleep(rng.uniform(0.02, 0.25))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as stream:
            lines = [line for line in stream.read().splitlines() if line]
        if lines:
            # The first report is what the journal held: all that an earlier process had reported must be there.
            counts["lost"] += max(0, reported - int(lines[0]))
            reported = max(reported, int(lines[-1]))
        counts["damaged"] += _damaged(results)
        if not os.WIFSIGNALED(status):
            if counts["kills"] >= kills:
                return counts
            counts["ended_early"] += 1
            for path in results.rglob("*.*"):
                path.unlink()
            reported = 0
        else:
            counts["kills"] += 1


def _damaged(results: Path) -> int:
    """Records that cannot be read, and temporary files that are taken for records."""
    damaged = 0
    for path in results.rglob("*.json"):
        try:
            read_record(path)
        except ValueError:
            damaged += 1
    return damaged


def outcome_of(results: Path) -> tuple[dict[str, object], bytes]:
    """The record without its times, and the bytes of its per-image values."""
    (path,) = results.rglob("*.json")
    return read_record(path).model_dump(exclude={"provenance"}), path.with_suffix(".parquet").read_bytes()


def duplicated(results: Path) -> int:
    """Images that the per-image table holds more than once."""
    import pandas as pd

    (path,) = results.rglob("*.parquet")
    return int(pd.read_parquet(path)["image"].duplicated().sum())


def main() -> None:
    torch.set_num_threads(1)
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        os.environ["VITOK_CACHE"] = str(root / "cache")
        images = make_images(root / "images", IMAGES)
        counts = kill_again_and_again(images, root / "killed", kills)
        kill_again_and_again(images, root / "whole", 0)
        counts["duplicated"] = duplicated(root / "killed")
        counts["different"] = int(outcome_of(root / "killed") != outcome_of(root / "whole"))
    for name, count in counts.items():
        print(f"{name:12} {count}")
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
