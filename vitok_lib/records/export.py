"""What leaves this project from its records: rows with their protocol, in tables that hold one protocol each.

Measured and derived values alone are exported, never a published one. A row is one metric of one tokenizer; it carries
everything that must be equal before another row's number may stand next to it. :mod:`vitok_lib.records.export_files`
writes tables as files and reads them back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.schema import Kind, OutcomeStatus, Record, Value
from vitok_lib.records.store import iterate, read_samples

EVIDENCE = (Kind.MEASURED, Kind.DERIVED)
PER_IMAGE_MEAN = "per-image-mean"
"""The part of a signature that says that a value is the mean of the values of single images."""
_ROUNDING = 1e-9
_DIGITS_OF_MANIFEST = 12


@dataclass(frozen=True)
class Row:
    """One value: as the record holds it, and the distribution over single images where the record keeps them.

    ``n`` counts what the value rests on: images of a metric, rounds of a time; None where nothing is averaged.
    ``mean``, ``p5``, ``median`` and ``p95`` are None without single values. ``images`` names the set, its count and
    the beginning of its manifest, ``size`` the rule by which images got their size. ``machine`` is empty where a
    value does not depend on it. ``case`` is benchmark and resolution, ``date`` the day of the run (ISO 8601).
    """

    tokenizer: str
    metric: str
    unit: str
    evidence: str
    value: float
    mean: float | None
    p5: float | None
    median: float | None
    p95: float | None
    n: int | None
    images: str
    size: str
    signature: str
    machine: str
    case: str
    date: str


Table = list[Row]
"""Rows of one protocol: one set of images, one size rule, one machine; of each metric one n and one signature."""


@dataclass(frozen=True)
class Export:
    """The tables, and a sentence for each record that fits the request and has no value to export."""

    tables: list[Table]
    left_out: list[str]


def export(
    tokenizers: Sequence[str] = (),
    *,
    study: str | None = None,
    images: Sequence[str] = (),
    resolutions: Sequence[int] = (),
) -> Export:
    """The own records that fit, of one study or of all; of two studies with the same record, that of precedence.

    A cost of another machine is another record.

    Args:
        tokenizers: names, or names with settings such as ``nano-f16x64@window=64``; none: all.
        images: names of image sets or of benchmarks; none: all.
        resolutions: in pixels; none: all.

    Raises:
        RequestError: a tokenizer is in no record, nothing fits, a record or its single values cannot be read, or the
            two do not agree.
    """
    own: dict[tuple[str, str, str], tuple[Path, Record]] = {}
    for path, record in iterate(study):
        if record.source is None:
            own.setdefault((path.parent.name, path.stem, _machine(record)), (path, record))
    for name in tokenizers:
        if not any(name in _names(path, record) for path, record in own.values()):
            raise unknown("recorded tokenizer", name, {record.tokenizer.name for _, record in own.values()})
    fitting = [
        (path, record)
        for path, record in own.values()
        if (not tokenizers or _names(path, record) & set(tokenizers))
        and (not images or {record.images.name, record.benchmark} & set(images))
        and (not resolutions or record.resolution in resolutions)
    ]
    if not fitting:
        raise RequestError(
            "no record of this project's own fits what was asked for; see: vitok list records", code="no-record"
        )
    left_out = [
        f"'{'/'.join(path.with_suffix('').parts[-3:])}' ended as {record.outcome.status} and is not exported"
        for path, record in fitting
        if record.outcome.status != OutcomeStatus.OK
    ]
    rows = [row for path, record in fitting if record.outcome.status == OutcomeStatus.OK for row in _rows(path, record)]
    if not rows:
        raise RequestError(f"nothing that fits what was asked for has a value: {'; '.join(left_out)}", code="no-record")
    return Export(_tables(rows), left_out)


def _names(path: Path, record: Record) -> set[str]:
    """What a tokenizer may be asked for by: its name alone, or with its settings after an ``@``."""
    return {record.tokenizer.name, f"{record.tokenizer.name}@{path.stem.partition('@')[2]}", path.stem}


def _rows(path: Path, record: Record) -> Iterator[Row]:
    settings = path.stem.partition("@")[2]
    held = record.images
    manifest = f", manifest {held.manifest_sha256[:_DIGITS_OF_MANIFEST]}" if held.manifest_sha256 else ""
    count = f": {held.count:,} {'image' if held.count == 1 else 'images'}" if held.count else ""
    for value in record.values:
        if value.kind not in EVIDENCE:
            continue
        mean, *percentiles = _distribution(path, record, value) or (None, None, None, None)
        yield Row(
            tokenizer=record.tokenizer.name + (f" ({settings})" if settings else ""),
            metric=value.quantity,
            unit=value.unit,
            evidence=value.kind.value,
            value=value.value,
            mean=mean,
            p5=percentiles[0],
            median=percentiles[1],
            p95=percentiles[2],
            n=value.n,
            images=f"{held.name}{count}{manifest}",
            size=f"{record.resolution} px, {held.rule}",
            signature=value.signature or "",
            machine=_machine(record),
            case=path.parent.name,
            date=record.provenance.started.date().isoformat() if record.provenance else "",
        )


def _machine(record: Record) -> str:
    """The machine and torch, for costs, which are measured on random images; nothing of what nothing ran for."""
    of_images = record.images.manifest_sha256 is not None
    if of_images or record.provenance is None or record.outcome.kind is not Kind.MEASURED:
        return ""
    host = record.provenance.host
    device = host.gpu or f"{host.cpu}, {host.cores} cores, {host.memory_gib:g} GiB"
    libraries = [f"{name} {version}" for name, version in host.packages.items() if name == "torch"]
    return ", ".join([device, *([f"CUDA {host.cuda}"] if host.cuda else []), *libraries])


def _distribution(path: Path, record: Record, value: Value) -> tuple[float, float, float, float] | None:
    """Mean, 5th percentile, median and 95th percentile over single images, or None where the record keeps none.

    Percentiles interpolate linearly between images (Hyndman and Fan 1996, definition 7); where an image's value is
    infinite, between which and another nothing lies, they are values of images (definition 1).
    """
    if record.samples is None:
        return None
    import numpy as np

    table = read_samples(path, record)
    if value.quantity not in table.columns:
        return None
    single = table[value.quantity].dropna().to_numpy(dtype=float)
    mean = math.fsum(single) / max(len(single), 1)
    if PER_IMAGE_MEAN in (value.signature or "").split("|") and (
        len(single) != value.n or not math.isclose(mean, value.value, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    ):
        raise RequestError(
            f"record '{path}' holds '{value.quantity}' = {value.value:g} at n = {value.n}, and the mean of its "
            f"{len(single)} single images is {mean:g}; measure it again with --again"
        )
    if not len(single):
        return None
    probabilities = np.array([0.05, 0.5, 0.95])
    if np.isfinite(single).all():
        p5, median, p95 = np.quantile(single, probabilities).tolist()
    else:
        p5, median, p95 = np.quantile(single, probabilities, method="inverted_cdf").tolist()
    return mean, p5, median, p95


def _tables(rows: Sequence[Row]) -> list[Table]:
    """Each row in the first table of its images, size and machine whose rows of its metric share n and signature."""
    by_protocol: dict[tuple[str, str, str], list[Table]] = {}
    for row in rows:
        tables = by_protocol.setdefault((row.images, row.size, row.machine), [])
        for table in tables:
            same = (other for other in table if other.metric == row.metric)
            if all((other.n, other.signature) == (row.n, row.signature) for other in same):
                table.append(row)
                break
        else:
            tables.append([row])
    return [table for tables in by_protocol.values() for table in tables]
