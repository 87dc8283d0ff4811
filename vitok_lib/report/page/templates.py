"""Sentences from templates: a file of Jinja macros, each of which yields the parts of one sentence.

A template is the English of the report, and what a reader mends. Python hands it numbers, links and names, and a part
stays a part: the evidence level, the tooltip and the link of a number pass through the template untouched. Line breaks
and indentation of a template are single spaces, and a space before a comma, a semicolon or a full stop is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined
from jinja2.nativetypes import NativeEnvironment

from vitok_lib.report.page.content import (
    Code,
    Link,
    Note,
    Number,
    PageLink,
    Part,
    RecordFile,
    Sentence,
    Strong,
    WebLink,
    plain,
)

_PARTS = (Number, Note, Link, Code, RecordFile, WebLink, PageLink, Strong)
_SPACE = re.compile(r"[ \t\n]+")
_BEFORE_STOP = re.compile(r" (?=[,;.](?:\s|$))")


class Sentences:
    """The macros of one file of templates, by name.

    Example:
        ``say = Sentences(folder / "speed.jinja")``, then ``say("fastest", name="compiled", gain=number)``. A value is
        text, a count, a part, or a sentence, which is spliced in; one that the macro reads and does not get is an
        error.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._macros: Any = None

    def __call__(self, name: str, /, **values: object) -> Sentence:
        """The sentence that the macro ``name`` makes of ``values``."""
        if self._macros is None:
            self._macros = _ENVIRONMENT.from_string(self.file.read_text(encoding="utf-8")).module
        return tuple(_tidied(getattr(self._macros, name)(**values)))

    def text(self, name: str, /, **values: object) -> str:
        """The same as text, without evidence levels and links."""
        return plain(self(name, **values))


def listed(items: Sequence[object], last: str = " and ") -> Sentence:
    """``items`` as "one, two and three"; a filter of the templates."""
    parts: list[object] = []
    for index, item in enumerate(items):
        joint = "" if index == 0 else last if index == len(items) - 1 else ", "
        parts += [joint, item]
    return tuple(_flat(parts))


def _flat(values: Iterable[object]) -> Iterator[Part]:
    """Text and parts in a row, whatever they are nested in."""
    for value in values:
        if isinstance(value, tuple | list):
            yield from _flat(value)
        else:
            yield value if isinstance(value, _PARTS) else str(value)


def _tidied(parts: Sequence[Part]) -> Iterator[Part]:
    """``parts`` with neighbouring texts as one, each with single spaces and none at the ends of the sentence."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    for index, part in enumerate(joined):
        if isinstance(part, str):
            part = _SPACE.sub(" ", part)
            part = part.lstrip(" ") if index == 0 else part
            part = _BEFORE_STOP.sub("", part.rstrip(" ") if index == len(joined) - 1 else part)
        if part != "":
            yield part


def _environment() -> NativeEnvironment:
    environment = NativeEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # Jinja joins what a template yields into text; here it stays a row of parts.
    environment.concat = lambda values: tuple(_flat(values))
    environment.filters["listed"] = listed
    environment.globals |= {"strong": Strong, "code": Code}
    return environment


_ENVIRONMENT = _environment()


def sentences(name: str) -> Sentences:
    """The sentences of ``report/findings/templates/<name>.jinja``."""
    return Sentences(Path(__file__).parents[1] / "findings" / "templates" / f"{name}.jinja")
