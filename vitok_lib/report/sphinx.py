"""The Sphinx extension: roles and directives that put records on pages, and fail the build where one is missing.

====================================  ==================================================================
``{value}`photos-512/NAME:psnr` ``    one value; ``[<study>/]<case>/<record>:<quantity>``
``{kinds}``                           the legend
``{findings} best|floor|published``   sentences about ``:cases:``; ``counts`` and ``estimates`` need none
``{quality-table} div8k-1024``        published beside measured
``{image-table} challenge-384``       the values of single images
``{floor-table}``                     distances to the floor over ``:cases:``
``{result-figure} by-tokenizer``      a figure over ``:cases:``; ``by-resolution`` over ``:benchmark:``
``{run-list}``                        every record with its provenance
``{reference-table} machines``        or ``sources``, ``image sets``, ``signatures``, ``photographs``, ``training``
====================================  ==================================================================
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.typing import ExtensionMetadata

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.store import results_root, slug
from vitok_lib.report import claims, runs, tables
from vitok_lib.report import nodes as markup
from vitok_lib.report.entries import Entry, find, load, of_case
from vitok_lib.report.parts import Sentence, Table, number

CACHE = "vitok_entries"


def entries_of(env: BuildEnvironment) -> list[Entry]:
    """Every record, read once a page; the page is then re-made when one of them or this report's code changes."""
    if CACHE not in env.temp_data:
        found = load()
        env.temp_data[CACHE] = found
        for entry in found:
            env.note_dependency(str(entry.path))
            if entry.samples_path:
                env.note_dependency(str(entry.samples_path))
        for path in (*Path(__file__).parent.glob("*.py"), *runs.training_files()):
            env.note_dependency(str(path))
    entries: list[Entry] = env.temp_data[CACHE]
    return entries


def words(argument: str | None) -> list[str]:
    """An option that lists names."""
    return (argument or "").replace(",", " ").split()


class ValueRole(SphinxRole):
    """One value with its kind, unit and interval."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name, _, quantity = self.text.rpartition(":")
        try:
            entry = find(entries_of(self.env), name)
            shown = number(entry, entry.value(quantity), unit=True)
        except RequestError as error:
            raise _missing(self.env, error) from error
        return markup.inlines((shown,), self.env.docname), []


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
        return [markup.table(data, self.env.docname)]

    @property
    def cases(self) -> list[str]:
        found = words(self.options.get("cases"))
        if not found:
            raise RequestError(f"directive '{self.name}' needs the option ':cases:', such as ':cases: photos-512'")
        return found


class Kinds(RecordsDirective):
    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return [markup.legend()]


class Findings(RecordsDirective):
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"cases": directives.unchanged, "quantity": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        by_case: dict[str, Callable[[Sequence[Entry], str, str], list[Sentence]]] = {
            "best": claims.best_measured,
            "floor": claims.distance_to_floor,
            "published": claims.published_bests,
        }
        about, quantity = self.arguments[0], self.options.get("quantity", "psnr")
        if about == "counts":
            sentences = claims.value_counts(entries)
        elif about == "estimates":
            sentences = claims.estimates_met_by_figures(entries, quantity)
        elif about in by_case:
            sentences = [sentence for case in self.cases for sentence in by_case[about](entries, case, quantity)]
        else:
            raise unknown("findings", about, [*by_case, "counts", "estimates"])
        return [markup.bullets(sentences, self.env.docname)] if sentences else []


class QualityTable(RecordsDirective):
    """``:tokenizers:`` names those whose record must be there."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"quantities": directives.unchanged, "tokenizers": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        case = self.arguments[0]
        held = {entry.record.tokenizer.name for entry in of_case(entries, case)}
        missing = [name for name in words(self.options.get("tokenizers")) if name not in held]
        if missing:
            raise RequestError(f"no record of {', '.join(missing)} for '{case}'")
        quantities = words(self.options.get("quantities", "psnr ssim"))
        return self.table(tables.quality_table(entries, case, quantities))


class ImageTable(RecordsDirective):
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"quantity": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return self.table(tables.image_table(entries, self.arguments[0], self.options.get("quantity", "psnr")))


