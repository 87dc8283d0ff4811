"""One process at a time: files that a process holds against others, on one machine or a shared file system."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import lock_descriptor


def locked(path: Path, waiting: Callable[[], None] = lambda: None) -> IO[bytes]:
    """The file at ``path``, open and held by this process alone until it is closed; it is made where it is missing.

    A file that its holder removed meanwhile is made anew. ``waiting`` is called where another process holds it.

    Raises:
        OSError: it cannot be made, or its file system has no locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        stream = path.open("a+b")
        try:
            if not lock_descriptor(stream.fileno(), blocking=False):
                waiting()
                lock_descriptor(stream.fileno())
            if path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


@contextmanager
def written_alone(path: Path) -> Iterator[None]:
    """Keep other processes from writing the record at ``path`` while the block reads it and writes it.

    Raises:
        OSError: see :func:`locked`.
    """
    lock = path.with_name(f".{path.name}.lock")
    with locked(lock):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
