"""Images in ``.zip``, ``.tar``, ``.tar.gz`` and ``.tgz`` archives, read in place: nothing is unpacked to the disk.

Members are taken by suffix, at every depth, hidden ones left out; of two with one name the later counts, as it would
if they were unpacked. A damaged member is one image that cannot be read; an archive whose table of contents is damaged,
or whose images are encrypted, is refused as a whole.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, cast

from vitok_lib.errors import RequestError
from vitok_lib.images.content import Content, Digest, is_image_name, member_name, readable, sha256_of
from vitok_lib.images.file_set import FileSet, count_of, named_by_content
from vitok_lib.images.folder import looked_for
from vitok_lib.images.stamp import Stamp, remember
from vitok_lib.images.tar_stream import open_compressed

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_ENCRYPTED = 0x1
_LARGEST = 2 << 30  # bytes of one member that are read into memory
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)


def is_archive_name(name: str) -> bool:
    """Whether a file reads as an archive, by its suffix."""
    return name.lower().endswith(SUFFIXES)


def open_archive(path: Path) -> FileSet:
    """The images of an archive, in the order of their paths in it, named as a folder of them would be."""
    files = members(path)
    label = readable(path.name)
    if not files:
        raise RequestError(f"archive '{readable(str(path))}' holds no image ({looked_for()})")
    title = next(label[: -len(suffix)] for suffix in sorted(SUFFIXES, key=len) if label.lower().endswith(suffix))
    return named_by_content(title or "archive", f"The archive '{label}' of {count_of(files)}.", files)


def members(path: Path) -> dict[str, Content]:
    """The images of the archive at ``path`` by name, sorted.

    Raises:
        RequestError: it cannot be read, is damaged, or its images are encrypted.
    """
    label = readable(str(path))
    lowered = path.name.lower()
    try:
        if lowered.endswith(".zip"):
            found = _zip_members(path)
        elif lowered.endswith(".tar"):
            found = _tar_members(path)
        else:
            found = open_compressed(path)
    except OSError as error:
        raise RequestError(f"cannot read archive '{label}': {error.strerror or error}") from error
    except (*_DAMAGE, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(f"archive '{label}' is damaged or cut short ({reason}); fetch it again") from error
    return dict(sorted(found.items()))


@dataclass
class _Zip:
    """An open archive that several threads read from."""

    stamp: Stamp
    archive: zipfile.ZipFile
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class _ZipMember:
    owner: _Zip
    info: zipfile.ZipInfo

    @property
    def place(self) -> str:
        return f"{readable(str(self.owner.stamp.path))}/{readable(self.info.filename)}"

    def digest(self) -> Digest:
        """Of a damaged member the sha256 is that of its entry in the table of contents, which it does not match."""
        info = self.info
        part = f"zip {info.header_offset} {info.compress_size} {info.CRC}"
        return Digest(info.file_size, remember(self.owner.stamp, part, info.file_size, self._sha256))

    def _sha256(self) -> str:
        try:
            return sha256_of(self._opened)
        except _DAMAGE:
            return hashlib.sha256(f"damaged {self.info.CRC:08x} {self.info.file_size}".encode()).hexdigest()

    def open(self) -> BinaryIO:
        return _in_memory(self._opened, self.info.file_size)

    def _opened(self) -> IO[bytes]:
        with self.owner.lock:  # the archive counts its open streams, not safely in threads
            return self.owner.archive.open(self.info)


@dataclass(frozen=True)
class _TarMember:
    stamp: Stamp
    info: tarfile.TarInfo

    @property
    def place(self) -> str:
        return f"{readable(str(self.stamp.path))}/{readable(self.info.name)}"

    def digest(self) -> Digest:
        sha256 = remember(self.stamp, f"tar {self.info.offset_data}", self.info.size, lambda: sha256_of(self.open))
        return Digest(self.info.size, sha256)

    def open(self) -> BinaryIO:
        with tarfile.open(self.stamp.path, "r:") as archive:
            return _in_memory(lambda: cast(IO[bytes], archive.extractfile(self.info)), self.info.size)


def _in_memory(opened: Callable[[], IO[bytes]], size: int) -> BinaryIO:
    if size > _LARGEST:
        raise ValueError(f"its {size} bytes are more than {_LARGEST} bytes, the most that is read of one member")
    with opened() as stream:
        return io.BytesIO(stream.read())


def _zip_members(path: Path) -> dict[str, Content]:
    owner = _Zip(Stamp.of(path), zipfile.ZipFile(path))
    found: dict[str, Content] = {}
    for info in owner.archive.infolist():
        if info.is_dir() or not is_image_name(info.filename):
            continue
        if info.flag_bits & _ENCRYPTED:
            raise RequestError(f"archive '{readable(str(path))}' is encrypted; unpack it and give the folder")
        found[member_name(info.filename)] = _ZipMember(owner, info)
    return found


def _tar_members(path: Path) -> dict[str, Content]:
    stamp = Stamp.of(path)
    with tarfile.open(path, "r:") as archive:
        wanted = [info for info in archive if info.isreg() and is_image_name(info.name)]
    return {member_name(info.name): _TarMember(stamp, info) for info in wanted}
