"""The code of a plug-in as part of its identity: edited code is another tokenizer.

A digest sees the source files of a module, or of the whole package that the module belongs to. Modules and packages
in the same folder that these import have digests of their own, as a ``model.py`` next to the plug-in has. What is
installed is not seen, nor what the code reads while it runs: environment variables, data files.
"""

from __future__ import annotations

import ast
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

    So of what these import from their own folder. Of a package it is the digest of the names and digests of all its
    source files and compiled modules. What has no file (a session's own ``__main__``) has no digest.

    Raises:
        RequestError: the files of tokenizer ``name`` are no longer those that Python imported.
    """
    roots: dict[str, Path] = {}
    for module in modules:
        if (root := _root(module)) is not None:
            _add(root.__name__, _place(root), roots)
    digests = {}
    for root_name, place in sorted(roots.items()):
        digest = digests[f"code:{root_name}"] = _digest(place)
        if root_name not in sys.modules:  # it is imported later, if at all
            continue
        now = sys.modules[root_name].__spec__
        spec, imported = _imported.setdefault(root_name, (now, digest))
        if imported != digest and spec is now:  # a reloaded module has another spec
            raise RequestError(
                f"the code of tokenizer '{name}' ({root_name}) has changed since Python imported it; start Python again"
            )
        _imported[root_name] = (now, digest)
    return digests


def _add(name: str, place: Path, found: dict[str, Path]) -> None:
    """Add the module or package ``name`` to ``found``, and what it imports from the folder that it lies in."""
    if name in found:
        return
    found[name] = place
    folder = place.parents[name.count(".")]
    if folder.name in ("site-packages", "dist-packages"):
        return
    for imported in sorted(set().union(*map(_imports, _sources(place)))):
        for candidate in (folder / imported, folder / f"{imported}.py"):
            if imported not in _COVERED_BY_THE_RECORD and (candidate.is_file() or _sources(candidate)):
                _add(imported, candidate, found)
                break


def _imports(file: Path) -> set[str]:
    """The first names of what a source file imports by absolute names."""
    if file.suffix not in SOURCE_SUFFIXES:
        return set()
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # such as a template, which nothing imports
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


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


def _place(root: ModuleType) -> Path:
    """The file of a module, or the folder of a package."""
    assert root.__file__ is not None
    file = Path(root.__file__)
    return file.parent if hasattr(root, "__path__") else file


def _sources(place: Path) -> list[Path]:
    """The file of a module itself, or all source files and compiled modules of a package; none where none is there."""
    if place.is_file():
        return [place]
    return sorted(file for file in place.rglob("*") if file.name.endswith(_SUFFIXES) and file.is_file())


def _digest(place: Path) -> str:
    if place.is_file():
        return sha256_of(place)
    lines = [f"{file.relative_to(place).as_posix()} {sha256_of(file)}\n" for file in _sources(place)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
