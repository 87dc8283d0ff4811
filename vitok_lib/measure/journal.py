"""Per-image results on their way: appended as they come, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vitok_lib.records.store import atomic, cannot_write


class Journal:
    """A file of JSON lines beside a record: first the key of the request, then one line an image.

    A journal of another request is started over; a last line that a crash cut short is dropped. Floats are
    written so that they read back bit for bit.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        lines = _complete_lines(path)
        if lines and lines[0] == {"key": key}:
            self.entries = {entry["image"]: entry for entry in lines[1:]}
        with atomic(path) as temporary:
            temporary.write_text(_as_lines([{"key": key}, *self.entries.values()]), encoding="utf-8")

    def append(self, entry: dict[str, Any]) -> None:
        """Keep the result of one image; it is on the disk when this returns."""
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(_as_lines([entry]))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self.entries[entry["image"]] = entry

    def remove(self) -> None:
        """The record is written: the journal has done its work."""
        self.path.unlink(missing_ok=True)


def _as_lines(entries: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def _complete_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines
