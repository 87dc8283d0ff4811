"""Invented records for tests of the report; they are written to temporary folders and never shown as results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitok_lib.metrics.statistics import bootstrap_mean
from vitok_lib.records.schema import (
    Host,
    ImagesIdentity,
    Interval,
    Kind,
    Outcome,
    OutcomeStatus,
    Provenance,
    Record,
    Settings,
    TokenizerIdentity,
    Value,
    Weights,
)
from vitok_lib.records.store import write_record

TOKENIZERS = {
    "nano-f16x64": ("vitok", 16, 64, 28.0),
    "nano-f16x32": ("vitok", 16, 32, 26.0),
    "nano-f32x128": ("vitok", 32, 128, 25.5),
    "nano-f32x64": ("vitok", 32, 64, 24.0),
    "nano-kl-f8x16": ("kl", 8, 16, 29.0),
    "nano-kl-f8x4": ("kl", 8, 4, 25.0),
    "pca-f16x64": ("pca", 16, 64, 27.0),
}
CASES = ("photos-256", "photos-512", "leaves-256", "leaves-512", "challenge-384", "challenge-768", "challenge-1536")
HOST = Host(cpu="test", cores=2, memory_gib=8.0, platform="test", python="3.11", packages={"numpy": "2"})


def measured_record(
    name: str,
    case: str,
    samples: Mapping[str, Sequence[float]],
    *,
    manifest: str = "0" * 64,
    signature: str = "v1",
    status: OutcomeStatus = OutcomeStatus.OK,
    file: str | None = None,
) -> Record:
    """A record whose means and intervals follow from ``samples``, a quantity each."""
    benchmark, _, resolution = case.rpartition("-")
    family, downsampling, channels, _ = TOKENIZERS[name]
    values = []
    for quantity, numbers in samples.items():
        low, high = bootstrap_mean(np.array(numbers, dtype=np.float64), resamples=200)
        values.append(
            Value(
                quantity=quantity,
                value=float(np.mean(numbers)),
                unit="dB" if quantity == "psnr" else "",
                kind=Kind.MEASURED,
                n=len(numbers),
                interval=Interval(low=low, high=high, method="percentile bootstrap over images, 200 resamples"),
                signature=f"{quantity}|rgb|u8|per-image-mean|{signature}",
            )
        )
    count = max((len(numbers) for numbers in samples.values()), default=0)
    return Record(
        benchmark=benchmark,
        resolution=int(resolution),
        tokenizer=TokenizerIdentity(
            name=name,
            family=family,
            downsampling=downsampling,
            latent_channels=channels,
            compression_ratio=3 * downsampling**2 / channels,
            weights=Weights(source="shipped"),
        ),
        images=ImagesIdentity(
            name=benchmark, description="invented", count=count, manifest_sha256=manifest, rule="rendered"
        ),
        settings=Settings(device="cpu", dtype="float32", batch=1),
        outcome=Outcome(status=status, detail=None if status == OutcomeStatus.OK else "out of memory on image 'a'"),
        values=tuple(values),
        samples=file,
        provenance=Provenance(
            commit="0123456789abcdef",
            dirty=False,
            command=f"vitok eval {name} --images {benchmark} --resolution {resolution}",
            started=datetime(2026, 1, 1, tzinfo=UTC),
            seconds=1.5,
            host=HOST,
        ),
    )


def write_measured(
    root: Path, study: str, name: str, case: str, samples: Mapping[str, Sequence[float]], **options: Any
) -> Path:
    """Write a record and its samples into ``root``; the record's path. ``settings`` names it after the ``@``."""
    settings = options.pop("settings", "")
    stem = f"{name}@{settings}" if settings else name
    path = root / study / case / f"{stem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    count = max((len(numbers) for numbers in samples.values()), default=0)
    if count:
        frame = pd.DataFrame({"image": [f"image-{index}" for index in range(count)], **samples})
        frame.to_parquet(path.with_suffix(".parquet"), index=False)
    write_record(measured_record(name, case, samples, file=f"{stem}.parquet" if count else None, **options), path)
    return path


def write_all(root: Path, study: str = "cpu", count: int = 6) -> None:
    """A record of every tokenizer in every case that the book asks for."""
    for seed, case in enumerate(CASES):
        images = np.random.default_rng(seed).normal(0, 2.5, count)
        for name, (_, _, _, level) in TOKENIZERS.items():
            noise = np.random.default_rng([seed, len(name), int(level * 10)]).normal(0, 0.4, count)
            psnr = level + images + noise
            write_measured(root, study, name, case, {"psnr": psnr.tolist(), "ssim": (psnr / 40).tolist()})
