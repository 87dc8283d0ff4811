"""Where the project's own files are, when the library runs from a clone."""

from __future__ import annotations

from pathlib import Path

from vitok_lib.errors import RequestError

ROOT = Path(__file__).resolve().parents[1]


def in_clone(folder: str) -> Path:
    """A folder of the clone that this library runs from; a RequestError where it was installed without one."""
    path = ROOT / folder
    if not path.is_dir():
        raise RequestError(f"'{folder}' is part of the repository, not of the installed library: run this in a clone")
    return path
