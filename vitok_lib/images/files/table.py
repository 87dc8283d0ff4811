"""Images in Parquet files, as the hub keeps them: a column of structs ``{bytes, path}``, one image a row."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vitok_lib.errors import RequestError
from vitok_lib.images.files.content import Content, Digest, member_name, readable
from vitok_lib.images.files.stamp import Stamp, remember

if TYPE_CHECKING:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

SUFFIX = ".parquet"
_ROWS = 16  # decoded together; an image of a camera has megabytes


def cells(path: Path) -> dict[str, Content]:
    """The images of the Parquet file at ``path``, in the order of its rows.

    An image's name is its ``path``, or the file's stem and the row's number where it has none or shares it.

    Raises:
        RequestError: the file is damaged, or no or more than one column holds images.
    """
    with _refusing_damage(path):
        table = _Table(path)
        paths = table.paths()
    names = [member_name(given or "") for given in paths]
    alone = len(set(names)) == len(names) and all(names)
    rows = range(len(names))
    return {names[row] if alone else f"{readable(path.stem)}-{row:06d}": _Cell(table, row) for row in rows}


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except RequestError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: a path that is no UTF-8
        reason = " ".join(str(error).split())
        raise RequestError(f"Parquet file '{readable(str(path))}' cannot be read ({reason}); fetch it again") from error


class _Table:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.stamp = Stamp.of(path)
        with self._opened() as file:
            self.column = _image_column(path, file)
            self.metadata = file.metadata

    def _opened(self) -> pq.ParquetFile:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.path, metadata=getattr(self, "metadata", None))

    def paths(self) -> list[str | None]:
        with self._opened() as file:
            column = file.read(columns=[f"{self.column}.path"]).column(self.column)
        return [cell and cell["path"] for cell in column.to_pylist()]

    @cached_property
    def digests(self) -> list[Digest]:
        """Of every row, found in one pass; RequestError if one is damaged."""
        with _refusing_damage(self.path):
            found = json.loads(remember(self.stamp, "table", self.stamp.size, lambda: json.dumps(self._hash())))
        return [Digest(*row) for row in found]

    def _hash(self) -> list[tuple[int, str]]:
        with self._opened() as file:
            values = (value for batch in self._batches(file, None) for value in batch)
            return [(len(value), hashlib.sha256(value).hexdigest()) for value in values]

    def read(self, row: int) -> bytes:
        """The bytes of one row; an empty cell gives none."""
        group = 0
        while row >= self.metadata.row_group(group).num_rows:
            row -= self.metadata.row_group(group).num_rows
            group += 1
        with self._opened() as file:
            for batch in self._batches(file, [group]):
                if row < len(batch):
                    return batch[row]
                row -= len(batch)
        raise IndexError("the file has fewer rows than its table of contents says")

    def _batches(self, file: pq.ParquetFile, groups: list[int] | None) -> Iterator[list[bytes]]:
        for batch in file.iter_batches(_ROWS, row_groups=groups, columns=[f"{self.column}.bytes"]):
            yield [cell["bytes"] or b"" if cell else b"" for cell in batch.column(0).to_pylist()]


@dataclass(frozen=True)
class _Cell:
    table: _Table
    row: int

    @property
    def place(self) -> str:
        return f"{readable(str(self.table.path))}, row {self.row}"

    def digest(self) -> Digest:
        return self.table.digests[self.row]

    def open(self) -> BinaryIO:
        return io.BytesIO(self.table.read(self.row))


def _image_column(path: Path, file: pq.ParquetFile) -> str:
    import pyarrow as pa

    found: list[str] = [
        field.name
        for field in file.schema_arrow
        if pa.types.is_struct(field.type) and {"bytes", "path"} <= {part.name for part in field.type}
    ]
    if len(found) == 1:
        return found[0]
    if "image" in found:
        return "image"
    what = f"columns {', '.join(found)} hold images" if found else "no column holds images (a struct of bytes and path)"
    raise RequestError(f"in Parquet file '{readable(str(path))}' {what}; exactly one, or one named 'image', is needed")
