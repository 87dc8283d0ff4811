"""Invented records for tests of the report; they are written to temporary folders and never shown as results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vitok_lib.images.text_pages import GROUNDS
from vitok_lib.metrics.quantities import interval_over_images, method_of
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
from vitok_lib.records.store import slug, write_record
from vitok_lib.report.page import labels
from vitok_lib.tokenizers.codec_names import is_codec

TOKENIZERS = {
    "nano-f16x64": ("vitok", 16, 64, 28.0),
    "nano-f16x32": ("vitok", 16, 32, 26.0),
    "nano-f32x128": ("vitok", 32, 128, 25.5),
    "nano-f32x64": ("vitok", 32, 64, 24.0),
    "nano-kl-f8x16": ("kl", 8, 16, 29.0),
    "pca-f16x64": ("pca", 16, 64, 27.0),
}
"""What the book asks for: family, downsampling, channels of the latent, a PSNR to scatter around."""
CODECS = {"jpeg:q=75": 30.0, "webp:q=80": 31.0}
BASELINES = {"pca-f16x32": ("pca", 16, 32, 25.0), "pca-f32x64": ("pca", 32, 64, 24.0)}
RELEASED = {"5B-f16x64": ("vitok", 16, 64, 0.0), "flux": ("kl", 8, 16, 0.0)}
WALLPAPERS = ("wallpapers-1024", "wallpapers-2048", "wallpapers-4096")
CASES = (
    "photos-256",
    "photos-512",
    "leaves-256",
    "leaves-512",
    *WALLPAPERS,
    "challenge-384",
    "challenge-768",
    "challenge-1536",
)
HOST = Host(cpu="test", cores=2, memory_gib=8.0, platform="test", python="3.11", packages={"numpy": "2"})


def measured_record(
    name: str,
    case: str,
    samples: Mapping[str, Sequence[float]],
    *,
    distances: Mapping[str, Mapping[int, float]] | None = None,
    image_set: str | None = None,
    manifest: str = "0" * 64,
    signature: str = "v1",
    outcome: Outcome | None = None,
    file: str | None = None,
) -> Record:
    """A record whose means and intervals follow from ``samples``, a quantity each; the set is named as the case unless
    ``image_set`` says otherwise.

    ``distances`` holds values of the whole set by n; that of the largest n is the record's own.
    """
    benchmark, _, resolution = case.rpartition("-")
    values = [_mean(quantity, numbers, signature) for quantity, numbers in samples.items()]
    smaller = []
    for quantity, by_count in (distances or {}).items():
        *few, whole = [
            Value(quantity=quantity, value=value, unit="", kind=Kind.MEASURED, n=n, signature=f"{quantity}|{signature}")
            for n, value in sorted(by_count.items())
        ]
        values.append(whole)
        smaller += few
    counts = [value.n or 0 for value in values]
    return Record(
        benchmark=benchmark,
        resolution=int(resolution),
        tokenizer=_identity(name),
        images=ImagesIdentity(
            name=image_set or benchmark,
            description="invented",
            count=max(counts, default=0),
            manifest_sha256=manifest,
            rule="drawn",
        ),
        settings=Settings(device="cpu", dtype="float32", batch=1),
        outcome=outcome or Outcome(),
        values=tuple(values),
        smaller_n=tuple(smaller),
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


def _identity(name: str) -> TokenizerIdentity:
    if is_codec(name):
        return TokenizerIdentity(name=name, family="codec", weights=Weights(source="none"))
    family, downsampling, channels, _ = (TOKENIZERS | BASELINES | RELEASED)[name]
    return TokenizerIdentity(
        name=name,
        family=family,
        downsampling=downsampling,
        latent_channels=channels,
        compression_ratio=3 * downsampling**2 / channels,
        weights=Weights(source="shipped"),
    )


def _mean(quantity: str, numbers: Sequence[float], signature: str) -> Value:
    held = np.array(numbers, dtype=np.float64)
    held = held[~np.isnan(held)]
    ends = interval_over_images(quantity, held)
    return Value(
        quantity=quantity,
        value=float(held.mean()),
        unit={"psnr": "dB", "bpp": "bit/px"}.get(quantity.partition(":")[0], ""),
        kind=Kind.MEASURED,
        n=len(held),
        interval=Interval(low=ends[0], high=ends[1], method=f"{method_of(quantity)} over images") if ends else None,
        signature=f"{quantity}|rgb|u8|per-image-mean|{signature}",
    )


def write_measured(
    root: Path, study: str, name: str, case: str, samples: Mapping[str, Sequence[float]], **options: Any
) -> Path:
    """Write a record and its samples into ``root``; the record's path. ``settings`` names it after the ``@``.

    The images are named, or the first of one endless set, so that a record over fewer begins as one over more.
    """
    settings, images = options.pop("settings", ""), options.pop("images", None)
    stem = slug(name) + (f"@{settings}" if settings else "")
    path = root / study / case / f"{stem}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    counts = [len(numbers) for numbers in samples.values()]
    count = max(counts or [max(by_count) for by_count in options.get("distances", {}).values()], default=0)
    if count:
        images = images or [f"image-{index}" for index in range(count)]
        digests = [hashlib.sha256(image.encode()).hexdigest() for image in images]
        frame = pd.DataFrame({"image": images, "sha256": digests, **samples})
        frame.to_parquet(path.with_suffix(".parquet"), index=False)
    write_record(measured_record(name, case, samples, file=f"{stem}.parquet" if count else None, **options), path)
    return path


RATES = "rate-512"
CURVES = {"nano-f16x64": 1.0, "nano-f16x32": 0.5, "pca-f16x64": 1.25, "pca-f16x32": 0.5, "pca-f32x64": 0.25}
"""The tokenizers that the book shows at their true rate, with a factor of their rate to that of JPEG."""
POINTS = {"common=1": 0.25, "common=0.5": 0.5, "common=0.25": 1.0, "common=0.125": 2.0}
"""Quantisers and the rate of JPEG, in bits per pixel, at the same PSNR."""


def write_curve(root: Path, study: str, name: str, factor: float, count: int = 6, whole: float = 30.0) -> Path:
    """A record of a curve: 24 dB at half a bit per pixel times ``factor``, and 3 dB more with each doubling of it.

    SSIMULACRA 2 is 40 there, and 8 more with each doubling.
    """
    images = np.random.default_rng(3).normal(0, 1, count)
    points = {f"q={place}": rate for place, rate in enumerate(POINTS.values())} if is_codec(name) else POINTS
    samples: dict[str, list[float]] = {}
    for point, rate in points.items():
        samples[f"psnr:{point}"] = (24 + 6 * np.log2(2 * rate) / 2 + images).tolist()
        samples[f"ssimulacra2:{point}"] = (40 + 8 * np.log2(2 * rate) + images).tolist()
        samples[f"bpp:{point}"] = [factor * rate] * count
    if not is_codec(name):
        samples |= {"psnr:unquantised": (whole + images).tolist(), "bpp:unquantised": [4.0] * count}
        samples["ssimulacra2:unquantised"] = (2 * whole + images).tolist()
    return write_measured(root, study, name, RATES, samples)


def write_all(root: Path, study: str = "cpu", count: int = 6) -> None:
    """A record of every tokenizer in every case that the book asks for, and of two codecs."""
    for name, factor in (CURVES | {"jpeg": 1.0, "webp": 0.75}).items():
        write_curve(root, study, name, factor, count)
    for seed, case in enumerate(CASES):
        images = np.random.default_rng(seed).normal(0, 2.5, count)
        levels = {name: level for name, (_, _, _, level) in TOKENIZERS.items()} | CODECS
        for name, level in levels.items():
            noise = np.random.default_rng([seed, len(name), int(level * 10)]).normal(0, 0.4, count)
            psnr = level + images + noise
            ratio = _identity(name).compression_ratio
            rate = 48 / ratio if ratio else level / 20
            samples = {"psnr": psnr.tolist(), "ssim": (psnr / 40).tolist(), "bpp": [rate] * count}
            by_count = {count // 2: 60 / level, count: 30 / level}
            write_measured(root, study, name, case, samples, distances={"fd-random": by_count})
    write_text(root, study)


TEXT_RATES = {"nano-f16x64": 4.0, "jpeg:q=75": 3.0, "pca-f16x64": 4.0}


def write_text(root: Path, study: str = "cpu", names: Sequence[str] = tuple(TEXT_RATES)) -> None:
    """Records of text by height in both scripts, of two pages a ground with six lines a height, of which five count and
    of Chinese at the least height none: what is wrong halves with each height, from one of ``names`` to the next, and
    from a page to the other."""
    for place, name in enumerate(names):
        samples: dict[str, list[float]] = {"bpp": [TEXT_RATES[name]] * 6}
        for step, height in enumerate((6, 12, 24)):
            wrong = 0.8 * 0.5 ** (step + place)
            samples[f"ned_{height}"] = [wrong, wrong / 2] * 3
            samples[f"exact-match_{height}"] = [1 - wrong, 1.0] * 3
            samples |= {f"lines_{height}": [5.0] * 6, f"drawn_{height}": [6.0] * 6}
        pages = [f"{ground}-{page}" for ground in GROUNDS for page in range(2)]
        write_measured(root, study, name, "text-by-height-512", samples, images=pages, image_set="text")
        han = {quantity: numbers for quantity, numbers in samples.items() if quantity not in ("ned_6", "exact-match_6")}
        han["lines_6"] = [0.0] * 6
        write_measured(root, study, name, "text-by-height-han-512", han, images=pages, image_set="han")


def write_colours(root: Path, study: str = "cpu", names: Sequence[str] = ("nano-f16x64", "jpeg:q=75")) -> None:
    """Records of colour and the patch grid, of repeated passes, and of one set under both size rules."""
    rising = np.arange(6) / 10
    for place, name in enumerate(names, 1):
        seen = {"ssim": 1 - place / 100, "ssimulacra2": 90 - place}
        colours = dict.fromkeys(("ciede2000", "delta-l", "delta-a", "delta-b", "grid-error", "out-of-range"), place)
        once = {"psnr": 30 - place, "bpp": 4 / place}
        passes = {f"psnr_{count}": 30 - count for count in (1, 2, 4, 8)}
        passes |= {f"{colour}_{count}": count for colour in ("ciede2000", "delta-l") for count in (1, 8)}
        for case, levels in (
            ("wallpapers-512", colours | seen | once),
            ("wallpapers-centre-crop-512", once),
            ("drift-256", passes),
            (
                "padding-512",
                {"continued_psnr": 30 - place, "square_psnr": 29 - place} | dict.fromkeys(labels.PADDING_CHANGES, 0),
            ),
            ("how-many-random-256", {"fd-random:n=8": 1.0, "fd-random:n=16": 1.0 * place, "kid-random:n=8": 0.1}),
        ):
            write_measured(root, study, name, case, {each: (level + rising).tolist() for each, level in levels.items()})
