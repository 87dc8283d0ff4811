"""How directives become parts of a page: records in, nodes out, and a failing build where a record is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst.directives import unchanged
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

from vitok_lib.errors import RequestError
from vitok_lib.records.store import slug
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry, find, load
from vitok_lib.report.page import docutils_nodes
from vitok_lib.report.page.content import Sentence, Table
from vitok_lib.report.page.csv import write_csv
from vitok_lib.report.sphinx.request import Request
from vitok_lib.report.tables.runs import training_files

if TYPE_CHECKING:
    from vitok_lib.report.figures.drawing import Drawing

NOTED = "vitok_noted"
TABLES = "vitok_tables"
GENERATED = "_static/generated"
"""Where a build puts figures and tables as files, under the folder of the pages."""
NOTHING = "vk-nothing"
SOURCES = (".py", ".jinja", ".yml")


@dataclass(frozen=True)
class Titled:
    """A table under a title: a line of bold print, or a ``section`` that can be linked to."""

    title: str
    table: Table
    section: bool = False


@dataclass(frozen=True)
class Wide:
    """A table whose first column holds questions and not names, so that its lines wrap."""

    table: Table


@dataclass(frozen=True)
class Picture:
    """A drawing, kept as a file named after ``name``."""

    name: str
    drawing: Drawing


@dataclass(frozen=True)
class Missing:
    """What is printed where nothing was measured; of several in a row that say the same, one is printed."""

    sentence: Sentence


Content = Table | Sentence | Titled | Wide | Picture | Missing | nodes.Node
"""What a directive shows; sentences in a row become a list."""


@dataclass(frozen=True)
class Spec:
    """A directive: what it shows, how many ``arguments`` it takes (the last may hold spaces), its ``options``."""

    make: Callable[[Request], Iterable[Content]]
    arguments: int = 0
    options: Sequence[str] = ()

    def directive(self) -> type[RecordsDirective]:
        return type(
            "SpecDirective",
            (_SpecDirective,),
            {
                "spec": self,
                "required_arguments": self.arguments,
                "final_argument_whitespace": self.arguments == 1,
                "option_spec": dict.fromkeys(self.options, unchanged),
            },
        )


@lru_cache(maxsize=1)
def records_of(app: Sphinx) -> list[Entry]:
    """Every record, read once a build, which is what ``app`` is."""
    return load()


def entries_of(env: BuildEnvironment) -> list[Entry]:
    """Every record; the page that asks is made anew when one of them or this report's sources change."""
    entries = records_of(env.app)
    if NOTED not in env.temp_data:
        env.temp_data[NOTED] = True
        sources = [path for path in Path(__file__).parents[1].rglob("*") if path.suffix in SOURCES]
        for path in (*(entry.path for entry in entries), *(entry.samples_path for entry in entries), *sources):
            if path is not None:
                env.note_dependency(str(path))
        for path in training_files():
            env.note_dependency(str(path))
    return entries


class ValueRole(SphinxRole):
    """One value with its evidence level, unit and interval."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name, _, quantity = self.text.rpartition(":")
        try:
            entry = find(entries_of(self.env), name)
            shown = number(entry, entry.value(quantity), unit=True)
        except RequestError as error:
            raise _missing(self.env, error) from error
        return docutils_nodes.inlines((shown,), self.env.docname), []


class RecordsDirective(SphinxDirective):
    """What all directives share: the records at hand, and a failing build where one is missing."""

    def run(self) -> list[nodes.Node]:
        try:
            return self.make(entries_of(self.env))
        except RequestError as error:
            raise _missing(self.env, error) from error

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        raise NotImplementedError

    def table(self, data: Table) -> list[nodes.Node]:
        """A table on the page, with a CSV file of it that is named after the page and the place on it."""
        if not data.rows:
            return docutils_nodes.table(data, self.env.docname)
        place = self.env.temp_data[TABLES] = self.env.temp_data.get(TABLES, 0) + 1
        asked = "-".join([self.name, *self.arguments]).replace(" ", "-")
        name = f"{GENERATED}/{slug(f'{self.env.docname}-{place}-{asked}')}.csv"
        write_csv(data, Path(self.env.srcdir) / name)
        return docutils_nodes.table(data, self.env.docname, csv=name)


class _SpecDirective(RecordsDirective):
    """A directive of the table of directives."""

    spec: Spec

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        request = Request(self.name, self.arguments, self.options, entries)
        made: list[nodes.Node] = []
        for is_sentence, group in groupby(self.spec.make(request), key=lambda item: isinstance(item, tuple)):
            if is_sentence:
                made.append(docutils_nodes.bullets(list(group), self.env.docname))  # type: ignore[arg-type]
            else:
                made += [node for item in group for node in self._shown(item)]
        return made

    def _shown(self, item: Content) -> list[nodes.Node]:
        match item:
            case Table():
                return self.table(item)
            case Wide():
                return [nodes.container("", *self.table(item.table), classes=["vk-wrap"])]
            case Titled(title, data, section=True):
                anchor = f"runs-{nodes.make_id(title)}"
                return [nodes.section("", nodes.title("", title), *self.table(data), ids=[anchor], names=[title])]
            case Titled(title, data):
                return [nodes.paragraph("", "", nodes.strong("", title)), *self.table(data)]
            case Picture(name, drawing):
                return [_figure(self.env, name, drawing)]
            case Missing(sentence):
                return self._missing_once(docutils_nodes.paragraph(sentence, self.env.docname))
            case nodes.Node():
                return [item]
        raise TypeError(f"{type(item).__name__} is nothing that a page shows")

    def _missing_once(self, note: nodes.paragraph) -> list[nodes.Node]:
        parent: Any = self.state_machine.node
        before = parent.children[-1] if parent.children else nodes.Text("")
        if isinstance(before, nodes.paragraph) and NOTHING in before["classes"] and before.astext() == note.astext():
            return []
        note["classes"].append(NOTHING)
        return [note]


def _figure(env: BuildEnvironment, title: str, drawing: Drawing) -> nodes.Node:
    """A drawing on a page, as a file of the site named after ``title``."""
    name = f"{GENERATED}/{slug(title)}.svg"
    file = Path(env.srcdir) / name
    # An unchanged file keeps its time, or else the page would be out of date at once.
    if not file.exists() or file.read_text(encoding="utf-8") != drawing.svg:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(drawing.svg, encoding="utf-8")
    image = nodes.image(uri=f"/{name}", alt=drawing.alternative)
    return nodes.figure("", image, nodes.caption("", drawing.caption), classes=["vk-figure"])


def _missing(env: BuildEnvironment, error: RequestError) -> ExtensionError:
    return ExtensionError(f"page '{env.docname}': {error}")
