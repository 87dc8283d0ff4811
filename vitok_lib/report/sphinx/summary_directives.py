"""The directives of the summary and of the key comparisons: best per question, who measured what, two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from vitok_lib.errors import RequestError
from vitok_lib.report.claims.verdict import Judged
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page import docutils_nodes as markup
from vitok_lib.report.sphinx.claim_directives import ClaimsDirective
from vitok_lib.report.sphinx.directives import RecordsDirective, words
from vitok_lib.report.tables.best import best_table, outcomes_sentence, verdict_sentence
from vitok_lib.report.tables.coverage import coverage_table
from vitok_lib.report.tables.versus import versus_table


class BestTable(RecordsDirective):
    option_spec: ClassVar[dict[str, Any]] = {"benchmarks": directives.unchanged, "quantities": directives.unchanged}

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        benchmarks = words(self.options.get("benchmarks"))
        if not benchmarks:
            raise RequestError("directive 'best-table' needs ':benchmarks:', such as ':benchmarks: div8k photos'")
        made = self.table(best_table(entries, benchmarks, words(self.options.get("quantities", "psnr"))))
        return [nodes.container("", *made, classes=["vk-wrap"])]  # its first column is a question and not a name


class CoverageTable(RecordsDirective):
    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return self.table(coverage_table(entries))


class ClaimSummary(ClaimsDirective):
    def show(self, judged: Sequence[Judged]) -> list[nodes.Node]:
        return [markup.paragraph(verdict_sentence(judged), self.env.docname)]


class OutcomeSummary(RecordsDirective):
    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        return [markup.paragraph(sentence, self.env.docname) for sentence in outcomes_sentence(entries)]


class VersusTable(RecordsDirective):
    """Two tokenizers; what stands below the table stays where there is no row for it."""

    required_arguments = 2

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        first, second = self.arguments
        data = versus_table(entries, first, second)
        if data.rows:
            return [nodes.container("", *self.table(data), classes=["vk-wrap"])]
        nothing = f"Of {first} and {second} nothing is compared yet."
        told = [markup.paragraph(note, self.env.docname) for note in data.notes]
        return [nodes.paragraph("", nothing), *told]


SUMMARY_DIRECTIVES: dict[str, type[RecordsDirective]] = {
    "best-table": BestTable,
    "coverage-table": CoverageTable,
    "claim-summary": ClaimSummary,
    "outcome-summary": OutcomeSummary,
    "versus-table": VersusTable,
}
"""Each directive by the name that pages use."""
