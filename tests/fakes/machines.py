"""Invented measurements of speed and memory for tests of the report; they are never shown as results."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitok_lib.cost.fits import FITS, Predicted
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import (
    Host,
    ImagesIdentity,
    Interval,
    Kind,
    Outcome,
    Provenance,
    Record,
    Settings,
    TokenizerIdentity,
    Value,
    Weights,
)
from vitok_lib.records.store import read_record, record_path, write_record
from vitok_lib.report.page import labels
from vitok_lib.tokenizers.registry import describe

GPU = "Invented GPU"
CPU = "invented processor"
DERIVED = (
    *("throughput", "end_to_end_throughput", "speedup", "relative_time", "device_latency", "rate", "utilisation"),
    *("work", "work_linear", "work_attention", "predicted_peak", "predicted_largest"),
)
UNITS = {
    **{name: "ms" for name in labels.OTHERS if "latency" in name or name.startswith(("stage_", "time_"))},
    **dict.fromkeys(("peak_memory", "weights", "model_peak", "evaluation_peak", "predicted_peak"), "GiB"),
    **dict.fromkeys(("work", "work_linear", "work_attention", "counted_linear", "counted_attention"), "TFLOP"),
    **dict.fromkeys(("rate", "ceiling_matmul"), "TFLOP/s"),
    **dict.fromkeys(("untiled_psnr", "tiled_psnr", "tiling_change", "tiled_agreement"), "dB"),
    **dict.fromkeys(("largest_resolution", "predicted_largest"), "px"),
    "throughput": "img/s",
    "speedup": "×",
    "relative_time": "×",
    "utilisation": "%",
    "ceiling_copy": "GB/s",
    "compile_time": "s",
    "preparing_threads": "count",
    "clock": "MHz",
    **dict.fromkeys(("seam_error", "parts_slowdown"), "×"),
    **dict.fromkeys(("whole_time", "parts_time"), "ms"),
    **dict.fromkeys(("whole_peak", "parts_peak"), "GiB"),
}
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
"""What is given no other start is of one run."""
REPETITIONS = 20
MARGIN = 0.01
"""Half of an invented interval, as a share of its value."""


def write_peak_rates(
    machine: Host,
    matmul: float,
    copy: float,
    *,
    device: str = "cuda",
    dtype: str = "bfloat16",
    precision: str | None = None,
    started: datetime = STARTED,
) -> None:
    """Write a record of ``speed`` on ``machine`` with its peak rates alone, in TFLOP/s and GB/s."""
    measured = {"ceiling_matmul": matmul, "ceiling_copy": copy}
    record = Record(
        benchmark="speed",
        resolution=64,
        tokenizer=TokenizerIdentity(name="t", family="vitok", weights=Weights(source="random:0")),
        images=ImagesIdentity(name="noise", description="", rule=""),
        settings=Settings(device=device, dtype=dtype, precision=precision),
        outcome=Outcome(),
        values=tuple(
            Value(quantity=quantity, value=value, unit=UNITS[quantity], kind=Kind.MEASURED)
            for quantity, value in measured.items()
        ),
        provenance=Provenance(command="", started=started, seconds=1, host=machine),
    )
    which = f"{machine.gpu or machine.cpu},{started:%Y-%m-%d},{device},{dtype},{precision}"
    write_record(record, record_path("local", "speed", 64, "t", which))


def write_machine(
    root: Path,
    benchmark: str,
    resolution: int,
    name: str,
    values: Mapping[str, float],
    *,
    study: str = "h200",
    gpu: str | None = GPU,
    started: datetime = STARTED,
    weights: str = "released",
    outcome: Outcome | None = None,
    size: tuple[int, int] | None = None,
    margin: float = MARGIN,
    first: Path | None = None,
    choices: Mapping[str, str] | None = None,
    **settings: Any,
) -> Path:
    """Write a record of ``benchmark`` with the given ``values``, its raw samples beside it; the record's path.

    ``first`` is the record of the configuration that a speed-up is over; None: this one.
    """
    spec = describe(name)
    height, width = size or (resolution, resolution)
    told = [f"{key}={value}" for key, value in settings.items()] + ([f"size={height}x{width}"] if size else [])
    path = record_path(study, benchmark, resolution, name, ",".join(told).replace("/", "_"))
    assert str(path).startswith(str(root)), "the fixture 'results' points the library to its folder"
    record = Record(
        benchmark=benchmark,
        resolution=resolution,
        tokenizer=TokenizerIdentity(
            name=name,
            family=spec.family,
            variant=spec.variant,
            downsampling=spec.downsampling,
            latent_channels=spec.latent_channels,
            weights=Weights(source=weights),
        ),
        images=ImagesIdentity(
            name="noise",
            description="uniform random pixels from seed 0",
            count=settings.get("batch", 1),
            rule=f"{height}x{width} px as drawn",
        ),
        settings=Settings(**{"device": "cuda" if gpu else "cpu", **settings}),
        outcome=outcome or Outcome(),
        values=tuple(_value(quantity, value, margin, (first or path).stem) for quantity, value in values.items()),
        choices=dict(choices or {}),
        samples=f"{path.stem}.parquet",
        provenance=Provenance(
            commit="0123456789abcdef",
            dirty=False,
            command="vitok speed",
            started=started,
            seconds=1.5,
            host=Host(cpu=CPU, cores=2, memory_gib=8.0, gpu=gpu, platform="test", python="3.11"),
        ),
    )
    write_record(record, path)
    rounds(path, values.get("latency", 1.0), margin).to_parquet(path.parent / f"{path.stem}.parquet", index=False)
    return path


def write_fits(root: Path, resolution: int, name: str, predicted: Predicted, **settings: Any) -> Path:
    """Write a prediction in bf16 on a GPU; ``settings`` are those of the configuration."""
    config = RunConfig(name=name, device="cuda", dtype="bfloat16", **settings)
    path = write_machine(root, FITS, resolution, name, {}, study="derived", gpu=None, **config.options)
    derived = {"values": predicted.values(), "outcome": Outcome(kind=Kind.DERIVED), "requested": config}
    write_record(read_record(path).model_copy(update=derived), path)
    return path


def rounds(path: Path, latency: float, margin: float) -> pd.DataFrame:
    """Raw timings around ``latency``, most within ``margin`` of it, in an order of the record's own."""
    spread = np.linspace(-1.5, 1.5, REPETITIONS) * margin
    shuffled = np.random.default_rng(zlib.crc32(path.stem.encode())).permutation(spread)
    each = pd.DataFrame({"round": range(REPETITIONS), "stage": "encode", "milliseconds": latency / 2 * (1 + shuffled)})
    both = pd.concat([each, each.assign(stage="decode")], ignore_index=True)
    return both.assign(clock_mhz=np.nan)


