"""PSNR and SSIM in tiles against torchmetrics on whole images, and with MS-SSIM: time, memory and difference.

``python benchmarks/ssim.py [--quick] [--device cuda]`` measures a pair of 2048² both ways and a pair of 8192² in tiles,
each in a process of its own (Linux: the peak of its resident memory above what it held before the metric). It prints a
table, and one JSON line last. ``--quick`` takes 512² and 2048². Both ways take ``OMP_NUM_THREADS`` threads; on a
machine that is shared the seconds of its processor tell more than those of the clock. On a GPU the images lie in its
memory, time is the median of ten calls by CUDA events, memory is the peak of what torch allocates above the images,
and the values of the largest pair are held against those of the CPU. Where the seconds of the processor are those of
the clock, Python and the launches bound, and not the GPU.
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

from vitok_lib.measure.speed.timer import Clock, median
from vitok_lib.metrics.pixel import image_metrics

WAYS = {"tiles": ("psnr", "ssim"), "with ms-ssim": ("psnr", "ssim", "ms-ssim"), "torchmetrics": ("psnr", "ssim")}
GIB = 2**30
CALLS = 10  # timed on a GPU; on a CPU a call takes seconds, and one is timed


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


def measure(way: str, side: int, device: str) -> dict[str, float]:
    """In a fresh process: seconds, peak memory above the images and the libraries, and values."""
    original, reconstruction = (image.to(device) for image in images(side))
    small = original[:, :256, :256].clone(), reconstruction[:, :256, :256].clone()
    function = by_torchmetrics if way == "torchmetrics" else image_metrics(WAYS[way], device)
    function(*small)  # what libraries allocate once is not the metric's
    if device == "cpu":
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from what is held now
        before = _memory("VmRSS")
    else:
        function(original, reconstruction)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    clock, calls, on_processor = Clock(device), 1 if device == "cpu" else CALLS, time.process_time()
    timed = [clock.time(lambda: function(original, reconstruction)) for _ in range(calls)]
    on_processor = time.process_time() - on_processor
    peak = _memory("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated()
    return {
        "seconds": median([milliseconds for _, milliseconds in timed]) / 1e3,
        "processor_seconds": on_processor / calls,
        "extra_gib": (peak - before) / GIB,
        **timed[-1][0],
    }


def _memory(field: str) -> int:
    """Bytes of resident memory: VmRSS now, VmHWM at the most."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def in_a_process(way: str, side: int, device: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--side", str(side), "--device", device]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller images, some seconds")
    parser.add_argument("--device", default="cpu", help="such as cpu or cuda")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    device = options.device
    if device != "cpu" and not torch.cuda.is_available():
        parser.error(f"--device {device}: torch finds no CUDA GPU; leave it out to measure on the CPU")
    if options.way:
        print(json.dumps(measure(options.way, options.side, device)))
        return
    side, large = (512, 2048) if options.quick else (2048, 8192)
    asked = [("torchmetrics", side, device), ("tiles", side, device), ("tiles", large, device)]
    asked += [("with ms-ssim", large, on) for on in dict.fromkeys((device, "cpu"))]
    rows = {each: in_a_process(*each) for each in asked}
    costs = f"{'seconds':>8} {'processor':>10} {'extra GiB':>10}"
    print(f"{'':14} {'side':>6} {'device':>6} {costs} {'PSNR':>9} {'SSIM':>10} {'MS-SSIM':>10}")
    for (way, size, on), row in rows.items():
        values = f"{row['psnr']:9.4f} {row['ssim']:10.7f} {row.get('ms-ssim', math.nan):10.7f}"
        costs = f"{row['seconds']:8.4f} {row['processor_seconds']:10.4f} {row['extra_gib']:10.3f}"
        print(f"{way:14} {size:6} {on:>6} {costs} {values}")
    ours, theirs = rows["tiles", side, device], rows["torchmetrics", side, device]
    whole, on_cpu = (rows["with ms-ssim", large, on] for on in (device, "cpu"))
    summary = {
        "device": device,
        "threads": torch.get_num_threads(),
        "ratio": theirs["seconds"] / ours["seconds"],
        "processor_ratio": theirs["processor_seconds"] / ours["processor_seconds"],
        "ssim_difference": abs(ours["ssim"] - theirs["ssim"]),
        "psnr_difference": abs(ours["psnr"] - theirs["psnr"]),
        "large": {"side": large, **whole},
        "largest_difference_to_cpu": max(abs(whole[name] - on_cpu[name]) for name in WAYS["with ms-ssim"]),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
