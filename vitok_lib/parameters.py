"""The parameters of a notebook: declared once, in the source's parameters cell, and held to strictly.

papermill only warns of a misspelt name and passes some values as text. Here a name that is not declared and
a value of the wrong type are errors, in the runner and inside a notebook that papermill runs by itself.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vitok_lib.errors import RequestError, nearest, unknown
from vitok_lib.project import in_clone

_TYPES: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "str": str}
_LIST = re.compile(r"list\[(\w+)\]")
_PLAIN = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KERNEL_NAMES = {"In", "Out", "exit", "quit", "get_ipython", "open"}


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell; ``type_name`` is int, float, str, bool, or a list of one of the first three.

    ``may_be_empty``, of a list: its default is, or its comment says what ``empty`` means.
    """

    name: str
    type_name: str
    default: Any
    may_be_empty: bool = True

    def convert(self, value: Any) -> Any:
        """``value`` in the declared type; text is read, as the command line gives it: a list by commas.

        Raises:
            RequestError: the value does not fit; the message names the parameter.
        """
        of_items = _LIST.fullmatch(self.type_name)
        if of_items is None:
            return self._one(self.type_name, value)
        pieces = [piece.strip() for piece in value.split(",")] if isinstance(value, str) else value
        items = [] if pieces == [""] else pieces if isinstance(pieces, list | tuple) else [pieces]
        if not (items or self.may_be_empty):
            raise RequestError(f"parameter '{self.name}' is empty; give at least one value, or leave it out")
        if "" in items:
            raise RequestError(f"parameter '{self.name}' has an empty item in {value!r}; separate its items by commas")
        return [self._one(of_items[1], item) for item in items]

    def _one(self, type_name: str, value: Any) -> Any:
        try:
            if type_name == "bool":
                return value if isinstance(value, bool) else _TRUTH[str(value).lower()]
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError
            if type_name == "int" and isinstance(value, float):
                raise ValueError
            converted = _TYPES[type_name](value)
            if isinstance(converted, float) and not math.isfinite(converted):
                raise ValueError
            return converted
        except (KeyError, TypeError, ValueError):
            raise RequestError(f"parameter '{self.name}' must be {_PLAIN[type_name]}, not {value!r}") from None


def as_text(value: Any) -> str:
    """``value`` as the command line takes it: a list by commas."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def notebook_sources() -> list[Path]:
    """The notebooks' percent-format sources, by name."""
    return sorted(in_clone("notebooks").glob("*.py"))


def find_source(name: str) -> Path:
    """The source of notebook ``name``; a RequestError names the nearest known ones."""
    sources = {source.stem: source for source in notebook_sources()}
    stem = Path(name).stem if name.endswith((".py", ".ipynb")) else name
    if stem not in sources:
        raise unknown("notebook", name, sources)
    return sources[stem]


def read_parameters(source: Path) -> list[Parameter]:
    """The parameters that a source declares: annotated literals, one a line."""
    text = source.read_text(encoding="utf-8")
    cell = text.partition('tags=["parameters"]')[2].partition("\n# %%")[0]
    lines = cell.partition("\n")[2]
    declared = []
    for node in ast.parse(lines).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            parameter = Parameter(node.target.id, ast.unparse(node.annotation), ast.literal_eval(node.value))
            default = parameter.convert(parameter.default)
            said = "\n".join(lines.splitlines()[node.lineno - 1 : node.end_lineno])
            declared.append(replace(parameter, default=default, may_be_empty=default == [] or "; empty:" in said))
    return declared


def convert(source: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` in the declared types.

    Raises:
        RequestError: a name is not declared (the nearest is named) or a value does not fit.
    """
    declared = {parameter.name: parameter for parameter in read_parameters(source)}
    for name in given:
        if name not in declared:
            raise RequestError(
                f"notebook '{source.stem}' has no parameter '{name}'; {nearest(name, declared)}",
                code="unknown-parameter",
            )
    return {name: declared[name].convert(value) for name, value in given.items()}


def checked(notebook: str, variables: Mapping[str, Any]) -> SimpleNamespace:
    """Inside a notebook: its parameters from ``globals()``, checked and in the declared types."""
    given = {
        name: value
        for name, value in variables.items()
        if not name.startswith("_")
        and name not in _KERNEL_NAMES
        and isinstance(value, bool | int | float | str | list | dict | None)
    }
    return SimpleNamespace(**convert(find_source(notebook), given))
