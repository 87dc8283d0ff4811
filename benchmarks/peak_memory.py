"""The most memory that evaluating one large image takes on a CPU, beside what was predicted.

``python benchmarks/peak_memory.py [--resolution 8192]`` evaluates a drawn square image, PSNR and SSIM included, with
each small tokenizer in a process of its own, and prints the peak of that process, how far it rose above the loaded and
warm tokenizer, and what ``vitok plan`` predicts for that rise; then one JSON line. Without a window the attention of
an f16 model would take an hour at 8192 px.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.measure.quality.evaluate import reconstruct_pixels
from vitok_lib.measure.quality.metric_suite import Pixels
from vitok_lib.metrics.pixel import psnr
from vitok_lib.metrics.structure import ssim
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.load import load_tokenizer

WINDOWS: dict[str, int | None] = {"nano-f16x64": 1024, "nano-f32x64": None, "pca-f16x64": None}
WARM_UP = 256  # pixels a side
GOAL = 4 * 2**30
_CHECKER = 16  # pixels a side of one colour


def draw(side: int) -> Pixels:
    """Squares of random colours."""
    colours = np.random.default_rng(0).integers(0, 256, (-(-side // _CHECKER),) * 2 + (3,), np.uint8)
    return colours.repeat(_CHECKER, 0)[:side].repeat(_CHECKER, 1)[:, :side]


def rss_now() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def measure(name: str, resolution: int) -> dict[str, float]:
    """In this process, which should have done nothing else."""
    tokenizer = load_tokenizer(name, window=WINDOWS[name])
    reconstruct_pixels(tokenizer, draw(WARM_UP))
    before, began = rss_now(), time.perf_counter()
    pixels = draw(resolution)
    reconstruction = reconstruct_pixels(tokenizer, pixels)
    pair = [torch.from_numpy(image).permute(2, 0, 1) for image in (pixels, reconstruction)]
    values = {"psnr": psnr(*pair), "ssim": ssim(*pair)}
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    return {"peak": peak, "rise": peak - before, "seconds": seconds, **values}


def in_a_child(name: str, resolution: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--resolution", str(resolution), "--only", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=8192, help="pixels a side")
    parser.add_argument("--only", choices=WINDOWS, help="measure this tokenizer in this process and print JSON")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only, arguments.resolution)))
        return
    results = {}
    print(f"{'tokenizer':<14}{'window':>8}{'peak GiB':>10}{'rise GiB':>10}{'predicted':>11}{'ratio':>7}{'seconds':>9}")
    for name, window in WINDOWS.items():
        measured = in_a_child(name, arguments.resolution)
        plan = plan_of(RunConfig(name=name, window=window), arguments.resolution)
        assert plan.total_bytes is not None
        assert plan.weight_bytes is not None
        measured["predicted"] = plan.total_bytes - plan.weight_bytes
        results[name] = measured
        sizes = "".join(f"{measured[key] / 2**30:>{width}.2f}" for key, width in (("peak", 10), ("rise", 10)))
        ratio = measured["predicted"] / measured["rise"]
        print(
            f"{name:<14}{window or 'full':>8}{sizes}{measured['predicted'] / 2**30:>11.2f}{ratio:>7.2f}"
            f"{measured['seconds']:>9.0f}",
            flush=True,
        )
    within = all(measured["peak"] <= GOAL for measured in results.values())
    print(f"every peak is within {GOAL / 2**30:g} GiB: {'yes' if within else 'no'}")
    print(json.dumps({"resolution": arguments.resolution, "threads": torch.get_num_threads(), "results": results}))


if __name__ == "__main__":
    main()
