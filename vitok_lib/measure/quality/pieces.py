"""A journal in an object store, which cannot append: whole objects of some lines each, under names of their own."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

from vitok_lib.records.object_store import ObjectStore

OF_A_PIECE = r"(?:\.[0-9a-f]{8}-[0-9]{6})?"
"""What the name of a piece has before ``.partial.jsonl``, as a regular expression: who wrote it, and its number."""
_SUFFIX = ".partial.jsonl"
_EVERY = 1.0  # seconds: what a process that is killed may lose besides the batch that it is at


class Pieces:
    """What one process adds to the journal at ``path``, as objects that begin with its ``header`` like any journal.

    No two processes write the same object, so that two that measure the same images do not disturb each other.
    """

    def __init__(self, store: ObjectStore, path: Path, header: bytes) -> None:
        self._store = store
        self._path = path
        self._header = header
        self._writer = uuid4().hex[:8]
        self._number = 0
        self._lines: list[bytes] = []
        self._written = time.monotonic()

    def add(self, line: bytes) -> None:
        """Keep a line; it is in the store when this returns, unless another one was written less than a second ago."""
        self._lines.append(line)
        if time.monotonic() - self._written >= _EVERY:
            self.write()

    def write(self) -> None:
        """Write what is not in the store yet."""
        if not self._lines:
            return
        piece = self._path.with_name(f"{self._stem}.{self._writer}-{self._number:06d}{_SUFFIX}")
        self._store.write(piece, self._header + b"".join(self._lines))
        self._number += 1
        self.drop()

    def drop(self) -> None:
        """Forget what is not in the store yet."""
        self._lines.clear()
        self._written = time.monotonic()

    def remove_all(self) -> None:
        """Remove every piece of this journal, whoever wrote it."""
        self.drop()
        self._store.remove(self._store.fetch(self._path.parent, f"{self._stem}."))

    @property
    def _stem(self) -> str:
        """Pieces of the journal of the whole are those of its one part."""
        stem = self._path.name.removesuffix(_SUFFIX)
        return stem if "-of-" in stem.rpartition(".")[2] else f"{stem}.1-of-1"
