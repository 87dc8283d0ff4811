"""Invented records of machines and of released weights, for tests of verdicts and of the audit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes.records import measured_record, write_measured
from vitok_lib.metrics.signature import METRICS
from vitok_lib.published.study import published_identity
from vitok_lib.records.schema import (
    Host,
    ImagesIdentity,
    Kind,
    Outcome,
    Provenance,
    Record,
    Settings,
    Value,
    Weights,
)
from vitok_lib.records.store import read_record, write_record

GPU = Host(cpu="test", cores=2, memory_gib=8.0, gpu="invented", platform="test", python="3.11")


def machine_record(
    name: str,
    benchmark: str,
    resolution: int,
    values: Mapping[str, float],
    *,
    outcome: Outcome | None = None,
    host: Host = GPU,
    settings: Mapping[str, Any] | None = None,
) -> Record:
    """A measurement of the architecture of a published tokenizer with random weights."""
    return Record(
        benchmark=benchmark,
        resolution=resolution,
        tokenizer=published_identity(name).model_copy(update={"weights": Weights(source="random:0")}),
        images=ImagesIdentity(name="noise", description="invented", count=1, rule="as drawn"),
        settings=Settings(
            **{"device": "cuda", "dtype": "bfloat16", "batch": 1, "preset": "reference", **(settings or {})}
        ),
        outcome=outcome or Outcome(),
        values=tuple(
            Value(quantity=quantity, value=value, unit="", kind=Kind.MEASURED, n=10)
            for quantity, value in values.items()
        ),
        provenance=Provenance(command="invented", started=datetime(2026, 1, 1, tzinfo=UTC), seconds=1.0, host=host),
    )


def write_machine(root: Path, record: Record, suffix: str = "", study: str = "h200") -> Path:
    """Write ``record`` where its benchmark belongs; ``suffix`` sets it apart from another of the same tokenizer."""
    stem = record.tokenizer.name + (f"@{suffix}" if suffix else "")
    path = root / study / f"{record.benchmark}-{record.resolution}" / f"{stem}.json"
    write_record(record, path)
    return path


def write_released(
    root: Path, name: str, case: str, samples: Mapping[str, list[float]], window: int | None = None, **options: Any
) -> Path:
    """A measurement of released weights, each quantity with a value a image."""
    settings = f"window={window}" if window is not None else ""
    path = write_measured(root, "h200", "5B-f16x64", case, samples, settings=settings, **options)
    made = read_record(path)
    stem = name + (f"@{settings}" if settings else "")
    target = path.with_name(f"{stem}.json")
    changed = made.model_copy(
        update={
            "tokenizer": published_identity(name).model_copy(update={"weights": Weights(source="released")}),
            "settings": Settings(device="cuda", window=window),
            "samples": f"{stem}.parquet" if made.samples else None,
        }
    )
    if made.samples:
        (path.parent / made.samples).rename(path.parent / f"{stem}.parquet")
    path.unlink()
    write_record(changed, target)
    return target


def signed_record(name: str, case: str, samples: Mapping[str, list[float]]) -> Record:
    """A measured record whose values carry the signatures of the catalogue, as the audit asks for."""
    record = measured_record(name, case, samples)
    values = [
        value.model_copy(update={"signature": METRICS[value.quantity].signature, "unit": METRICS[value.quantity].unit})
        for value in record.values
    ]
    return record.model_copy(update={"values": tuple(values)})
