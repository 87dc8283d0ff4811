"""Tokenizers of third parties: entry points of the group ``vitok_lib.tokenizers``, or ``module:factory``.

A factory is any callable that returns a tokenizer (:class:`vitok_lib.tokenizers.interface.Tokenizer`). It is called
with those of ``weights``, ``device``, ``dtype`` and ``seed`` that it takes by name. A name that the registry has
stays the registry's, whatever is installed. Its code is part of its identity: see
:mod:`vitok_lib.tokenizers.plugin_code` for what that covers.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitok_lib.digest import sha256_of
from vitok_lib.errors import RequestError, error_text
from vitok_lib.records.config import Settings, Weights
from vitok_lib.third_party import guarded
from vitok_lib.tokenizers.interface import Latent, Tokenizer, TokenizerSpec
from vitok_lib.tokenizers.plugin_code import code_digests

if TYPE_CHECKING:
    from torch import Tensor

GROUP = "vitok_lib.tokenizers"
_DEFAULTS: dict[str, Any] = {"weights": "released", "device": "cpu", "dtype": "float32", "seed": 0}
_NO_FILES = ("released", "random")
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_DATA = {"spec": TokenizerSpec, "weights": Weights, "settings": Settings}
_METHODS = ("encode", "decode", "reconstruct")


def names() -> list[str]:
    """The names of the installed plug-ins."""
    return sorted(entry_points(group=GROUP).names)


def is_plugin(name: str) -> bool:
    """Whether ``name`` is an installed plug-in's, or reads ``module:factory``."""
    return _PATH.fullmatch(name) is not None or name in names()


class PluginTokenizer:
    """A third party's tokenizer, ``original``, under the name that it was loaded by.

    ``weights.files`` holds the digest of its code as well. What it prints goes to standard error, and ``sys.exit`` in
    it is a RuntimeError.
    """

    def __init__(self, original: Tokenizer, spec: TokenizerSpec, weights: Weights) -> None:
        self.original = original
        self.spec = spec
        self.weights = weights
        self.settings = original.settings

    def encode(self, images: Tensor) -> Latent:
        with self._guarded():
            return self.original.encode(images)

    def decode(self, latent: Latent) -> Tensor:
        with self._guarded():
            return self.original.decode(latent)

    def reconstruct(self, images: Tensor) -> Tensor:
        with self._guarded():
            return self.original.reconstruct(images)

    def _guarded(self) -> AbstractContextManager[None]:
        return guarded(f"tokenizer '{self.spec.name}'")


def load_plugin(name: str, *, weights: str | Path, device: str, dtype: str, seed: int) -> PluginTokenizer:
    """The tokenizer that the plug-in makes.

    Its spec is given ``name``, whatever name it brings: records and the commands in them then say what was loaded,
    and cannot be taken for those of a tokenizer of the registry. Its identity has the digests of the files that
    ``weights`` names, and of the code: the module that ``name`` names and those that the factory and the tokenizer's
    class are written in.

    Raises:
        RequestError: the factory cannot be imported, does not take what was asked for, fails, or returns something
            that is no tokenizer; or its code changed since it was imported.
    """
    module, factory = _find_factory(name)
    given = {"weights": weights, "device": device, "dtype": dtype, "seed": seed}
    accepted = _accepted(name, factory, given)
    code_digests(name, [module])  # what was imported, before a slow factory gives time to edit it
    try:
        with guarded(f"tokenizer '{name}'"), _no_bytecode():  # a factory may import what it needs itself
            original = factory(**accepted)
    except RequestError:
        raise
    except Exception as error:  # a third party's code raises what it likes
        raise RequestError(f"tokenizer '{name}' failed to load: {type(error).__name__}: {error_text(error)}") from error
    _check_parts(name, original)
    modules = [module, *(str(getattr(part, "__module__", "")) for part in (factory, type(original)))]
    files = _digests_of(weights) | original.weights.files | code_digests(name, modules)
    identity = original.weights.model_copy(update={"files": files})
    return PluginTokenizer(original, replace(original.spec, name=name), identity)


def _digests_of(weights: str | Path) -> dict[str, str]:
    """The sha256 of the file that ``weights`` names, or of each file in the folder."""
    path = Path(weights)
    if weights in _NO_FILES:
        return {}
    if path.is_dir():
        return {str(file.relative_to(path)): sha256_of(file) for file in sorted(path.rglob("*")) if file.is_file()}
    return {path.name: sha256_of(path)} if path.is_file() else {}


def _find_factory(name: str) -> tuple[str, Callable[..., Any]]:
    """The module that ``name`` names, and the factory in it."""
    found = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if len(found) > 1:
        raise RequestError(
            f"tokenizer '{name}' is the name of several plug-ins ({', '.join(found)}); name one of these"
        )
    module, _, attribute = name.partition(":")
    if found:
        (point,) = found.values()
        module, attribute = point.module, point.attr
    try:
        with guarded(f"tokenizer '{name}'"), _no_bytecode():
            target: Any = importlib.import_module(module)
            for part in filter(None, attribute.split(".")):
                target = getattr(target, part)
    except Exception as error:  # importing runs a third party's code
        raise RequestError(
            f"tokenizer '{name}' cannot be imported ({type(error).__name__}: {error_text(error)}); "
            f"{_way_out(error, module)}",
            code="plugin-import",
        ) from error
    if not callable(target):
        raise RequestError(f"tokenizer '{name}' names a {type(target).__name__}, not a function that makes a tokenizer")
    return module, target


def _way_out(error: Exception, module: str) -> str:
    if not isinstance(error, ModuleNotFoundError):
        return "correct the name or the code"
    if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
        return "install its package, or put its folder on PYTHONPATH"
    return f"install '{error.name}', which its code imports"


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """Python takes its bytecode for that of a file which was edited within a second and kept its size."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _accepted(name: str, factory: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the factory takes; asking for anything else than the default of what it does not take is refused."""
    try:
        parameters = inspect.signature(factory).parameters
    except ValueError as error:  # some callables of C have none
        raise RequestError(f"tokenizer '{name}' names no function that makes a tokenizer ({error})") from error
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return given
    for option, value in given.items():
        if option not in parameters and value != _DEFAULTS[option]:
            raise RequestError(
                f"tokenizer '{name}' takes no '{option}' (={str(value)!r}); leave it at {_DEFAULTS[option]!r}"
            )
    return {option: value for option, value in given.items() if option in parameters}


def _check_parts(name: str, tokenizer: Any) -> None:
    """Raise a RequestError unless all is there that makes a tokenizer, and can be recorded."""
    faults = [
        f"{part} as a {kind.__name__}"
        for part, kind in _DATA.items()
        if not isinstance(getattr(tokenizer, part, None), kind)
    ]
    faults += [f"a method {part}" for part in _METHODS if not callable(getattr(tokenizer, part, None))]
    if faults:
        raise RequestError(
            f"tokenizer '{name}' gave a {type(tokenizer).__name__} without {', '.join(faults)}; "
            "see vitok_lib.tokenizers.interface.Tokenizer",
            code="plugin-incomplete",
        )
    try:
        tokenizer.spec.identity(tokenizer.weights).model_dump_json()
        tokenizer.settings.model_dump_json()
    except Exception as error:  # of whatever a third party put there
        raise RequestError(
            f"tokenizer '{name}' describes itself by what cannot be recorded: {error_text(error)}",
            code="plugin-incomplete",
        ) from error
