"""Records as files: ``results/<study>/<benchmark>-<resolution>/<tokenizer>[@settings].json``."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from vitok_lib.errors import RequestError, error_text
from vitok_lib.project import path_in_environment
from vitok_lib.records.object_store import object_store
from vitok_lib.records.schema import Record
from vitok_lib.records.studies import LOCAL as LOCAL
from vitok_lib.records.studies import PUBLISHED, studies_in_order

if TYPE_CHECKING:
    import pandas as pd

Model = TypeVar("Model", bound=BaseModel)

_LONGEST_NAME = 200  # bytes; file systems take 255, of which journals and temporary files need some for themselves


def results_root() -> Path:
    """The ``results`` folder: ``$VITOK_RESULTS``, else that of the clone this library runs from, else ``./results``.

    Of an object store it is the folder in which this process works on its objects.
    """
    if store := object_store():
        return store.folder
    if override := path_in_environment("VITOK_RESULTS"):
        if not str(override).isprintable():  # as a byte that is no UTF-8, which Parquet's files cannot be named with
            raise RequestError(
                f"VITOK_RESULTS (={str(override)!r}) must be UTF-8 without control characters; rename it"
            )
        return override
    project = Path(__file__).resolve().parents[2]
    return project / "results" if (project / "pyproject.toml").exists() else Path("results")


def check_study(study: str) -> None:
    """Raise a RequestError unless ``study`` can be the folder of somebody's own measurements."""
    if study == PUBLISHED:
        raise RequestError(f"study '{study}' holds what others published; name another, such as '{LOCAL}'")
    if slug(study) != study or len(study) > _LONGEST_NAME:
        raise RequestError(
            f"study {study!r} must be a folder name of at most {_LONGEST_NAME} letters, digits, dots, dashes and "
            f"underscores, such as '{LOCAL}'"
        )


def slug(text: str) -> str:
    """``text`` as a file name: letters, digits, dot, dash and underscore, with no dot at its start."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "_"


def record_path(study: str, benchmark: str, resolution: int, tokenizer: str, settings: str = "") -> Path:
    """Where a record lives; ``settings`` names what differs from the default, such as ``window=64``."""
    suffix = f"@{settings}" if settings else ""
    folder, name = _fitting(f"{slug(benchmark)}-{resolution}"), _fitting(slug(tokenizer) + suffix)
    return results_root() / slug(study) / folder / f"{name}.json"


def _fitting(name: str) -> str:
    """``name``, or its beginning and a digest of it where it is so long that a file system would refuse it."""
    return (
        name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 13]}-{sha256(name.encode()).hexdigest()[:12]}"
    )


def write_record(record: Record, path: Path) -> None:
    """Write ``record`` whole or not at all; equal records give equal bytes."""
    text = record.model_dump_json(indent=1, exclude_none=True) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place if the block succeeds, and goes if it fails.

    Raises:
        RequestError: the folder cannot be written (missing rights, a full disk).
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o644)
        yield temporary
        os.replace(temporary, path)
        if (store := object_store()) and path.is_relative_to(store.folder):
            store.write(path, path.read_bytes())
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raise RequestError unless a file can be made where ``path`` is to lie, whose folder is made for it."""
    with atomic(path.with_suffix(".try")) as temporary:
        temporary.touch()
    remove([path.with_suffix(".try")])


def refresh(path: Path) -> None:
    """Fetch the record at ``path`` and the files next to it that are of it, where results lie in an object store."""
    if store := object_store():
        store.fetch(path.parent, f"{path.stem}.")


def remove(paths: Sequence[Path]) -> None:
    """Remove files of the results; one that is gone already is no error."""
    if store := object_store():
        store.remove(paths)
    for path in paths:
        path.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> RequestError:
    """The error for a results folder that refuses a file."""
    in_the_way = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None)
    if in_the_way is not None:
        return RequestError(
            f"cannot write '{path}': '{in_the_way}' is no folder; move it away, or name another study",
            code="cannot-write",
        )
    reason = error.strerror or str(error)
    return RequestError(
        f"cannot write '{path}': {reason}; free some space or set VITOK_RESULTS to a folder that can be written",
        code="cannot-write",
    )


def read_record(path: Path) -> Record:
    """Read one record.

    Raises:
        RequestError: the file cannot be read or is no valid record; the message names the file and the field.
    """
    return read_model(path, Record, "record")