class FloorTable(RecordsDirective):
    option_spec: ClassVar[dict[str, Any]] = {"cases": directives.unchanged, "quantity": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return self.table(tables.floor_table(entries, self.cases, self.options.get("quantity", "psnr")))


class ResultFigure(RecordsDirective):
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "cases": directives.unchanged,
        "benchmark": directives.unchanged,
        "quantity": directives.unchanged,
    }

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        from vitok_lib.report import figures

        kind, quantity = self.arguments[0], self.options.get("quantity", "psnr")
        if kind == "by-resolution":
            about = words(self.options.get("benchmark"))
            if len(about) != 1:
                raise RequestError("figure 'by-resolution' needs one ':benchmark:', such as ':benchmark: div8k'")
            drawing = figures.by_resolution(entries, about[0], quantity)
        elif kind in figures.FIGURES:
            about = self.cases
            drawing = figures.FIGURES[kind](entries, about, quantity)
        else:
            raise unknown("figure", kind, [*figures.FIGURES, "by-resolution"])
        name = f"_static/generated/{slug('-'.join([kind, *about, quantity]))}.svg"
        file = Path(self.env.srcdir) / name
        # An unchanged file keeps its time, or else the page would be out of date at once.
        if not file.exists() or file.read_text(encoding="utf-8") != drawing.svg:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(drawing.svg, encoding="utf-8")
        image = nodes.image(uri=f"/{name}", alt=drawing.alternative)
        return [nodes.figure("", image, nodes.caption("", drawing.caption), classes=["vk-figure"])]


class RunList(RecordsDirective):
    """Every record, a section for each study and case, an anchor for each record."""

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for study, case, data in runs.run_tables(entries):
            title = f"{study}: {case}"
            section = nodes.section("", nodes.title("", title), ids=[f"runs-{nodes.make_id(title)}"], names=[title])
            section += self.table(data)
            found.append(section)
        return found


class ReferenceTable(RecordsDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        known: dict[str, Callable[[], Table]] = {
            "machines": lambda: runs.machine_table(entries),
            "sources": lambda: runs.source_table(entries),
            "image sets": lambda: runs.image_set_table(entries),
            "signatures": lambda: runs.signature_table(entries),
            "photographs": runs.photograph_table,
            "training": lambda: runs.training_table(runs.training_files()),
        }
        name = self.arguments[0]
        if name not in known:
            raise unknown("reference table", name, known)
        data = known[name]()
        if not data.rows:
            return [nodes.paragraph("", f"There are no {name} to list yet.")]
        return self.table(data)


def _missing(env: BuildEnvironment, error: RequestError) -> ExtensionError:
    return ExtensionError(f"page '{env.docname}': {error}")


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Every page with records, when records have come or gone since the last build; Sphinx sees changed ones itself."""
    names = sorted(str(path) for path in [*results_root().glob("*/*/*.json"), *runs.training_files()])
    before = getattr(env, "vitok_files", None)
    env.vitok_files = names  # type: ignore[attr-defined]
    if before == names:
        return []
    return [page for page, files in env.dependencies.items() if __file__ in files]


def copy_records(app: Sphinx, exception: Exception | None) -> None:
    """The records as files of the site, for the links of the page of runs."""
    if exception is not None or app.builder.format != "html":
        return
    target = Path(app.outdir) / markup.RECORDS_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    for entry in load():
        folder = target / entry.study / entry.case
        folder.mkdir(parents=True, exist_ok=True)
        for file in filter(None, (entry.path, entry.samples_path)):
            if file.exists():
                shutil.copyfile(file, folder / file.name)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything with Sphinx."""
    other = (markup.pass_node, markup.pass_node)
    app.add_node(
        markup.record_link,
        html=(markup.visit_record_link, markup.depart_record_link),
        text=other,
        latex=other,
    )
    app.add_role("value", ValueRole())
    for name, directive in {
        "kinds": Kinds,
        "findings": Findings,
        "quality-table": QualityTable,
        "image-table": ImageTable,
        "floor-table": FloorTable,
        "result-figure": ResultFigure,
        "run-list": RunList,
        "reference-table": ReferenceTable,
    }.items():
        app.add_directive(name, directive)
    app.connect("env-get-outdated", outdated)
    app.connect("build-finished", copy_records)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
