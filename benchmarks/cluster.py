"""What a Ray cluster of this machine costs and gains, what it holds in memory, and whether it loses images.

``python benchmarks/cluster.py speed``   seconds of no cluster, one worker and two on one compute-bound set, and what
                                         two processes that share nothing gain on this machine
``python benchmarks/cluster.py memory``  the most memory of all processes together, with 100 images and with 500
``python benchmarks/cluster.py shard``   seconds of a command that finds its shard done, and of its imports
``python benchmarks/cluster.py kills``   nodes of a cluster killed at random moments, with 1, 2 and 4 workers
Each prints one JSON line last. Processes have one thread each, so that a second worker has a core of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import numpy as np
import pandas as pd
from PIL import Image

from vitok_lib.images.photographs import PHOTOGRAPHS
from vitok_lib.measure.cluster.engine import Cluster
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.measure.quality.metric_suite import MetricSuite
from vitok_lib.measure.quality.request import DEFAULT_METRICS
from vitok_lib.metrics.signature import find_metric
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.tokenizers.load import load

METRICS = ["psnr", "ssim", "fd-random"]


@contextmanager
def results() -> Iterator[Path]:
    """A results folder and a cache of prepared images for one measurement."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VITOK_RESULTS"] = folder + "/results"
        os.environ["VITOK_CACHE"] = folder + "/cache"
        yield Path(folder)


