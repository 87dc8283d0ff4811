"""Windowed attention beside a dense mask: how much faster, and how its time and memory grow with the tokens.

``python benchmarks/window.py [--radius 1024]`` times the attention of a nano ViTok (3 heads of 64) with a window over
the tokens of 1024, 2048 and 4096 px at patch 16, and with a dense mask where that fits, each in a process of its own,
which also tells the peak of its memory. The mask is made before the clock starts, as a model makes it once for all of
its blocks. Then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch

from vitok_lib.tokenizers.vitok.attention import Masked, attention

SIDES = (1024, 2048, 4096)
PATCH, HEADS, HEAD_DIM = 16, 3, 64
DENSE_LIMIT = 40_000  # tokens whose mask and its copies still fit into 24 GiB
GOAL = 5.0


def rss_now() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def measure(kernel: str, tokens: int, radius: int) -> dict[str, float]:
    """In this process, which should have done nothing else."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 1, HEADS, tokens, HEAD_DIM, generator=generator)
    attend = Masked() if kernel == "mask" else partial(attention, windowed=kernel)
    attend(*(part[:, :, :1024] for part in (query, key, value)), 64)  # warm
    before = rss_now()
    if kernel == "mask":
        attend(query, key, value, radius)
    began = time.perf_counter()
    attend(query, key, value, radius)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    return {"seconds": seconds, "rise": peak - before}


def in_a_child(kernel: str, tokens: int, radius: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--radius", str(radius), "--only", kernel, str(tokens)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--radius", type=int, default=1024, help="of the window, in tokens")
    parser.add_argument("--only", nargs=2, metavar=("KERNEL", "TOKENS"), help="measure this here and print JSON")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only[0], int(arguments.only[1]), arguments.radius)))
        return
    counts = [(side // PATCH) ** 2 for side in SIDES]
    dense_count = max(count for count in (*counts, 2 * counts[1]) if count <= DENSE_LIMIT)
    results: dict[str, dict[str, float]] = {}
    print(f"{'kernel':<8}{'tokens':>8}{'seconds':>10}{'rise GiB':>10}")
    for kernel, tokens in [*(("bands", count) for count in (*counts, dense_count)), ("mask", dense_count)]:
        measured = results[f"{kernel} {tokens}"] = in_a_child(kernel, tokens, arguments.radius)
        print(f"{kernel:<8}{tokens:>8}{measured['seconds']:>10.2f}{measured['rise'] / 2**30:>10.2f}", flush=True)
    ratio = results[f"mask {dense_count}"]["seconds"] / results[f"bands {dense_count}"]["seconds"]
    print(f"at {dense_count} tokens the window is {ratio:.1f}× as fast as the mask (goal: {GOAL:g}×)")
    slopes = {}
    for quantity, unit, factor in (("rise", "bytes", 1.0), ("seconds", "µs", 1e6)):
        low, middle, high = (results[f"bands {count}"][quantity] * factor for count in counts)
        slopes[quantity] = [(middle - low) / (counts[1] - counts[0]), (high - middle) / (counts[2] - counts[1])]
        between = " and ".join(f"{slope:.4g}" for slope in slopes[quantity])
        print(f"a further token takes {between} {unit} in the lower and the upper part: equal, if growth is linear")
    print(json.dumps({"radius": arguments.radius, "ratio": ratio, "slopes": slopes, "results": results}))


if __name__ == "__main__":
    main()
