"""What exactly was measured: the name, size and sha256 of each image of a set, in order.

Two numbers share a column only if they come from the same images; equal manifests say that they do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
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