def photographs(folder: Path, count: int, side: int) -> Path:
    """``count`` squares of ``side`` pixels cut from photographs, no two alike."""
    folder.mkdir()
    rng = random.Random(0)
    opened = [Image.open(photograph.file()).convert("RGB") for photograph in PHOTOGRAPHS]
    for index in range(count):
        image = opened[index % len(opened)]
        part = rng.randint(min(image.size) // 2, min(image.size))
        left, top = (rng.randint(0, size - part) for size in image.size)
        square = image.crop((left, top, left + part, top + part)).resize((side, side))
        square.save(folder / f"{index:04d}.png", compress_level=1)
    return folder


def table(folder: Path) -> pd.DataFrame:
    (path,) = folder.rglob("*.parquet")
    return pd.read_parquet(path)


def speed(images: int, side: int) -> dict[str, Any]:
    """Wall seconds of whole evaluations, and of their images from the first result on, in one process after another."""
    found: dict[str, Any] = {"images": images, "side": side}
    with tempfile.TemporaryDirectory() as folder:
        source = photographs(Path(folder) / "images", images, side)
        for name, cluster in (("none", None), ("one", Cluster(workers=1)), ("two", Cluster(workers=2))):
            with results():
                times: list[float] = []
                began = time.monotonic()
                options: dict[str, Any] = {} if cluster is None else {"cluster": cluster}
                evaluate(
                    "nano-f16x64",
                    images=source,
                    resolution=side,
                    progress=lambda done, total, times=times: times.append(time.monotonic()) if done else None,
                    **options,
                )
                found[name] = round(time.monotonic() - began, 2)
                print(f"{name}: {found[name]} s", file=sys.stderr, flush=True)
                found[f"{name}, per image"] = round((times[-1] - times[0]) / (images - 1), 4)
    found["one worker against none"] = round(found["one, per image"] / found["none, per image"], 3)
    found["two workers against one"] = round(found["one, per image"] / found["two, per image"], 3)
    found["two processes against one"] = round(of_two_processes(side), 3)
    found["one worker against none, with its start"] = round(found["one"] / found["none"], 3)
    return found


def measuring(side: int, seconds: float = 8.0) -> None:
    """Print how many images a second one process measures that does nothing else, once a line comes on stdin."""
    suite = MetricSuite(load(RunConfig(name="nano-f16x64")), [find_metric(name) for name in DEFAULT_METRICS])
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    suite.measure([pixels])
    print("ready", flush=True)
    sys.stdin.readline()
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        suite.measure([pixels])
        done += 1
    print(done / (time.monotonic() - began))


def of_two_processes(side: int) -> float:
    """How much more two processes measure at once than one does alone: no scheduler gets more out of the machine."""
    rates = []
    for count in (1, 2):
        words = [sys.executable, __file__, "measuring", "--side", str(side)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(words, **pipes) for _ in range(count)]
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        rates.append(sum(float(process.communicate()[0]) for process in processes))
    return rates[1] / rates[0]


def memory_of_tree() -> int:
    """Bytes of this process and all below it; what several share counts once."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
    below = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    total = 0
    for pid in below:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        except OSError:
            continue
        total += next((int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total


def peak(images: int, side: int) -> int:
    """The most memory of an evaluation by one worker, in this process, which has done nothing else."""
    rng = np.random.default_rng(0)
    with results() as folder:
        (folder / "images").mkdir()
        for index in range(images):
            pixels = np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "images" / f"{index:04d}.png", compress_level=1)
        most, done = 0, threading.Event()

        def watch() -> None:
            nonlocal most
            while not done.wait(0.5):
                most = max(most, memory_of_tree())

        os.environ["VITOK_CACHE_GIB"] = "0"
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            options: dict[str, Any] = {"metrics": ["psnr"], "cluster": Cluster(workers=1)}
            evaluate("jpeg:q=50", images=folder / "images", resolution=side, **options)
        finally:
            done.set()
            watcher.join()
    return most


def in_a_child(*words: str) -> str:
    done = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]


def memory(images: int, side: int) -> dict[str, Any]:
    few, many = (int(in_a_child("peak", "--images", str(count), "--side", str(side))) for count in (images, 5 * images))
    return {
        "images": images,
        "side": side,
        "GiB": [round(size / 2**30, 3) for size in (few, many)],
        "ratio": many / few,
    }


def shard(images: int, side: int) -> dict[str, Any]:
    with results() as folder:
        source = photographs(folder / "images", images, side)
        words = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()", "eval", "nano-f16x64"]
        words += ["--images", str(source), "--resolution", str(side), "--shard", "1/2"]
        seconds = []
        for _ in range(4):
            began = time.monotonic()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            seconds.append(round(time.monotonic() - began, 2))
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import torch"], check=True)
        return {"first": seconds[0], "done": seconds[1:], "of that import torch": round(time.monotonic() - began, 2)}


def kills(times: int, images: int, side: int) -> dict[str, Any]:
    """Nodes killed at random moments, each replaced, on clusters of 1, 2 and 4 workers."""
    import ray
    from ray.cluster_utils import Cluster as Nodes

    counts: dict[str, Any] = {"kills": 0, "runs": 0, "lost": 0, "doubled": 0, "different": 0}
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as temporary:
        source = photographs(Path(temporary) / "images", images, side)
        with results() as folder:
            single = evaluate("nano-f16x64", images=source, resolution=side, metrics=METRICS)
            alone = table(folder)
        for index, workers in enumerate((1, 2, 4)):
            nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
            for _ in range(workers):
                nodes.add_node(num_cpus=1)
            own = times // 3 + (index < times % 3)
            moments = sorted(rng.sample(range(1, images), own))

            def on_progress(done: int, total: int, nodes: Any = nodes, moments: list[int] = moments) -> None:
                if moments and done >= moments[0]:
                    moments.pop(0)
                    time.sleep(rng.uniform(0, 0.3))
                    nodes.remove_node(rng.choice(list(nodes.worker_nodes)), allow_graceful=False)
                    counts["kills"] += 1
                    nodes.add_node(num_cpus=1)

            with results() as folder:
                options: dict[str, Any] = {"cluster": Cluster(nodes.address, workers=workers), "progress": on_progress}
                record = evaluate("nano-f16x64", images=source, resolution=side, metrics=METRICS, **options)
                _compare(counts, record, single, table(folder), alone)
            ray.shutdown()
            nodes.shutdown()
    return counts


def _compare(counts: dict[str, Any], record: Record, single: Record, found: pd.DataFrame, alone: pd.DataFrame) -> None:
    counts["runs"] += 1
    counts["lost"] += len(set(alone["image"]) - set(found["image"]))
    counts["doubled"] += int(found["image"].duplicated().sum())
    pairs = zip(record.values, single.values, strict=True)
    near = all(abs(value.value - other.value) <= 1e-9 * max(1, abs(other.value)) for value, other in pairs)
    counts["different"] += int(not (near and found.equals(alone) and record.outcome == single.outcome))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "measuring", "memory", "peak", "shard", "kills"])
    parser.add_argument("--images", type=int)
    parser.add_argument("--side", type=int, help="pixels")
    parser.add_argument("--times", type=int, default=10, help="nodes to kill")
    given = parser.parse_args()
    images, side = {
        "speed": (200, 256),
        "measuring": (0, 256),
        "memory": (100, 2048),
        "peak": (100, 2048),
        "shard": (8, 256),
        "kills": (60, 256),
    }[given.what]
    images, side = given.images or images, given.side or side
    if given.what == "measuring":
        measuring(side)
        return
    if given.what == "peak":
        print(peak(images, side))
        return
    measure = {"speed": speed, "memory": memory, "shard": shard}.get(given.what)
    found = kills(given.times, images, side) if measure is None else measure(images, side)
    for name, value in found.items():
        print(f"{name:42} {value}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
