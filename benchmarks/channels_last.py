"""An AutoencoderKL on a CPU in the layouts that its pixels and its weights may have in memory.

``python benchmarks/channels_last.py [--model nano-kl-f8x16] [--resolution 512] [--dtype float32]`` encodes and decodes
in turn with all in channels-first layout, with the images and latents channels last, and with the weights channels
last too. It prints how many times as fast the second is as the first, and the third as the second: the median of the
rounds' ratios with its interval. ``half-sd`` is a model of random weights, of half the channels of the ``sd`` family.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import time

import torch
from torch import Tensor

from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.speed.timer import median
from vitok_lib.metrics.statistics import median_interval
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.diffusers_classes.adapters import Model, decode, diffusers_class, encode
from vitok_lib.tokenizers.load import load

HALF_SD = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [64, 128, 256, 256],
    "layers_per_block": 2,
    "latent_channels": 4,
}
PARTS = ("encode", "decode")
Layout = tuple[Model, torch.memory_format]


def model_of(name: str, dtype: str) -> Model:
    if name != "half-sd":
        return load(RunConfig(name=name, dtype=dtype)).model  # type: ignore[attr-defined]
    torch.manual_seed(0)
    model = diffusers_class("AutoencoderKL")(**HALF_SD).requires_grad_(False).eval()
    return model.to(getattr(torch, dtype))


def seconds_of(layout: Layout, images: Tensor, latent: Tensor) -> dict[str, float]:
    model, memory_format = layout
    pixels, values = (tensor.contiguous(memory_format=memory_format) for tensor in (images, latent))
    taken = {}
    for part, call in zip(PARTS, (lambda: encode(model, pixels), lambda: decode(model, values)), strict=True):
        began = time.perf_counter()
        call()
        taken[part] = time.perf_counter() - began
    return taken


def ratio(slow: list[float], fast: list[float]) -> tuple[float, float, float]:
    """How many times as fast, with the interval of the median; at least six rounds have one."""
    ratios = [before / after for before, after in zip(slow, fast, strict=True)]
    low, high = median_interval(ratios) or (0.0, float("inf"))
    return round(median(ratios), 3), round(low, 3), round(high, 3)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano-kl-f8x16", help="an AutoencoderKL, or half-sd")
    parser.add_argument("--resolution", type=int, default=512, help="side of the images in pixels")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    model = model_of(asked.model, asked.dtype)
    reordered = copy.deepcopy(model).to(memory_format=torch.channels_last)
    layouts: dict[str, Layout] = {
        "channels first": (model, torch.contiguous_format),
        "images channels last": (model, torch.channels_last),
        "weights channels last too": (reordered, torch.channels_last),
    }
    images = next(noise(1, asked.resolution, asked.resolution, "cpu")).to(model.dtype)
    latent = encode(model, images)  # and warm
    times: dict[str, dict[str, list[float]]] = {name: {part: [] for part in PARTS} for name in layouts}
    order = random.Random(0)
    for number in range(asked.rounds + 1):
        for name in order.sample(list(layouts), len(layouts)):
            taken = seconds_of(layouts[name], images, latent)
            for part in PARTS if number else ():
                times[name][part].append(taken[part])
    found = {}
    for part in PARTS:
        first, images_last, weights_last = (times[name][part] for name in layouts)
        found[part] = {"images": ratio(first, images_last), "weights": ratio(images_last, weights_last)}
        shown = ", ".join(f"{name} {1e3 * median(times[name][part]):.0f} ms" for name in layouts)
        gains = "; ".join(f"{what} {value}× [{low}, {high}]" for what, (value, low, high) in found[part].items())
        print(f"{asked.model} {asked.resolution} px {asked.dtype} {part}: {shown}; {gains}")
    print(json.dumps(vars(asked) | found))


if __name__ == "__main__":
    main()
