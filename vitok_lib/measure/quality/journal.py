"""Results of images on their way: appended as they come, so that an interrupted run goes on where it stopped.

One process at a time holds a journal. Whoever comes second waits, and then finds what the first one measured.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from filelock import lock_descriptor

from vitok_lib.measure.quality.pieces import Pieces
from vitok_lib.records.lock import locked
from vitok_lib.records.object_store import object_store
from vitok_lib.records.store import cannot_write

Result = dict[str, Any]
"""What one image gave: its values, or ``error``; floats are written so that they read back bit for bit."""


class Journal:
    """A file of JSON lines: first the ``key`` of the work, then one line for each batch of images.

    Results are keyed by the content of their image, and the key of the work leaves out which images are asked for,
    so that a run over more images goes on with what a run over fewer has done. A batch is one line: a crash keeps
    all of it or nothing. A journal of other work is started over, and a last line that was cut short is dropped.
    In an object store it is written as pieces, which are taken up as those of another journal are.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.results: dict[str, Result] = {}
        self.seconds: dict[str, float] = {}
        self.batch_limit: int | None = None
        self.loaded: dict[str, Any] = {}
        self._key = key
        store = object_store()
        self._pieces = None if store is None else Pieces(store, path, _line({"key": key}))

    def __enter__(self) -> Self:
        try:
            self._stream = locked(self.path, lambda: _say_waiting(self.path))
            self._read() if self._pieces is None else self._start_over()
        except OSError as error:
            raise cannot_write(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self.results:
                self.remove()  # nothing was measured: a request that was refused leaves no file
            elif self._pieces is not None:
                self._pieces.write()
        finally:
            self._stream.close()

    def append(self, results: dict[str, Result], seconds: float = 0.0) -> None:
        """Keep the results of a batch, by the sha256 of each image; they are on the disk when this returns.

        ``seconds`` is what they took together, of which each image has an equal share in ``self.seconds``.
        """
        self._keep({"results": results, "seconds": round(seconds, 6)})

    def adopt(self, other: Journal, images: Collection[str]) -> None:
        """Keep what ``other`` holds of ``images``, by their sha256, and what it tells of the whole work."""
        if not images and (not other.loaded or other.loaded == self.loaded):
            return
        line: dict[str, Any] = {
            "results": {image: other.results[image] for image in images},
            "seconds": sum(other.seconds[image] for image in images),
            "loaded": other.loaded,
        }
        if other.batch_limit is not None:
            line["batch_limit"] = min(other.batch_limit, self.batch_limit or other.batch_limit)
        self._take(line)
        self._write(line)

    def limit_batch(self, size: int) -> None:
        """From here on no batch is larger than ``size``: a larger one ran out of memory."""
        self._keep({"batch_limit": size})

    def forget_failures(self) -> None:
        """Images that ended in an error are to be tried again."""
        failed = [image for image, result in self.results.items() if "error" in result]
        if failed:
            self._keep({"forgotten": failed})

    def forget_all(self) -> None:
        """Everything is to be measured anew."""
        self._start_over()
        if self._pieces is not None:
            self._pieces.remove_all()

    def remove(self) -> None:
        """The record is written: the journal has done its work."""
        self.path.unlink(missing_ok=True)
        if self._pieces is not None:
            self._pieces.drop()

    def note(self, loaded: Mapping[str, Any]) -> None:
        """Keep what only loading the tokenizer tells, for a record that is made without it."""
        if any(self.loaded.get(name) != value for name, value in loaded.items()):
            self._keep({"loaded": dict(loaded)})

    def _start_over(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self.results, self.seconds, self.batch_limit, self.loaded = {}, {}, None, {}
        self._write({"key": self._key})

    def _read(self) -> None:
        """Take up what is there; cut off what a crash left half written."""
        self._stream.seek(0)
        whole = self._take_all(self._stream)
        if whole == 0:
            self._start_over()
        else:
            self._stream.truncate(whole)
            self._stream.seek(whole)

    def _take_all(self, stream: IO[bytes]) -> int:
        """Take the whole lines of ``stream``, if they are of this work, and give their length in bytes."""
        whole = 0
        for number, raw in enumerate(stream):
            line = _parsed(raw)
            if line is None or (number == 0 and line != {"key": self._key}):
                break
            self._take(line)
            whole += len(raw)
        return whole

    def _take(self, line: dict[str, Any]) -> None:
        """What one line says, taken into what is known."""
        results = line.get("results", {})
        self.results |= results
        self.seconds |= dict.fromkeys(results, line.get("seconds", 0.0) / max(1, len(results)))
        self.batch_limit = line.get("batch_limit", self.batch_limit)
        self.loaded |= line.get("loaded", {})
        for image in line.get("forgotten", ()):
            self.results.pop(image, None)

    def _keep(self, line: dict[str, Any]) -> None:
        self._take(line)  # first: a journal that is known to hold nothing goes, and an interrupt may come while writing
        self._write(line)
        if self._pieces is not None:
            self._pieces.add(_line(line))

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._stream.write(_line(line))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error


def read_journal(path: Path, key: str) -> Journal:
    """What the journal at ``path`` holds by now of the work of ``key``, unheld: its process may still write to it."""
    journal = Journal(path, key)
    try:
        with path.open("rb") as stream:
            journal._take_all(stream)
    except FileNotFoundError:  # nothing was measured yet, or its record was made meanwhile
        pass
    return journal


def remove_unheld(path: Path) -> None:
    """Remove the journal at ``path``, unless a process holds it, which may have more to write."""
    with suppress(FileNotFoundError), path.open("r+b") as stream:
        if lock_descriptor(stream.fileno(), blocking=False):
            path.unlink(missing_ok=True)


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """One line, or None where it was cut short or damaged."""
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _say_waiting(path: Path) -> None:
    print(f"vitok: another process is measuring '{path.name.split('.partial')[0]}'; waiting for it", file=sys.stderr)
