"""The study ``published``: other people's figures as records.

``published.csv`` in this folder holds one figure a row, as its source prints it. A figure that the source measured
becomes a value of the evidence level ``published``; one that it marks as a guess becomes ``estimated``. ``place`` is
the table or section of the source that prints it, and ``at`` the line or section in its address.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from vitok_lib.errors import RequestError
from vitok_lib.published.sources import SOURCES
from vitok_lib.records.schema import (
    ImagesIdentity,
    Kind,
    Outcome,
    OutcomeStatus,
    Record,
    Settings,
    TokenizerIdentity,
    Value,
    Weights,
)
from vitok_lib.records.store import record_files, record_path, remove, write_record
from vitok_lib.tokenizers.vitok.variant import parse_variant

T = TypeVar("T")

PUBLISHED = "published"
STATUS = "status"

KINDS = {"measured": Kind.PUBLISHED, "reported": Kind.PUBLISHED, "estimated": Kind.ESTIMATED}
"""The source's own measurement is, to us, a published figure."""

QUANTITIES = {
    "psnr_db": ("psnr", "dB"),
    "ssim": ("ssim", ""),
    "fid": ("fid", ""),
    "fdd": ("fdd", ""),
    "throughput_img_per_s": ("throughput", "img/s"),
    "peak_memory_gb": ("peak_memory", "GB"),
    "latency_ms": ("latency", "ms"),
    "latency_ms_max_autotune": ("latency_max_autotune", "ms"),
    "decoder_pflop": ("decoder_work", "PFLOP"),
    "encoder_pflop": ("encoder_work", "PFLOP"),
}

IMAGES = {
    "div8k": (
        "DIV8K; the split is not named",
        "native aspect ratio, not cropped; how it was resized is not named",
    ),
    "coco-val2017-centre-crop": ("COCO val2017", "centre crop to a square"),
    "imagenet-1k-val": ("ImageNet-1K, validation set", "256p; how it was resized is not named"),
    "coco-2017-val": ("COCO 2017, validation set", "256p; how it was resized is not named"),
}

VITOK_SIDES = {"350M": "Ld4-Ld24", "5B": "Td4-T"}

VITOK_V1 = {"ViTok S-B/16": 129_000_000, "ViTok S-L/16": 426_800_000}
"""Parameters as the first paper prints them; its blocks are not those of a variant."""

AUTOENCODERS = {
    "flux": ("kl", 8, 16),
    "flux2": ("kl", 8, 32),
    "qwen": ("kl", 8, 16),
    "sd": ("kl", 8, 4),
    "sdxl": ("kl", 8, 4),
    "dc-ae-f32": ("dc-ae", 32, 32),
    "dc-ae-f64": ("dc-ae", 64, 128),
}
"""Family, pixels a side of one latent position, latent channels. FLUX.1 (``flux``) and FLUX.2 (``flux2``) differ."""

Row = dict[str, str]


def read_csv() -> list[Row]:
    """The figures, every field as text; an empty field is an empty string."""
    text = files("vitok_lib.published").joinpath("published.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def published_records() -> dict[Path, Record]:
    """The records by the path where each belongs, in the order of the CSV.

    Raises:
        RequestError: the CSV names a source, dataset, tokenizer, quantity or kind that is not known here.
    """
    groups: dict[tuple[str, ...], dict[str, list[Row]]] = {}
    for row in read_csv():
        key = tuple(row[field] for field in ("source", "dataset", "resolution", "tokenizer", "window"))
        groups.setdefault(key, {}).setdefault(row["samples"], []).append(row)
    found: dict[Path, Record] = {}
    for (source, dataset, resolution, name, window), by_samples in groups.items():
        for samples, rows in by_samples.items():
            settings = [source]
            settings += [f"window={window}"] if window else []
            # The window study gives the quality over some images and, apart from it, a latency over unknown ones.
            settings += [f"samples={samples}"] if samples and len(by_samples) > 1 else []
            path = record_path(PUBLISHED, dataset, int(resolution), name, ",".join(settings))
            found[path] = Record(
                benchmark=dataset,
                resolution=int(resolution),
                tokenizer=published_identity(name),
                images=_images(dataset, int(samples) if samples else None),
                settings=Settings(window=int(window) if window else None),
                outcome=_outcome(rows),
                values=tuple(_value(row) for row in rows if row["quantity"] != STATUS),
                source=_known("source", source, SOURCES),
            )
    return found


def write_published() -> list[Path]:
    """Write every record into the study ``published`` and delete the ones that the CSV no longer holds."""
    wanted = published_records()
    for path, record in wanted.items():
        write_record(record, path)
    remove([path for path in record_files() if path.parts[-3] == PUBLISHED and path not in wanted])
    return list(wanted)


def published_identity(name: str) -> TokenizerIdentity:
    """What follows from a published tokenizer's name; its weights are unknown."""
    weights = Weights(source="unknown")
    size, _, code = name.partition("-f")
    if size in VITOK_SIDES:
        variant = parse_variant(f"{VITOK_SIDES[size]}/1x{code}")
        return TokenizerIdentity(
            name=name,
            family="vitok",
            variant=variant.text,
            downsampling=variant.patch,
            latent_channels=variant.channels,
            parameters=variant.parameters,
            compression_ratio=variant.compression_ratio,
            weights=weights,
        )
    if name in VITOK_V1:
        patch = int(name.partition("/")[2])
        return TokenizerIdentity(
            name=name, family="vitok", downsampling=patch, parameters=VITOK_V1[name], weights=weights
        )
    family, downsampling, channels = _known("tokenizer", name, AUTOENCODERS)
    return TokenizerIdentity(
        name=name,
        family=family,
        downsampling=downsampling,
        latent_channels=channels,
        compression_ratio=3 * downsampling**2 / channels,
        weights=weights,
    )


def _images(dataset: str, count: int | None) -> ImagesIdentity:
    description, rule = _known("dataset", dataset, IMAGES)
    return ImagesIdentity(name=dataset, description=description, count=count, rule=rule)


def _outcome(rows: list[Row]) -> Outcome:
    reported = next((row for row in rows if row["quantity"] == STATUS), None)
    if reported is None:
        return Outcome(kind=Kind.PUBLISHED)
    status = OutcomeStatus(reported["value"])
    detail = f"reported by the source as {status}, in {reported['place']}"
    return Outcome(status=status, detail=detail, kind=Kind.PUBLISHED)


def _value(row: Row) -> Value:
    quantity, unit = _known("quantity", row["quantity"], QUANTITIES)
    return Value(
        quantity=quantity,
        value=float(row["value"]),
        unit=unit,
        kind=_known("kind", row["kind"], KINDS),
        n=int(row["samples"]) if row["samples"] else None,
        place=row["place"] or None,
        at=row["at"] or None,
    )


def _known(noun: str, name: str, table: dict[str, T]) -> T:
    if name not in table:
        raise RequestError(f"published.csv names {noun} '{name}', which is not known; known: {', '.join(table)}")
    return table[name]