def _value(quantity: str, value: float, margin: float, first: str) -> Value:
    timed = quantity in labels.TIMED and quantity != "throughput"
    compared = f"|to:{first}" if quantity == "speedup" else ""
    bounds = Interval(low=value * (1 - margin), high=value * (1 + margin), method="invented") if timed else None
    return Value(
        quantity=quantity,
        value=value,
        unit=UNITS.get(quantity, ""),
        kind=Kind.DERIVED if quantity in DERIVED else Kind.MEASURED,
        n=REPETITIONS if timed else None,
        interval=bounds,
        signature=f"{quantity}|invented{compared}|v1" if timed else None,
    )


def write_all_machines(root: Path) -> None:
    """A record of each benchmark of machines, on two machines, for pages that show all of them."""
    for study, gpu in (("h200", GPU), ("cpu", None)):
        _write_speeds(root, study, gpu)
        _write_memories(root, study, gpu)


def write_h100(root: Path) -> None:
    """A latency on an H100 from which a study's hours follow, and the invented seconds of a core for an image."""
    values = {"latency": 200.0, "utilisation": 50.0}
    gpu = "NVIDIA H100 80GB HBM3"
    write_machine(root, "speed", 1024, "5B-f16x64", values, study="h100", gpu=gpu, preset="reference", dtype="bfloat16")
    seconds = {f"prepare_{side}": 2.0 for side in (512, 1024, 2048, 4096, 8192)}
    seconds["codec_1024"] = 0.1
    write_machine(root, "preparation", 8192, "jpeg:bpp=1", seconds, study="cpu", gpu=None)


