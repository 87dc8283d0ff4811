"""Images in ``.zip``, ``.tar``, ``.tar.gz`` and ``.tgz`` archives, read in place: nothing is unpacked to the disk.

Members are taken as the files of a folder would be if they were unpacked: by suffix, at every depth, links followed; of
two with one name the later counts. What is left out is counted. A damaged member is one image that cannot be read; an
archive whose table of contents is damaged, or whose images are encrypted, is refused as a whole.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, BinaryIO, cast

from vitok_lib.errors import RequestError
from vitok_lib.images.file_set import FileSet, count_of, named_by_content
from vitok_lib.images.files.content import Content, Digest, readable, sha256_of
from vitok_lib.images.files.folder import looked_for
from vitok_lib.images.files.left_out import in_brackets
from vitok_lib.images.files.members import Member, choose
from vitok_lib.images.files.stamp import Stamp, remember
from vitok_lib.images.files.tar import StrictTar
from vitok_lib.images.files.tar import members as tar_members
from vitok_lib.images.files.tar_stream import open_compressed

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
_ENCRYPTED = 0x1
_LONGEST_PATH = 4096  # bytes
_LARGEST = 2 << 30  # bytes of one member that are read into memory
_MEMBER, _MEMBER_SIZE = b"PK\3\4", 30  # mark and least size of a member's header
_END, _END_SIZE = b"PK\5\6", 22  # of the record that ends an archive, less its comment
_MARKS = {
    _MEMBER: "zip",
    _END: "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
}
_WAYS_OUT = {"zip": "name it .zip", "tar": "name it .tar", "gzip": "name it .tar.gz if a tar is in it, or unpack it"}
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,  # a name of no letters
    NotImplementedError,
    ValueError,  # a name that is not the UTF-8 that it is marked as
)


def is_archive_name(name: str) -> bool:
    """Whether a file reads as an archive, by its suffix."""
    return name.lower().endswith(SUFFIXES)


def open_archive(path: Path) -> FileSet:
    """The images of an archive, in the order of their paths in it, named as a folder of them would be."""
    files, left_out = members(path)
    label = readable(path.name)
    if not files:
        raise RequestError(
            f"archive '{readable(str(path))}' holds no image ({looked_for()}{in_brackets(left_out)})", code="no-images"
        )
    title = next(label[: -len(suffix)] for suffix in sorted(SUFFIXES, key=len) if label.lower().endswith(suffix))
    found = named_by_content(title or "archive", f"The archive '{label}' of {count_of(files)}.", files)
    return replace(found, left_out=left_out)


def members(path: Path) -> tuple[dict[str, Content], Counter[str]]:
    """The images of the archive at ``path`` by name, sorted, and how many files were left out for which reason.

    Raises:
        RequestError: it cannot be read, is damaged, is of another kind than its name says, or its images are encrypted.
    """
    label = readable(str(path))
    lowered = path.name.lower()
    expected = "zip" if lowered.endswith(".zip") else "tar" if lowered.endswith(".tar") else "gzip"
    try:
        kind = _kind_of(path)
        if kind not in (None, expected):
            raise RequestError(
                f"archive '{label}' is named as {expected} but holds {kind}; "
                f"{_WAYS_OUT.get(kind, 'unpack it and give the folder')}"
            )
        found, left_out = _READERS[expected](path)
    except RequestError:
        raise
    except OSError as error:
        raise RequestError(f"cannot read archive '{label}': {error.strerror or error}") from error
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RequestError(
            f"archive '{label}' is damaged or cut short ({reason}); fetch it again", code="archive-damaged"
        ) from error
    return dict(sorted(found.items())), left_out


def _kind_of(path: Path) -> str | None:
    """What the first bytes say; None for a tar of before 1988, which has no mark, and for what is neither."""
    with path.open("rb") as file:
        head = file.read(512)
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), None)


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


def _zip_members(path: Path) -> tuple[dict[str, Content], Counter[str]]:
    owner = _Zip(Stamp.of(path), zipfile.ZipFile(path))
    _check_all_listed(path, owner.archive)
    images, left_out = choose(_listed(owner.archive))
    if any(info.flag_bits & _ENCRYPTED for info in images.values()):
        raise RequestError(f"archive '{readable(str(path))}' is encrypted; unpack it and give the folder")
    return {name: _ZipMember(owner, info) for name, info in images.items()}, left_out


def _listed(archive: zipfile.ZipFile) -> Iterator[Member[zipfile.ZipInfo]]:
    for info in archive.infolist():
        is_link = stat.S_ISLNK(info.external_attr >> 16) and not info.flag_bits & _ENCRYPTED
        if is_link and info.file_size <= _LONGEST_PATH:
            yield Member(info.filename, target=archive.read(info).decode("utf-8", "surrogateescape"))
        elif not info.is_dir():
            yield Member(info.filename, info)
        elif info.file_size:
            yield Member(info.filename.rstrip("/"))


def _check_all_listed(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise BadZipFile if there is a member that the table of contents does not list, or anything after the archive.

    ``zipfile`` takes the last table of contents in the file, whatever comes before it.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = data.rfind(_END)
        if data[end + _END_SIZE + len(archive.comment) :].strip(b"\0"):
            raise zipfile.BadZipFile("something follows its end")
        position = 0
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            if data.find(_MEMBER, position, info.header_offset) >= 0:
                break
            position = info.header_offset + _MEMBER_SIZE + info.compress_size  # or a little more, by its name
        else:
            if data.find(_MEMBER, position, end) < 0:
                return
        raise zipfile.BadZipFile("it holds a member that its table of contents does not list")


def _tar_members(path: Path) -> tuple[dict[str, Content], Counter[str]]:
    stamp = Stamp.of(path)
    with StrictTar.reading(str(path), "r:") as archive:
        images, left_out = choose(tar_members(archive, lambda info: info))
    return {name: _TarMember(stamp, info) for name, info in images.items()}, left_out


_READERS: dict[str, Callable[[Path], tuple[dict[str, Content], Counter[str]]]] = {
    "zip": _zip_members,
    "tar": _tar_members,
    "gzip": open_compressed,
}
