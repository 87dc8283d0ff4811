"""Tokenizers of third parties: entry points of the group ``vitok_lib.tokenizers``, or ``module:factory``.

A factory is any callable that returns a tokenizer (:class:`vitok_lib.tokenizers.interface.Tokenizer`). It is called
with those of ``weights``, ``device``, ``dtype`` and ``seed`` that it takes by name. A name that the registry has
stays the registry's, whatever is installed.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Tokenizer, TokenizerSpec

GROUP = "vitok_lib.tokenizers"
_DEFAULTS: dict[str, Any] = {"weights": "released", "device": "cpu", "dtype": "float32", "seed": 0}
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_DATA = {"spec": TokenizerSpec, "weights": Weights, "settings": Settings}
_METHODS = ("encode", "decode", "reconstruct")


def names() -> list[str]:
    """The names of the installed plug-ins."""
    return sorted(entry_points(group=GROUP).names)


def is_plugin(name: str) -> bool:
    """Whether ``name`` is an installed plug-in's, or reads ``module:factory``."""
    return _PATH.fullmatch(name) is not None or name in names()


def load_plugin(name: str, *, weights: str | Path, device: str, dtype: str, seed: int) -> Tokenizer:
    """The tokenizer that the plug-in makes.

    Its spec is given ``name``, whatever name it brings: records and the commands in them then say what was loaded,
    and cannot be taken for those of a tokenizer of the registry.

    Raises:
        RequestError: the factory cannot be imported, does not take what was asked for, fails, or returns something
            that is no tokenizer.
    """
    factory = _find_factory(name)
    given = {"weights": weights, "device": device, "dtype": dtype, "seed": seed}
    accepted = _accepted(name, factory, given)
    try:
        tokenizer = factory(**accepted)
    except RequestError:
        raise
    except Exception as error:  # a third party's code raises what it likes
        raise RequestError(f"tokenizer '{name}' failed to load: {type(error).__name__}: {error}") from error
    return _named(name, tokenizer)


def _find_factory(name: str) -> Callable[..., Any]:
    found = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if len(found) > 1:
        raise RequestError(
            f"tokenizer '{name}' is the name of several plug-ins ({', '.join(found)}); name one of these"
        )
    try:
        target: Any
        if found:
            target = next(iter(found.values())).load()
        else:
            module, _, attribute = name.partition(":")
            target = importlib.import_module(module)
            for part in attribute.split("."):
                target = getattr(target, part)
    except Exception as error:  # importing runs a third party's code
        raise RequestError(
            f"tokenizer '{name}' cannot be imported ({type(error).__name__}: {error}); "
            "install its package, or put its folder on PYTHONPATH"
        ) from error
    if not callable(target):
        raise RequestError(f"tokenizer '{name}' names a {type(target).__name__}, not a function that makes a tokenizer")
    factory: Callable[..., Any] = target
    return factory


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


def _named(name: str, tokenizer: Any) -> Tokenizer:
    """``tokenizer`` under the name it was loaded by, if it is one."""
    faults = [
        f"{part} as a {kind.__name__}"
        for part, kind in _DATA.items()
        if not isinstance(getattr(tokenizer, part, None), kind)
    ]
    faults += [f"a method {part}" for part in _METHODS if not callable(getattr(tokenizer, part, None))]
    if faults:
        raise RequestError(
            f"tokenizer '{name}' gave a {type(tokenizer).__name__} without {', '.join(faults)}; "
            "see vitok_lib.tokenizers.interface.Tokenizer"
        )
    try:
        tokenizer.spec = replace(tokenizer.spec, name=name)
    except (AttributeError, TypeError) as error:
        raise RequestError(
            f"tokenizer '{name}' gave a {type(tokenizer).__name__} whose spec cannot be set ({error}); "
            "make it a plain attribute"
        ) from error
    named: Tokenizer = tokenizer
    return named
