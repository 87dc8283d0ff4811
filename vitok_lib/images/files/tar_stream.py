"""Images in a compressed tar archive, which can only be read from its start.

One pass finds the members and hashes them, and is remembered. After that, images in the order of the archive come in
one pass more; each step back starts over. A ``.zip`` or a plain ``.tar`` suits subsets and large sets better.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from vitok_lib.images.files.content import Content, Digest, readable, sha256_of
from vitok_lib.images.files.members import choose
from vitok_lib.images.files.stamp import Stamp, remember
from vitok_lib.images.files.tar import StrictTar, members

_KEPT = 256 << 20  # bytes of members that were passed on the way, so that threads may ask a little out of order


@dataclass(frozen=True)
class _Member:
    """One line of the index: where the bytes of a member begin in the unpacked stream.

    ``parts`` are the offsets and sizes of what is stored of it; the rest of a sparse file is zeros.
    """

    name: str
    offset: int
    size: int
    parts: list[tuple[int, int]]
    sha256: str


class _Stream:
    """The unpacked stream, read forward as far as the members asked for."""

    def __init__(self, path: Path, members: list[_Member]) -> None:
        self.path = path
        self.members = members
        self._lock = threading.Lock()
        self._file: gzip.GzipFile | None = None
        self._next = 0
        self._passed: dict[int, bytes] = {}

    def read(self, index: int) -> bytes:
        """The bytes of the member at ``index``, in the order of the archive."""
        with self._lock:
            if index in self._passed:
                return self._passed.pop(index)
            if self._file is None or index < self._next:
                self._start()
            while self._next < index:
                passed = self._next
                self._passed[passed] = self._take()
                while sum(map(len, self._passed.values())) > _KEPT:
                    del self._passed[next(iter(self._passed))]
            return self._take()

    def _start(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._next = gzip.GzipFile(self.path), 0
        self._passed.clear()

    def _take(self) -> bytes:
        assert self._file is not None
        member = self.members[self._next]
        self._file.seek(member.offset)
        self._next += 1
        data = bytearray(member.size)
        for start, size in member.parts:
            data[start : start + size] = self._file.read(size)
        return bytes(data)


@dataclass(frozen=True)
class _Content:
    stream: _Stream
    index: int

    @property
    def place(self) -> str:
        return f"{readable(str(self.stream.path))}/{self.stream.members[self.index].name}"

    def digest(self) -> Digest:
        member = self.stream.members[self.index]
        return Digest(member.size, member.sha256)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.stream.read(self.index))


def open_compressed(path: Path) -> tuple[dict[str, Content], Counter[str]]:
    """The images of a ``.tar.gz`` by name and what was left out; raises what tarfile, gzip and zlib raise on damage."""
    stamp = Stamp.of(path)
    found = json.loads(remember(stamp, "tar index 2", stamp.size, lambda: json.dumps(_index(path))))
    stream = _Stream(path, [_Member(*row) for row in found["members"]])
    contents: dict[str, Content] = {member.name: _Content(stream, at) for at, member in enumerate(stream.members)}
    return contents, Counter(found["left_out"])


def _index(path: Path) -> dict[str, object]:
    """Any file may be what a link with an image's name leads to, so that all are hashed on the way."""
    with StrictTar.reading(str(path), "r:gz") as archive:

        def row(info: tarfile.TarInfo) -> tuple[int, int, list[tuple[int, int]], str]:
            parts = info.sparse if isinstance(info.sparse, list) else [(0, info.size)]
            sha256 = sha256_of(lambda: cast(IO[bytes], archive.extractfile(info)))
            return info.offset_data, info.size, parts, sha256

        images, left_out = choose(members(archive, row))
    rows = sorted(([name, *found] for name, found in images.items()), key=lambda row: (row[1], row[0]))
    return {"members": rows, "left_out": left_out}
