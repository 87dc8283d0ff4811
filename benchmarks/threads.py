"""How many threads an evaluation on a CPU should have: those that prepare images against those of torch.

``python benchmarks/threads.py [TOKENIZER] [--images wallpapers] [--resolution 512]`` takes the first images past the
cache through encode, decode, PSNR and SSIM, with each choice in turn, and prints seconds an image and how many times
as fast the default (two that prepare, torch on every core) is as the others: the median of the rounds' ratios with its
interval.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from contextlib import closing

import torch

from vitok_lib.images.ahead import load_ahead
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import open_image_set
from vitok_lib.measure.quality.metric_suite import MetricSuite
from vitok_lib.measure.quality.request import DEFAULT_METRICS
from vitok_lib.measure.speed.timer import median
from vitok_lib.metrics.signature import find_metric
from vitok_lib.metrics.statistics import median_interval
from vitok_lib.records.config import RunConfig
from vitok_lib.records.provenance import cores
from vitok_lib.tokenizers.load import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", nargs="?", default="nano-f16x64")
    parser.add_argument("--images", default="wallpapers")
    parser.add_argument("--resolution", type=int, default=512)
    parser.add_argument("--count", type=int, default=4, help="images in a round")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    os.environ["VITOK_CACHE_GIB"] = "0"
    image_set, every = open_image_set(asked.images), cores()
    entries = image_set.manifest(asked.resolution, asked.count).entries
    tokenizer = load(RunConfig(name=asked.tokenizer))
    suite = MetricSuite(tokenizer, [find_metric(name) for name in DEFAULT_METRICS])

    def seconds_of(preparing: int, threads: int) -> float:
        torch.set_num_threads(threads)
        began = time.perf_counter()
        with closing(load_ahead(image_set, entries, asked.resolution, preparing)) as loaded:
            for entry, pixels in loaded:
                if isinstance(pixels, ImageError):
                    raise SystemExit(str(pixels))
                suite.measure([pixels], [entry.name])
        return (time.perf_counter() - began) / len(entries)

    default = (2, every)
    times: dict[tuple[int, int], list[float]] = {choice: [] for choice in (default, (1, every), (0, every), (2, 1))}
    order = random.Random(0)
    for number in range(asked.rounds + 1):
        for choice in order.sample(list(times), len(times)):
            taken = seconds_of(*choice)
            if number:  # the first is to warm
                times[choice].append(taken)
    found = {}
    for (preparing, threads), taken in times.items():
        ratios = [other / own for other, own in zip(taken, times[default], strict=True)]
        low, high = median_interval(ratios) or (0.0, float("inf"))
        found[f"{preparing}+{threads}"] = [round(value, 3) for value in (median(taken), median(ratios), low, high)]
        print(
            f"{preparing} prepare, torch on {threads}: {median(taken):.3f} s an image; "
            f"the default is {median(ratios):.2f}× as fast [{low:.2f}, {high:.2f}]"
        )
    print(json.dumps(vars(asked) | found))


if __name__ == "__main__":
    main()
