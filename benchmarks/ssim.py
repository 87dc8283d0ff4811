"""PSNR and SSIM in tiles against torchmetrics on whole images, and with MS-SSIM: time, memory and difference.

``python benchmarks/ssim.py [--quick]`` measures a pair of 2048² both ways and a pair of 8192² in tiles, each in a
process of its own (Linux: the peak of its resident memory above what it held before the metric). It prints a table,
and one JSON line last. ``--quick`` takes 512² and 2048². Both ways take ``OMP_NUM_THREADS`` threads; on a machine that
is shared the seconds of its processor tell more than those of the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from vitok_lib.metrics.pixel import image_metrics

WAYS = {"tiles": ("psnr", "ssim"), "with ms-ssim": ("psnr", "ssim", "ms-ssim"), "torchmetrics": ("psnr", "ssim")}
GIB = 2**30


def images(side: int) -> tuple[Tensor, Tensor]:
    """A drawn image with noise, and the same with its lowest three bits cut off."""
    positions = torch.arange(side)
    waves = ((positions[:, None] / 37).sin() + (positions / 23).cos()) * 50 + 128
    noise = torch.randint(0, 32, (3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    original = noise + waves.to(torch.uint8)
    return original, original // 8 * 8


def by_torchmetrics(original: Tensor, reconstruction: Tensor) -> dict[str, float]:
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    x, y = (image[None].float() / 255 for image in (reconstruction, original))
    similarity = structural_similarity_index_measure(x, y, data_range=1.0)
    assert isinstance(similarity, Tensor)
    return {"psnr": float(peak_signal_noise_ratio(x, y, data_range=1.0)), "ssim": float(similarity)}


def measure(way: str, side: int) -> dict[str, float]:
    """In a fresh process: seconds, peak memory above the images and the libraries, and values."""
    original, reconstruction = images(side)
    small = original[:, :256, :256].clone(), reconstruction[:, :256, :256].clone()
    function = by_torchmetrics if way == "torchmetrics" else image_metrics(WAYS[way], "cpu")
    function(*small)  # what libraries allocate once is not the metric's
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
    before = _memory("VmRSS")
    started, on_processor = time.perf_counter(), time.process_time()
    values = function(original, reconstruction)
    return {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - on_processor,
        "extra_gib": (_memory("VmHWM") - before) / GIB,
        **values,
    }


def _memory(field: str) -> int:
    """Bytes of resident memory: VmRSS now, VmHWM at the most."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def in_a_process(way: str, side: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--side", str(side)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller images, some seconds")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.side)))
        return
    side, large = (512, 2048) if options.quick else (2048, 8192)
    rows = {
        (way, size): in_a_process(way, size)
        for way, size in (("torchmetrics", side), ("tiles", side), ("tiles", large), ("with ms-ssim", large))
    }
    costs = f"{'seconds':>8} {'processor':>10} {'extra GiB':>10}"
    print(f"{'':14} {'side':>6} {costs} {'PSNR':>9} {'SSIM':>10} {'MS-SSIM':>10}")
    for (way, size), row in rows.items():
        values = f"{row['psnr']:9.4f} {row['ssim']:10.7f} {row.get('ms-ssim', math.nan):10.7f}"
        costs = f"{row['seconds']:8.2f} {row['processor_seconds']:10.2f} {row['extra_gib']:10.3f}"
        print(f"{way:14} {size:6} {costs} {values}")
    ours, theirs = rows["tiles", side], rows["torchmetrics", side]
    summary = {
        "threads": torch.get_num_threads(),
        "ratio": theirs["seconds"] / ours["seconds"],
        "processor_ratio": theirs["processor_seconds"] / ours["processor_seconds"],
        "ssim_difference": abs(ours["ssim"] - theirs["ssim"]),
        "psnr_difference": abs(ours["psnr"] - theirs["psnr"]),
        "large": {"side": large, **rows["with ms-ssim", large]},
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
