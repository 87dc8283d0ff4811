"""Where an image's bytes are: in a file, in a member of an archive, in a cell of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, Protocol

from vitok_lib.images.files.stamp import Stamp, remember

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".avif"})
"""Of the files that are taken as images: the formats that Pillow reads by itself. JPEG XL is not among them: only the
codec ``jxl`` imports the plug-in that it needs."""


class Digest(NamedTuple):
    """``size`` in bytes and hex ``sha256`` of an image's bytes."""

    size: int
    sha256: str


class Content(Protocol):
    """The bytes of one image."""

    @property
    def place(self) -> str:
        """Where they are, for messages."""

    def digest(self) -> Digest:
        """What they are; OSError if they cannot be read."""

    def open(self) -> BinaryIO:
        """A stream over them that can be sought in; raises anything if they are damaged."""


@dataclass(frozen=True)
class FileContent:
    """An image in a file of its own."""

    path: Path

    @property
    def place(self) -> str:
        return readable(str(self.path))

    def digest(self) -> Digest:
        """One process reads an unchanged file once; a large one is not read again by the next process either."""
        stamp = Stamp.of(self.path)
        return Digest(stamp.size, _file_sha256(stamp))

    def open(self) -> BinaryIO:
        return self.path.open("rb")


@lru_cache(maxsize=100_000)
def _file_sha256(stamp: Stamp) -> str:
    return remember(stamp, "file", stamp.size, lambda: sha256_of(lambda: stamp.path.open("rb")))


def sha256_of(opened: Callable[[], IO[bytes]]) -> str:
    """Hex sha256 of all that the stream gives."""
    digest = hashlib.sha256()
    with opened() as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def readable(name: str) -> str:
    r"""``name`` for names, records and messages of one line: what is no printable text is escaped.

    A byte that is not UTF-8 becomes ``\xff``, a line break ``\n``.
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def is_image_name(path: str) -> bool:
    """Whether a path reads as one of an image, by its suffix, and neither it nor a folder on it is hidden."""
    parts = _parts(path)
    hidden = any(part.startswith(".") for part in parts)
    return bool(parts) and not hidden and Path(parts[-1]).suffix.lower() in SUFFIXES


def member_name(path: str) -> str:
    """The name of a member of an archive or a table, readable: its path without ``.``, ``..`` and doubled slashes."""
    return readable("/".join(_parts(path)))


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".", "..")]
