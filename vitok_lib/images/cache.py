"""Images are prepared once: 8-bit pixels on the disk, shared by all tokenizers and processes.

A key says all that an entry follows from, so that an entry is never out of date. An entry is written beside its place
and moved there whole; one of another size, header or checksum is ignored and made anew. Reads are mapped into memory.

The folder is ``$VITOK_CACHE`` or ``~/.cache/vitok-lib``, of at most ``$VITOK_CACHE_GIB`` (by default half of what
would be free without it, and at most 50). When it is full it takes no more, says so once, and what is there goes on to
serve: evaluations go through a set again and again in one order, and of a set that does not fit, dropping what was
used longest ago would drop each image just before it is wanted. Nothing that happens to the cache stops a measurement.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import os
import shutil
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.project import path_in_environment

_GIB = 1 << 30
_DEFAULT_LIMIT = 50 * _GIB
_SCAN_INTERVAL = 60.0  # seconds after which the folder is counted again, since other processes write too
_STALE = 3600.0  # seconds after which a temporary file is one of a process that was killed
_HEADER = 64
_MAGIC = [b"vitok", b"pixels", b"1"]

Pixels = NDArray[np.uint8]


def root() -> Path:
    """The folder of the cache; it need not exist yet."""
    return path_in_environment("VITOK_CACHE") or Path.home() / ".cache" / "vitok-lib"


def pixels(key: str, make: Callable[[], Pixels]) -> Pixels:
    """The entry of ``key``, ``[H, W, 3]`` in 0…255, from the disk or from ``make``; the caller's own to write to."""
    _limit_asked()  # nonsense is refused also where nothing is to be written
    path = _place("pixels", key)
    found = _read_pixels(path)
    if found is not None:
        return found
    made = np.ascontiguousarray(make())
    height, width, _ = made.shape
    body = made.reshape(-1).data
    header = b"%b %d %d %08x" % (b" ".join(_MAGIC), height, width, zlib.crc32(body))
    _keep(path, header.ljust(_HEADER), body)
    return made


def text(key: str, make: Callable[[], str]) -> str:
    """The text of ``key``, from the disk or from ``make``."""
    _limit_asked()
    path = _place("texts", key)
    try:
        digest, _, body = path.read_bytes().partition(b"\n")
        if digest.decode() == hashlib.sha256(body).hexdigest():
            return body.decode()
    except (OSError, UnicodeDecodeError):
        pass
    made = make()
    body = made.encode()
    _keep(path, hashlib.sha256(body).hexdigest().encode() + b"\n", body)
    return made


def _place(kind: str, key: str) -> Path:
    name = hashlib.sha256(key.encode()).hexdigest()
    return root() / kind / name[:2] / name


def _read_pixels(path: Path) -> Pixels | None:
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        *magic, height, width, checksum = mapped[:_HEADER].split()
        shape = (int(height), int(width), 3)
        if magic != _MAGIC or len(mapped) != _HEADER + math.prod(shape):
            return None
        stored = np.frombuffer(mapped, np.uint8, offset=_HEADER)
        # A crash of the machine can leave a whole file of zeros. Reading all of it here, in the thread that loads
        # ahead, is also what brings it into memory.
        return stored.reshape(shape) if zlib.crc32(stored.data) == int(checksum, 16) else None
    except (OSError, ValueError):
        return None


def _keep(path: Path, *parts: bytes | memoryview) -> None:
    folder = root()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _reserve(folder, sum(len(part) for part in parts)):
            return
        handle, name = tempfile.mkstemp(suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o644)
                file.writelines(parts)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _say_once(folder, f"cannot be written ({error.strerror or error})")


@dataclass
class _Usage:
    size: int
    counted: float


_lock = threading.Lock()
_usage: dict[Path, _Usage] = {}
_said: set[Path] = set()


def _reserve(folder: Path, size: int) -> bool:
    """Whether ``size`` more bytes may be written; they are counted as written."""
    with _lock:
        usage = _usage.get(folder)
        if usage is None or time.monotonic() - usage.counted > _SCAN_INTERVAL:
            usage = _usage[folder] = _Usage(_count(folder), time.monotonic())
        limit = _limit(folder, usage.size)
        if usage.size + size <= limit:
            usage.size += size
            return True
    if limit > 0:
        _say_once(folder, f"has reached its {limit / _GIB:.3g} GiB (VITOK_CACHE_GIB)")
    return False


def _limit(folder: Path, used: int) -> float:
    asked = _limit_asked()
    return min(_DEFAULT_LIMIT, (shutil.disk_usage(folder).free + used) / 2) if asked is None else asked


def _limit_asked() -> float | None:
    """Bytes that the environment asks for; None where it does not."""
    given = os.environ.get("VITOK_CACHE_GIB")
    if not given:
        return None
    try:
        limit = float(given)
    except ValueError:
        limit = math.nan
    if not limit >= 0:
        raise RequestError(f"VITOK_CACHE_GIB (='{given}') must be a number of GiB, 0 for no cache")
    return limit * _GIB


def _count(folder: Path) -> int:
    """Bytes in the cache; temporary files that nobody writes any more are removed."""
    total = 0
    for path in folder.glob("*/*/*"):
        try:
            status = path.stat()
            if path.suffix == ".part" and time.time() - status.st_mtime > _STALE:
                path.unlink()
            else:
                total += status.st_size
        except OSError:
            continue  # another process has moved it
    return total


def _say_once(folder: Path, what: str) -> None:
    with _lock:
        if folder in _said:
            return
        _said.add(folder)
    print(f"vitok: the cache of prepared images '{folder}' {what}; going on without adding to it", file=sys.stderr)