def read_model(path: Path, model: type[Model], noun: str) -> Model:
    """The JSON file at ``path`` as a ``model``.

    Raises:
        RequestError: the file cannot be read, was written by a newer version of this library, or is not valid; the
            message calls it ``noun`` and names the field.
    """
    try:
        data = path.read_bytes()
        _check_version(path, model, noun, data)
        return model.model_validate_json(data)
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RequestError(
            f"{noun} '{path}' is not valid: {where}: {first['msg']}; repair the file or remove it",
            code="record-invalid",
        ) from error


def _check_version(path: Path, model: type[Model], noun: str, data: bytes) -> None:
    """Raise RequestError if the file says that its schema is newer: a field may mean something else there."""
    known: int = model.model_fields["schema_version"].default
    found = re.search(rb'"schema_version":\s*(\d+)', data)
    if found is not None and int(found[1]) > known:
        raise RequestError(
            f"{noun} '{path}' was written by a newer vitok-lib (schema {int(found[1])}, and this one reads up to "
            f"{known}); update vitok-lib, or set VITOK_RESULTS to another folder",
            code="record-invalid",
        )


def read_samples(path: Path, record: Record) -> pd.DataFrame:
    """The table of single images, or of single timings, next to the ``record`` at ``path``.

    Raises:
        RequestError: the record names none, or it is missing or damaged.
    """
    if record.samples is None:
        raise RequestError(f"record '{path}' holds no single values")
    import pandas as pd

    table = path.parent / record.samples
    try:
        return pd.read_parquet(table)
    except Exception as error:  # pyarrow raises what it likes of a damaged file
        raise RequestError(f"'{table}' of record '{path.stem}' cannot be read: {error_text(error)}") from error


def cannot_read(path: Path, error: OSError) -> RequestError:
    """The error for a file or folder under ``results`` that cannot be read."""
    reason = error.strerror or str(error)
    return RequestError(f"cannot read '{path}': {reason}; change its permissions or move it out of the results folder")


def record_files(suffix: str = ".json") -> list[Path]:
    """Every file ``<study>/<case>/*<suffix>`` of the results folder, sorted; hidden files and folders are no records.

    Hidden are names that begin with a dot: macOS writes ``._x.json`` next to ``x.json``, Jupyter makes
    ``.ipynb_checkpoints``.

    Raises:
        RequestError: a folder cannot be read.
    """
    if store := object_store():
        store.fetch(store.folder)
    return [
        path
        for study in _visible(results_root())
        for case in _visible(study)
        for path in _visible(case)
        if path.suffix == suffix
    ]


def without_records() -> Iterator[str]:
    """A sentence for the results folder, or each study in it, that holds no record."""
    root, files = results_root(), record_files()
    if not root.is_dir():
        yield f"there is no folder of results '{root}'; VITOK_RESULTS names another"
    elif not files:
        yield f"the folder of results '{root}' holds no record"
    held = {path.parts[-3] for path in files}
    for study in _visible(root):
        if study.name not in held:
            what = "holds no record" if study.is_dir() else "is no folder, so that it is no study"
            yield f"'{study}' {what}"


def _visible(folder: Path) -> list[Path]:
    """What lies in ``folder``, sorted by name; nothing where it is no folder."""
    if not folder.is_dir():
        return []
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise cannot_read(folder, error) from error


def iterate(study: str | None = None) -> Iterator[tuple[Path, Record]]:
    """Every record with its path, study by study in the order in which they take precedence, then by path."""
    files = [path for path in record_files() if study is None or path.parts[-3] == slug(study)]
    for name in studies_in_order({path.parts[-3]: path for path in reversed(files)}):
        for path in files:
            if path.parts[-3] == name:
                yield path, read_record(path)


FILTERS: dict[str, Callable[[Record], Any]] = {
    "benchmark": lambda record: record.benchmark,
    "resolution": lambda record: record.resolution,
    "tokenizer": lambda record: record.tokenizer.name,
    "family": lambda record: record.tokenizer.family,
    "images": lambda record: record.images.name,
    "outcome": lambda record: record.outcome.status,
    "window": lambda record: record.settings.window,
    "source": lambda record: record.source.name if record.source else None,
}


def read_records(study: str | None = None, **equal: Any) -> list[Record]:
    """Records whose named fields equal the given values, e.g. ``benchmark="photos", resolution=512``.

    Raises:
        RequestError: a filter's name is not known.
    """
    for name in equal:
        if name not in FILTERS:
            raise RequestError(f"unknown record filter '{name}'; known: {', '.join(FILTERS)}")
    return [
        record for _, record in iterate(study) if all(FILTERS[name](record) == wanted for name, wanted in equal.items())
    ]
