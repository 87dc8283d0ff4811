"""Studies, the folders of ``results``, in the order in which they take precedence where two hold the same record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

LOCAL = "local"
"""A user's own runs, which git ignores."""
CPU = "cpu"
DERIVED = "derived"
"""Predictions by arithmetic, for which nothing ran."""
PUBLISHED = "published"
GPUS = (
    *("B300", "RTX PRO 6000", "RTX 5090", "MI325X", "B200", "MI300X", "H200", "L40S", "L4", "L40", "RTX 4090", "H100"),
    *("A10G", "A10", "A100", "T4", "V100"),
)
"""GPU models, the newest first by the date of release."""


def studies_in_order(records: Mapping[str, Path]) -> list[str]:
    """The studies of which ``records`` holds a file: a user's own, GPUs from new to old, others, CPU, derived,
    published.

    A study is of one machine, so that any record of it says which GPU it ran on.
    """
    return sorted(records, key=lambda name: (_rank(name, records[name]), name))


def _rank(study: str, record: Path) -> int:
    fixed = {LOCAL: -1, CPU: len(GPUS) + 2, DERIVED: len(GPUS) + 3, PUBLISHED: len(GPUS) + 4}
    if study in fixed:
        return fixed[study]
    gpu = _gpu(record)
    if gpu is None:
        return len(GPUS) + 1
    known = (index for index, model in enumerate(GPUS) if re.search(rf"(?<![A-Z0-9])G?{model}(?![0-9A-Z])", gpu))
    return next(known, len(GPUS))


def _gpu(record: Path) -> str | None:
    """The GPU that a file names; None without one. Who reads the record says what is wrong with it."""
    try:
        gpu: str | None = json.loads(record.read_bytes())["provenance"]["host"].get("gpu")
        return gpu
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
