"""Where the project's own files are, when the library runs from a clone."""

from __future__ import annotations

import os
from pathlib import Path

from vitok_lib.errors import RequestError

_LONGEST_NAME = 255  # bytes that a file system takes
ROOT = Path(__file__).resolve().parents[1]


def in_clone(folder: str) -> Path:
    """A folder of the clone that this library runs from; a RequestError where it was installed without one."""
    path = ROOT / folder
    if not path.is_dir():
        raise RequestError(f"'{folder}' is part of the repository, not of the installed library: run this in a clone")
    return path


def expanded(path: str, named: str) -> Path:
    """``path`` with ``~`` as the home folder; ``named`` says in an error where it was given.

    Raises:
        RequestError: it begins with the name of a user who is not known here, or a name in it is too long for a file.
    """
    whole = os.path.expanduser(path)
    if whole.startswith("~"):
        raise RequestError(f"{named} (={path!r}) begins with the name of a user who is not known; write the whole path")
    if any(len(os.fsencode(name)) > _LONGEST_NAME for name in Path(whole).parts):
        raise RequestError(f"{named} (='{path[:40]}…') holds a name of over {_LONGEST_NAME} bytes; shorten it")
    return Path(whole)


def path_in_environment(variable: str) -> Path | None:
    """The path that an environment variable names, ``~`` as the home folder; None where it is not set or empty."""
    value = os.environ.get(variable)
    return expanded(value, variable) if value else None
