"""Tar archives read to their last byte: one that is damaged or was cut short is refused, never shortened.

Python's ``tarfile`` ends silently at a header that it cannot read, at the end of the file, and after the first of
several archives in one file. Here only zeros, another archive or the end may follow an archive, as with ``tar -i``, and
zeros before another archive only to the end of a record.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

from vitok_lib.images.files.members import Member

T = TypeVar("T")


class StrictTar(tarfile.TarFile):
    """A tar archive whose iteration raises ReadError where it does not go on as it must."""

    zeros = 0  # blocks of them before where it stands
    begin = 0  # where the present one of several archives begins

    @classmethod
    def reading(cls, path: str, mode: str) -> Self:
        """The archive at ``path``; ``mode`` is ``r:`` or ``r:gz``."""
        return cls.open(path, mode, ignore_zeros=True, tarinfo=_StrictInfo, errorlevel=2)  # type: ignore[call-overload,no-any-return]


class _StrictInfo(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        assert isinstance(archive, StrictTar)
        zeros, archive.zeros = archive.zeros, 0
        try:
            info = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            archive.zeros = zeros + 1
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            if archive.offset and not zeros:
                raise tarfile.ReadError("it ends without the mark of its end") from None
            raise
        except tarfile.SubsequentHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            if zeros and _is_all_zeros(archive):
                archive.zeros = zeros
                raise tarfile.EOFHeaderError("end of file header") from error  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"{error} at byte {archive.offset}") from error
        if info.size < 0:
            raise tarfile.ReadError(f"a member of {info.size} bytes")
        if zeros:
            # An archive is filled up to a record with zeros. Others are a part of the file that was never written, as
            # in a download that was given its size first.
            if info.offset == zeros * tarfile.BLOCKSIZE or (info.offset - archive.begin) % tarfile.RECORDSIZE:
                raise tarfile.ReadError(f"{zeros * tarfile.BLOCKSIZE} bytes of zeros before byte {info.offset}")
            archive.begin = info.offset
        return info


def _is_all_zeros(archive: tarfile.TarFile) -> bool:
    """Whether the last bytes, too few for a block, are zeros."""
    file = archive.fileobj
    assert file is not None
    file.seek(archive.offset)
    return not file.read(tarfile.BLOCKSIZE).strip(b"\0")


def members(archive: tarfile.TarFile, data_of: Callable[[tarfile.TarInfo], T]) -> Iterator[Member[T]]:
    """All files and links of ``archive`` in order; ``data_of`` is called while the archive stands at a file."""
    for info in archive:
        if info.isreg():
            yield Member(info.name, data_of(info))
        elif info.issym() or info.islnk():
            yield Member(info.name, target=info.linkname, is_hard=info.islnk())
        elif not info.isdir():
            yield Member(info.name)
