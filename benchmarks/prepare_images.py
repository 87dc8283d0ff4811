"""How fast images of 8192 px are prepared, by one thread and by two, and how much faster they come from the cache.

``python benchmarks/prepare_images.py`` makes photograph-like PNG files in a temporary folder, each above 60 MB,
prepares them to 8192 px and to 1024 px, reads them from the cache, and prints a table and one JSON line. The ratio of
two workers to one is bounded by the cores that are free.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from vitok_lib.images import leaves
from vitok_lib.images.ahead import load_ahead
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet, open_image_set

SIDE = 8192
IMAGES = 4
ROUNDS = 3
RESOLUTIONS = (8192, 1024)


def make_images(folder: Path) -> Path:
    """Dead leaves drawn at a quarter of the size, enlarged, with the noise of a sensor."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(IMAGES):
        scene = Image.fromarray(leaves.render(index, SIDE // 4))
        pixels = np.array(scene.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.int16)
        pixels += rng.integers(-4, 5, pixels.shape, np.int16)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{index}.png", compress_level=1)
    return folder


def seconds_of(image_set: ImageSet, resolution: int, workers: int) -> float:
    """To load all images once, an image."""
    entries = image_set.manifest(resolution).entries
    began = time.perf_counter()
    for entry, loaded in load_ahead(image_set, entries, resolution, workers):
        if isinstance(loaded, ImageError) or max(loaded.shape) != resolution:
            raise SystemExit(f"{entry.name} was not prepared")
    return (time.perf_counter() - began) / len(entries)


def measure(image_set: ImageSet, resolution: int) -> dict[str, float]:
    """Medians of seconds an image; one and two workers take turns, so that a busy machine slows both."""
    os.environ["VITOK_CACHE_GIB"] = "0"
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for workers, seconds in times.items():
            seconds.append(seconds_of(image_set, resolution, workers))
    os.environ["VITOK_CACHE_GIB"] = "8"
    seconds_of(image_set, resolution, 1)
    cached = [seconds_of(image_set, resolution, 0) for _ in range(ROUNDS)]
    one, two, stored = (statistics.median(values) for values in (*times.values(), cached))
    return {
        "one_worker_s": round(one, 4),
        "two_workers_s": round(two, 4),
        "cache_s": round(stored, 4),
        "two_to_one": round(one / two, 2),
        "cache_to_one": round(one / stored, 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["VITOK_CACHE"] = str(Path(temporary) / "cache")
        folder = make_images(Path(temporary) / "images")
        size = min(path.stat().st_size for path in folder.iterdir()) / 1e6
        image_set = open_image_set(folder)
        results = {resolution: measure(image_set, resolution) for resolution in RESOLUTIONS}
    print(f"{IMAGES} PNG files of {SIDE} × {SIDE}, at least {size:.0f} MB each; seconds an image")
    print(f"{'px':>6} {'1 worker':>9} {'2 workers':>9} {'ratio':>6} {'cache':>8} {'ratio':>6}")
    for resolution, row in results.items():
        print(
            f"{resolution:6} {row['one_worker_s']:9.2f} {row['two_workers_s']:9.2f} {row['two_to_one']:5.2f}×"
            f" {row['cache_s']:8.4f} {row['cache_to_one']:5.0f}×"
        )
    print(json.dumps({"images": IMAGES, "png_mb": round(size), **{str(key): row for key, row in results.items()}}))


if __name__ == "__main__":
    main()
