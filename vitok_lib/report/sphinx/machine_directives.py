"""The directives of speed, memory and work. Where nothing was measured they say so; what a page names must be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from vitok_lib.errors import RequestError, unknown
from vitok_lib.report.data import limits as bounds
from vitok_lib.report.data.groups import CAPACITY, COMPILE, MEMORY, PROFILE, ROOFLINE, SPEED, TILING, WINDOWS
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.findings import speed as speed_claims
from vitok_lib.report.findings import window
from vitok_lib.report.page import docutils_nodes as markup
from vitok_lib.report.page.content import Code, Part, Sentence, Table
from vitok_lib.report.sphinx.directives import RecordsDirective, figure_node, words
from vitok_lib.report.tables import flops, memory
from vitok_lib.report.tables import speed as speed_table

PUBLISHED_WINDOWS = "published-windows"
OWN_TABLES: dict[str, Callable[[Sequence[Entry]], Sequence[tuple[object, Table]]]] = {
    WINDOWS: speed_table.window_tables,
    ROOFLINE: bounds.bound_tables,
    PROFILE: speed_table.profile_tables,
    CAPACITY: memory.capacity_tables,
    PUBLISHED_WINDOWS: speed_table.published_window_tables,
}
"""What a page gets that asks for one of these and names no quantities."""

NOTHING = "vk-nothing"
NOTEBOOKS = {
    WINDOWS: "sliding_window",
    ROOFLINE: "work_and_roofline",
    COMPILE: "compile_modes",
    CAPACITY: MEMORY,
    TILING: MEMORY,
}
"""The notebook that measures a benchmark, where it has not its name."""


def how_to_measure(benchmarks: Sequence[str]) -> Sentence:
    """What stands where nothing was measured, or published."""
    if PUBLISHED_WINDOWS in benchmarks:
        return ("No source has published it.",)
    parts: list[Part] = []
    for notebook in dict.fromkeys(NOTEBOOKS.get(benchmark, benchmark) for benchmark in benchmarks):
        parts += [" and " if parts else "Not measured yet. To measure: ", Code(f"vitok run {notebook}")]
    return (*parts, ", on a GPU with ", Code("-p device cuda"), ".")


def sizes_of(argument: str | None) -> list[int]:
    """An option that lists sizes in pixels; a RequestError if it does not."""
    found = words(argument)
    if not found or not all(word.isdigit() for word in found):
        raise RequestError(f"'{argument or ''}' is no list of sizes in pixels, such as '1024 2048'")
    return [int(word) for word in found]


def windows_of(argument: str | None) -> list[int | None]:
    """An option that lists windows, ``full`` for none, which is what it is without the option."""
    asked = words(argument) or ["full"]
    wrong = [word for word in asked if word != "full" and not word.isdigit()]
    if wrong:
        raise RequestError(f"'{wrong[0]}' is no window: give 'full' or a radius in tokens")
    return [None if word == "full" else int(word) for word in asked]


def where_of(argument: str | None) -> Mapping[str, str]:
    """An option of pairs such as ``path=fast window=*``, by their names."""
    pairs = [word.partition("=") for word in words(argument)]
    wrong = [name for name, sign, value in pairs if not sign or not value]
    if wrong:
        raise RequestError(f"':where: {argument}' has '{wrong[0]}' without a value; give pairs such as 'path=fast'")
    return {name: value for name, _, value in pairs}


class MachinesDirective(RecordsDirective):
    """What the directives of measurements on machines share: the names in the argument, and what stands for nothing."""

    required_arguments = 1
    final_argument_whitespace = True

    @property
    def names(self) -> list[str]:
        return words(self.arguments[0])

    def not_measured(self, benchmarks: Sequence[str]) -> list[nodes.Node]:
        """How to measure, said once where several in a row have nothing to show."""
        parent: Any = self.state_machine.node
        note = markup.paragraph(how_to_measure(benchmarks), self.env.docname)
        before = parent.children[-1] if parent.children else nodes.Text("")
        if isinstance(before, nodes.paragraph) and NOTHING in before["classes"] and before.astext() == note.astext():
            return []
        note["classes"].append(NOTHING)
        return [note]


class MachineTable(MachinesDirective):
    """``:tokenizers:`` names those whose record must be there."""

    option_spec: ClassVar[dict[str, Any]] = {
        "quantities": directives.unchanged,
        "where": directives.unchanged,
        "tokenizers": directives.unchanged,
    }

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        quantities, tokenizers = words(self.options.get("quantities")), words(self.options.get("tokenizers"))
        where = where_of(self.options.get("where"))
        found: Sequence[tuple[object, Table]]
        if not quantities:
            if len(self.names) != 1 or self.names[0] not in OWN_TABLES:
                raise RequestError(
                    f"table '{self.arguments[0]}' needs ':quantities:'; without: {', '.join(OWN_TABLES)}"
                )
            if where or tokenizers:
                raise RequestError(
                    f"table '{self.arguments[0]}' takes ':where:' and ':tokenizers:' with ':quantities:'"
                )
            found = OWN_TABLES[self.names[0]](entries)
        else:
            found = speed_table.machine_tables(entries, self.names, quantities, where=where, tokenizers=tokenizers)
        if not found:
            return self.not_measured(self.names)
        return [
            node
            for title, data in found
            for node in (nodes.paragraph("", "", nodes.strong("", _capital(str(title)))), *self.table(data))
        ]


class MachineFigure(MachinesDirective):
    option_spec: ClassVar[dict[str, Any]] = {
        "benchmarks": directives.unchanged,
        "quantity": directives.unchanged,
        "where": directives.unchanged,
        "cases": directives.unchanged,
    }

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        from vitok_lib.report.figures import frontier
        from vitok_lib.report.figures import speed as speed_figures

        kind, quantity = self.arguments[0], self.options.get("quantity", "latency")
        about: list[str] = []
        benchmarks = {"roofline": [ROOFLINE], "time": [PROFILE], "memory-frontier": [MEMORY], "quality": [SPEED]}.get(
            kind, words(self.options.get("benchmarks"))
        )
        if kind == "by-tokens":
            if not benchmarks:
                raise RequestError("figure 'by-tokens' needs ':benchmarks:', such as ':benchmarks: speed'")
            found = speed_figures.by_tokens(entries, benchmarks, quantity, where_of(self.options.get("where")))
            about = [*benchmarks, quantity]
        elif kind == "roofline":
            found = speed_figures.rates_under_ceilings(entries)
        elif kind == "time":
            found = speed_figures.time_by_operation(entries)
        elif kind == "memory-frontier":
            found = frontier.memory_frontier(entries)
        elif kind == "quality":
            about = self.cases
            quantity = self.options.get("quantity", "psnr")
            found = [pair for case in about for pair in frontier.quality_and_speed(entries, case, quantity)]
        else:
            raise unknown("figure of machines", kind, ["by-tokens", "roofline", "time", "memory-frontier", "quality"])
        if not found:
            return self.not_measured(benchmarks)
        title = "-".join([kind, *about])
        return [
            figure_node(self.env, f"{title}-{index}-{machine.slug}", drawing)
            for index, (machine, drawing) in enumerate(found)
        ]


class MachineFindings(MachinesDirective):
    """Sentences; those on patches take ``:tokenizers:``, the one with the larger patch first."""

    option_spec: ClassVar[dict[str, Any]] = {"tokenizers": directives.unchanged, "resolutions": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        sentences = [sentence for name in self.names for sentence in self._sentences(entries, name)]
        return [markup.bullets(sentences, self.env.docname)] if sentences else []

    def _sentences(self, entries: Sequence[Entry], name: str) -> list[Sentence]:
        tokenizers, resolutions = words(self.options.get("tokenizers")), self.options.get("resolutions")
        claims = {**window.CLAIMS, **speed_claims.CLAIMS, **memory.CLAIMS, "bounds": bounds.bound_claims}
        claims["published-work"] = flops.published_work
        named: dict[str, Callable[[], list[Sentence]]] = {
            "equal-work": lambda: flops.where_attention_equals_linear(tokenizers),
            "patches": lambda: speed_claims.patches_measured(entries, *self._two(tokenizers)),
            "patches-work": lambda: flops.patches_compared(*self._two(tokenizers), sizes_of(resolutions)),
        }
        if name in named:
            return named[name]()
        if name not in claims:
            raise unknown("findings on machines", name, [*claims, *named])
        return claims[name](entries)

    def _two(self, tokenizers: Sequence[str]) -> tuple[str, str]:
        if len(tokenizers) != 2:
            raise RequestError(f"findings on patches need two ':tokenizers:', not {len(tokenizers)}")
        return tokenizers[0], tokenizers[1]


class WorkTable(MachinesDirective):
    option_spec: ClassVar[dict[str, Any]] = {"resolutions": directives.unchanged, "windows": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        resolutions, windows = sizes_of(self.options.get("resolutions")), windows_of(self.options.get("windows"))
        return self.table(flops.work_table(self.names, resolutions, windows))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("study ") else text


MACHINE_DIRECTIVES: dict[str, type[RecordsDirective]] = {
    "machine-table": MachineTable,
    "machine-figure": MachineFigure,
    "machine-findings": MachineFindings,
    "work-table": WorkTable,
}
"""Each directive by the name that pages use."""
