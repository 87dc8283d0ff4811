"""What was found out about a file once, such as its sha256, and holds for as long as the file is unchanged.

A set of 46 GB takes minutes to hash: each process would do so again, for every tokenizer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitok_lib.images import cache

_SMALL = 64 * 1024  # bytes that are hashed as fast as a remembered digest is found
_UNSETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Stamp:
    """A file at one moment; times are in nanoseconds. A change of the content changes the stamp."""

    path: Path
    size: int
    modified: int
    changed: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The stamp of ``path`` now; OSError if it cannot be looked at."""
        status = path.stat()
        return cls(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)

    @property
    def is_settled(self) -> bool:
        """Whether a later change is sure to get another time, even on a disk that keeps whole seconds."""
        return time.time_ns() - max(self.modified, self.changed) > _UNSETTLED_NS


def remember(stamp: Stamp, part: str, size: int, find: Callable[[], str]) -> str:
    """What ``find`` says of ``part`` of the file, from an earlier process if one found it out.

    ``size``: the bytes that ``find`` has to read.
    """
    if size < _SMALL or not stamp.is_settled:
        return find()
    words = (os.path.abspath(stamp.path), stamp.size, stamp.modified, stamp.changed, stamp.inode, part)
    return cache.text("\n".join(map(ascii, words)), find)