def _write_speeds(root: Path, study: str, gpu: str | None) -> None:
    ceilings = {"ceiling_matmul": 800.0, "ceiling_copy": 4000.0}
    for resolution, base in ((1024, 120.0), (2048, 600.0)):
        first: dict[str, Path] = {}
        for path, latency in (("reference", base), ("fast", base / 1.5)):
            values = {"latency": latency, "speedup": base / latency, "throughput": 1e3 / latency, "error": 1e-3}
            chain = {"end_to_end_latency": 2 * latency, "stage_load": 1.5 * latency, "stage_decode": latency}
            chain |= {"stage_encode": 0.0, "stage_copy": 0.0, "stage_metric": 0.1 * latency, "device_latency": latency}
            chain |= {"preparing_threads": 1.0}
            rates = {"rate": 400.0, "utilisation": 50.0, **ceilings}
            for benchmark in ("speed", "roofline"):
                everything = {**values, **chain, **rates}
                where = {"study": study, "gpu": gpu, "preset": path, "dtype": "bfloat16"}
                written = write_machine(
                    root, benchmark, resolution, "5B-f16x64", everything, first=first.get(benchmark), **where
                )
                first.setdefault(benchmark, written)
        for window, latency in ((1024, base), (64, base / 1.1)):
            for path, slower in (("reference", 1.0), ("dense", resolution / 1024)):
                values = {"latency": latency * slower, "speedup": base / (latency * slower)}
                where = {"study": study, "gpu": gpu, "preset": path, "window": window, "dtype": "bfloat16"}
                written = write_machine(
                    root, "sliding-window", resolution, "5B-f16x64", values, first=first.get("window"), **where
                )
                first.setdefault("window", written)
    for mode, latency, spent in ((None, 100.0, 0.0), ("default", 80.0, 30.0)):
        values = {"latency": latency, "compile_time": spent, "graphs": 2.0, "recompilations": 0.0}
        settings = {"compile": mode} if mode else {}
        write_machine(root, "compile-modes", 1024, "5B-f16x64", values, study=study, gpu=gpu, **settings)
    for precision in ("float32", "bfloat16"):
        values = {"latency": 100.0, "error": 1e-3, "error_last": 2e-3}
        write_machine(root, "precision", 1024, "5B-f16x64", values, study=study, gpu=gpu, dtype=precision)
    times = {"time_linear": 60.0, "time_attention": 30.0, "time_elementwise": 10.0}
    counts = {"work_linear": 40.0, "counted_linear": 40.4}
    write_machine(root, "profile", 1024, "5B-f16x64", {**times, **counts}, study=study, gpu=gpu)


def _write_memories(root: Path, study: str, gpu: str | None) -> None:
    for resolution, activations in ((1024, 2.0), (2048, 8.0)):
        for chunk, share in (({"chunk": 0}, 1.0), ({}, 0.5)):
            values = {"weights": 9.3, "model_peak": 9.3 + activations * share, "predicted_peak": 12.0}
            write_machine(root, "memory", resolution, "5B-f16x64", values, study=study, gpu=gpu, **chunk)
    write_machine(root, "memory", 4096, "flux", {"model_peak": 24.0}, study=study, gpu=gpu, attention="flash")
    for limit, largest in ((16, 1024), (80, 4096)):
        values = {"largest_resolution": float(largest), "predicted_largest": largest * 1.05}
        write_machine(root, "capacity", 16384, "flux", values, study=study, gpu=gpu, memory_limit_gib=float(limit))
    values = {"untiled_psnr": 30.0, "tiled_psnr": 29.5, "tiled_agreement": 35.0, "seam_error": 1.7}
    write_machine(root, "tiling", 2048, "flux", values, study=study, gpu=gpu)
    for overlap, slowdown in (("0", 1.25), ("128", 2.5)):
        costs = {"whole_time": 80.0, "parts_time": 80 * slowdown, "parts_slowdown": slowdown}
        costs |= {"tiling_change": -0.25, "whole_peak": 2.0, "parts_peak": 0.5}
        write_machine(root, "tiling", 1024, "5B-f16x64", costs, study=study, gpu=gpu, tile=f"512/{overlap}")


def at_commit(path: Path, commit: str) -> None:
    """Say of the record at ``path`` that it was measured at another commit."""
    record = read_record(path)
    assert record.provenance is not None
    provenance = record.provenance.model_copy(update={"commit": commit})
    write_record(record.model_copy(update={"provenance": provenance}), path)
