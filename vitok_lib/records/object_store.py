"""Results in an object store, such as S3: ``VITOK_RESULTS`` is a URL.

Files are worked on in a folder of this process alone: they are fetched before they are read, and uploaded once they are
whole. An object store takes an object whole or not at all; it neither appends nor locks.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from vitok_lib.errors import RequestError


class _Service(NamedTuple):
    """What serves a scheme: a package, and the variables that give credentials and, where it is another, an address."""

    package: str
    credentials: str = ""
    address: str = ""


_SERVICES = {
    "s3": _Service(
        "s3fs; pip install 'vitok-lib[store]'", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"
    ),
    "gs": _Service("gcsfs; pip install gcsfs", "GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"),
    "az": _Service("adlfs; pip install adlfs", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_CONNECTION_STRING"),
    "memory": _Service("fsspec"),
}
"""The schemes whose stores take an object whole or not at all."""
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class ObjectStore:
    """The objects below a URL, and the folder that holds those of them that this process works on."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme = checked_url(url)
        self._service = _SERVICES[scheme]
        try:
            import fsspec

            kind = fsspec.get_filesystem_class(scheme)
        except ImportError:
            raise RequestError(
                f"results at '{self.url}' need a package that is not installed: {self._service.package}",
                code="missing-package",
            ) from None
        with self._said():
            self._objects = kind(use_listings_cache=False, skip_instance_cache=True)
        self._root = str(kind._strip_protocol(self.url)).rstrip("/")
        self.folder = Path(tempfile.mkdtemp(prefix="vitok-results-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._fetched: dict[Path, str] = {}

    def fetch(self, folder: Path, beginning: str = "") -> list[Path]:
        """Make the files below ``folder`` whose names have this ``beginning`` those of the store.

        Returns:
            Which files these are, sorted.
        """
        with self._said():
            narrowed = {"prefix": beginning} if beginning else {}
            found: dict[str, Any] = self._objects.find(self._key(folder), detail=True, **narrowed)
            names = [name for name in found if name.rpartition("/")[2].startswith(beginning)]
            states = {self._path(name): str(found[name]) for name in names}
            new = [path for path, state in states.items() if self._fetched.get(path) != state]
            contents = self._objects.cat([self._key(path) for path in new], on_error="return") if new else {}
            for content in contents.values():
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        for path in new:
            content = contents[self._key(path)]
            if isinstance(content, FileNotFoundError):  # removed since it was listed
                del states[path]
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._fetched[path] = states[path]
        held = [path for path in self._fetched if path.is_relative_to(folder) and path.name.startswith(beginning)]
        for path in held:
            if path not in states:
                self._forget(path)
        return sorted(states)

    def write(self, path: Path, data: bytes) -> None:
        """Make ``data`` the object that ``path`` stands for, whole or not at all."""
        with self._said():
            self._objects.pipe_file(self._key(path), data)

    def remove(self, paths: Sequence[Path]) -> None:
        """Remove objects and their files; one that is gone already is no error."""
        with self._said(), suppress(FileNotFoundError):
            self._objects.rm([self._key(path) for path in paths])
        for path in paths:
            self._forget(path)

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._fetched.pop(path, None)

    def _key(self, path: Path) -> str:
        relative = path.relative_to(self.folder).as_posix()
        return self._root if relative == "." else f"{self._root}/{relative}"

    def _path(self, key: str) -> Path:
        return self.folder / key.removeprefix(self._root).lstrip("/")

    @contextmanager
    def _said(self) -> Iterator[None]:
        """What the store's library raises as one sentence, without its text, which may hold credentials."""
        try:
            yield
        except Exception as error:
            raise RequestError(
                f"results at '{self.url}': {_reason(error, self._service)}", code="results-unreachable"
            ) from None


def object_store() -> ObjectStore | None:
    """The store that ``VITOK_RESULTS`` names; None where it names a folder, or is not set."""
    url = os.environ.get("VITOK_RESULTS", "")
    return _opened(url) if _URL.fullmatch(url) else None


@cache
def _opened(url: str) -> ObjectStore:
    return ObjectStore(url)


def checked_url(url: str) -> str:
    """The scheme of ``url``.

    Raises:
        RequestError: it holds credentials, which the message does not repeat, or is of another scheme, or names no
            folder or several.
    """
    found = _URL.fullmatch(url)
    scheme, rest = (found[1], found[2]) if found else ("", "")
    if any(sign in rest for sign in "@?#"):
        raise RequestError(
            "the URL of the results has a user, a password or a query ('@', '?' or '#'); leave them out, and give "
            f"credentials in the environment, such as {_SERVICES['s3'].credentials}"
        )
    if scheme not in _SERVICES:
        raise RequestError(
            f"results at '{scheme}://…' are not supported, since only object stores write whole or not at all; use "
            f"{', '.join(f'{known}://' for known in _SERVICES)}, or mount it and name the folder"
        )
    if not rest.strip("/") or not rest.isprintable():
        raise RequestError(f"results at {url!r} name no bucket; write it as {scheme}://BUCKET/FOLDER")
    if any(sign in rest for sign in "*["):  # fsspec would read, and remove, whatever matches
        raise RequestError(f"results at {url!r} hold '*' or '[', which stand for other names; name one folder")
    return scheme


def _reason(error: Exception, service: _Service) -> str:
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket; create it, or correct the URL"
    refused = isinstance(error, PermissionError) or str(error).startswith("Forbidden")  # gcsfs raises an OSError
    if refused or getattr(error, "code", None) == 401 or "Credential" in kind or "Token" in kind:
        return (
            f"credentials are missing or refused ({kind}); set them in the environment, such as {service.credentials}, "
            "with the right to list, read, write and delete"
        )
    return (
        f"it cannot be reached ({kind}); check the network and its address, such as {service.address}, and run the "
        "same again, which goes on where it was"
    )
