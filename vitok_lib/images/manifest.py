"""What exactly was measured: the name, size and sha256 of each image of a set, in order.

Two numbers share a column only if they come from the same images; equal manifests say that they do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from vitok_lib.errors import RequestError

Item = TypeVar("Item")


@dataclass(frozen=True)
class ManifestEntry:
    """One image: ``size`` in bytes and ``sha256`` (hex) of its file, or of its pixels where it is rendered."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The images of a set in their order."""

    entries: tuple[ManifestEntry, ...]

    @property
    def text(self) -> str:
        """The canonical text: one JSON array ``[name, size, sha256]`` a line, ASCII, no spaces."""
        rows = ([entry.name, entry.size, entry.sha256] for entry in self.entries)
        return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)

    @property
    def sha256(self) -> str:
        """Hex sha256 of :attr:`text`."""
        return hashlib.sha256(self.text.encode("ascii")).hexdigest()


def first(items: Sequence[Item], samples: int | None) -> tuple[Item, ...]:
    """The first ``samples`` items, all of them for None or when there are fewer.

    Raises RequestError for fewer than one sample.
    """
    if samples is not None and samples < 1:
        raise RequestError(f"samples must be at least 1, not {samples}")
    return tuple(items[:samples])


def file_entry(name: str, path: Path) -> ManifestEntry:
    """The entry of the file at ``path``; one process reads an unchanged file once.

    Raises RequestError if the file cannot be read: without its bytes nothing can say what was measured.
    """
    try:
        status = path.stat()
        return ManifestEntry(name, status.st_size, _file_sha256(path, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise RequestError(f"cannot read image '{path}': {error.strerror or error}") from error


@lru_cache(maxsize=100_000)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:  # size and time tell a change
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
