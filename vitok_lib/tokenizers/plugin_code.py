"""The code of a plug-in as part of its identity: edited code is another tokenizer.

A digest sees the source files of a module, or of the whole package that the module belongs to. It does not see what
the code reads while it runs: environment variables, data files, other modules and packages.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ModuleSpec
from pathlib import Path
from types import ModuleType

from vitok_lib.digest import sha256_of
from vitok_lib.errors import RequestError

_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
_COVERED_BY_THE_RECORD = ("vitok_lib", *sys.stdlib_module_names)  # a record names the commit and Python's version
_imported: dict[str, tuple[ModuleSpec | None, str]] = {}


def code_digests(name: str, modules: Iterable[str]) -> dict[str, str]:
    """The sha256 of the code that each of the imported ``modules`` belongs to, by ``code:<module or package>``.

    Of a package it is the digest of the names and digests of all its source files and compiled modules. What has no
    file (a session's own ``__main__``) has no digest.

    Raises:
        RequestError: the files of tokenizer ``name`` are no longer those that Python imported.
    """
    roots = {root.__name__: root for module in modules if (root := _root(module)) is not None}
    digests = {}
    for root_name, root in sorted(roots.items()):
        digest = _digest(root)
        spec, imported = _imported.setdefault(root_name, (root.__spec__, digest))
        if imported != digest and spec is root.__spec__:  # a reloaded module has another spec
            raise RequestError(
                f"the code of tokenizer '{name}' ({root_name}) has changed since Python imported it; start Python again"
            )
        _imported[root_name] = (root.__spec__, digest)
        digests[f"code:{root_name}"] = digest
    return digests


def _root(module: str) -> ModuleType | None:
    """The module, or the outermost package around it that has an ``__init__``; None where there is no file."""
    parts = module.split(".")
    if parts[0] in _COVERED_BY_THE_RECORD:
        return None
    for count in range(1, len(parts) + 1):
        found = sys.modules.get(".".join(parts[:count]))
        if found is not None and getattr(found, "__file__", None) is not None:
            return found
    return None


def _digest(root: ModuleType) -> str:
    assert root.__file__ is not None
    if not hasattr(root, "__path__"):
        return sha256_of(Path(root.__file__))
    folder = Path(root.__file__).parent
    files = sorted(file for file in folder.rglob("*") if file.name.endswith(_SUFFIXES) and file.is_file())
    lines = [f"{file.relative_to(folder).as_posix()} {sha256_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
