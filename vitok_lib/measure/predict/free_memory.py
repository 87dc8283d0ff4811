"""Memory that is free on a device now: of a GPU by its driver, of a host also within the limits of its containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from vitok_lib.measure.predict.prediction import device_of

_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Of control groups of version 2 and of version 1, by their hierarchy: limit, use, and the page cache within it."""


def available_bytes(device: str) -> int | None:
    """Memory that is free on ``device`` now; None where it is not known (a device that is not on this machine)."""
    kind = device_of(device)
    if kind.type == "cuda" and (kind.index or 0) < torch.cuda.device_count():
        return int(torch.cuda.mem_get_info(kind)[0])
    return min((_of_the_host(), *_within_limits())) if kind.type == "cpu" else None


def _of_the_host() -> int:
    with_cache = _table(_PROC / "meminfo").get("MemAvailable:")
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if with_cache is None else with_cache * 1024


def _within_limits() -> Iterator[int]:
    """What each control group of this process that has a limit leaves it, such as a container or a job of a cluster."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for _, hierarchy, path in (line.split(":", 2) for line in lines):
        if hierarchy in _FILES:
            limit, used, cache = _FILES[hierarchy]
            root = _GROUPS / hierarchy
            group = root / path.lstrip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(root) and (most := _number(folder / limit)) is not None:
                    held = (_number(folder / used) or 0) - _table(folder / "memory.stat").get(cache, 0)
                    yield max(0, most - held)


def _number(file: Path) -> int | None:
    """What ``file`` holds; None where it is not there or holds no number, as where there is no limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _table(file: Path) -> dict[str, int]:
    """The number of each line by the word before it; nothing where ``file`` is not there."""
    try:
        rows = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
