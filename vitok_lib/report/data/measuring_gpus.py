"""The GPUs on which released models were measured: the summary names them and no other."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.cost.gpus import GPUS, Gpu, find_gpu
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import Entry
from vitok_lib.tokenizers.registry import RELEASED

UNMEASURED = "H100"
"""Whose data sheet predictions use where no GPU has measured a released model."""


def measuring_gpus(entries: Sequence[Entry]) -> list[Gpu]:
    """The GPUs with measurements of released models, that with most models first; only those with a data sheet here."""
    models: dict[str, set[str]] = {}
    for entry in entries:
        provenance, name = entry.record.provenance, entry.record.tokenizer.name
        known = known_gpu(provenance.host.gpu) if provenance and provenance.host.gpu else None
        if entry.measured and name in RELEASED and known:
            models.setdefault(known.name, set()).add(name)
    found = sorted(models, key=lambda gpu: -len(models[gpu]))
    return [GPUS[name] for name in found or [UNMEASURED]]


def known_gpu(device: str) -> Gpu | None:
    """The GPU that a driver calls ``device``, such as "NVIDIA H100 80GB HBM3"; None where it has no data sheet here."""
    try:
        return find_gpu(device)
    except RequestError:
        return None
