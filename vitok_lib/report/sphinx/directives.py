"""The roles and directives of the report: each asks for something of the records, and fails the build without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

from vitok_lib.errors import RequestError, unknown
from vitok_lib.records.store import slug
from vitok_lib.report.data import paired
from vitok_lib.report.data.record_view import Entry, find, load, of_case
from vitok_lib.report.findings import quality as claims
from vitok_lib.report.page import docutils_nodes as markup
from vitok_lib.report.page.content import Sentence, Table
from vitok_lib.report.page.csv import write_csv
from vitok_lib.report.page.formatting import number
from vitok_lib.report.tables import by_image as tables
from vitok_lib.report.tables import runs
from vitok_lib.report.tables.quality import quality_table

if TYPE_CHECKING:
    from vitok_lib.report.figures.drawing import Drawing

CACHE = "vitok_entries"
TABLES = "vitok_tables"
GENERATED = "_static/generated"
"""Where a build puts what the directives draw and write, under the folder of the pages."""
PAIRED = "paired"
"""The one figure of two tokenizers that a page names."""
SIGNATURES = "signatures"
"""The one reference that is a list: a signature and its formula are too long for columns."""


def entries_of(env: BuildEnvironment) -> list[Entry]:
    """Every record, read once a page; the page is then re-made when one of them or this report's code changes."""
    if CACHE not in env.temp_data:
        found = load()
        env.temp_data[CACHE] = found
        for entry in found:
            env.note_dependency(str(entry.path))
            if entry.samples_path:
                env.note_dependency(str(entry.samples_path))
        for path in (*Path(__file__).parents[1].rglob("*.py"), *runs.training_files()):
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
        """A table on the page, with a file of it to download that is named after the page and the place on it."""
        if not data.rows:
            return markup.table(data, self.env.docname)
        place = self.env.temp_data[TABLES] = self.env.temp_data.get(TABLES, 0) + 1
        asked = "-".join([self.name, *self.arguments]).replace(" ", "-")
        name = f"{GENERATED}/{slug(f'{self.env.docname}-{place}-{asked}')}.csv"
        write_csv(data, Path(self.env.srcdir) / name)
        return markup.table(data, self.env.docname, csv=name)

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
            "bias": claims.bias_with_n,
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
        return self.table(quality_table(entries, case, quantities))


class ImageTable(RecordsDirective):
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"quantity": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return self.table(tables.image_table(entries, self.arguments[0], self.options.get("quantity", "psnr")))


class FloorTable(RecordsDirective):
    option_spec: ClassVar[dict[str, Any]] = {"cases": directives.unchanged, "quantity": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return self.table(tables.floor_table(entries, self.cases, self.options.get("quantity", "psnr")))


class PairsTable(RecordsDirective):
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"quantity": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        pairs = paired.all_pairs(entries, self.arguments[0], self.options.get("quantity", "psnr"))
        return self.table(tables.pairs_table(pairs))


class ResultFigure(RecordsDirective):
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "cases": directives.unchanged,
        "benchmark": directives.unchanged,
        "quantity": directives.unchanged,
        "tokenizers": directives.unchanged,
    }

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        from vitok_lib.report.figures import by_image as image_figures
        from vitok_lib.report.figures import quality as figures

        kind, quantity = self.arguments[0], self.options.get("quantity", "psnr")
        if kind == "by-resolution":
            about = words(self.options.get("benchmark"))
            if len(about) != 1:
                raise RequestError("figure 'by-resolution' needs one ':benchmark:', such as ':benchmark: div8k'")
            drawing = figures.by_resolution(entries, about[0], quantity)
        elif kind == PAIRED:
            about, tokenizers = self.cases, words(self.options.get("tokenizers"))
            drawing = image_figures.paired_images(entries, about, quantity, tokenizers)
            about += tokenizers
        elif kind in figures.FIGURES:
            about = self.cases
            drawing = figures.FIGURES[kind](entries, about, quantity)
        else:
            raise unknown("figure", kind, [*figures.FIGURES, "by-resolution", PAIRED])
        return [figure_node(self.env, "-".join([kind, *about, quantity]), drawing)]


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
            "photographs": runs.photograph_table,
            "training": lambda: runs.training_table(runs.training_files()),
        }
        name = self.arguments[0]
        if name == SIGNATURES:
            told = runs.signature_list(entries)
            return [markup.bullets(told, self.env.docname)] if told else []
        if name not in known:
            raise unknown("reference table", name, [*known, SIGNATURES])
        data = known[name]()
        if not data.rows:
            return [nodes.paragraph("", f"There are no {name} to list yet.")]
        return self.table(data)


def figure_node(env: BuildEnvironment, title: str, drawing: Drawing) -> nodes.Node:
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


DIRECTIVES: dict[str, type[RecordsDirective]] = {
    "kinds": Kinds,
    "findings": Findings,
    "quality-table": QualityTable,
    "image-table": ImageTable,
    "floor-table": FloorTable,
    "pairs-table": PairsTable,
    "result-figure": ResultFigure,
    "run-list": RunList,
    "reference-table": ReferenceTable,
}
"""Each directive by the name that pages use."""
