"""The directives of the page of claims: the count of each verdict, all claims in a table, each with its evidence."""

from __future__ import annotations

from collections.abc import Sequence

from docutils import nodes

from vitok_lib.records.schema import Kind
from vitok_lib.report.claims.evidence import quote
from vitok_lib.report.claims.judge import counts, evaluate_claims
from vitok_lib.report.claims.registry import CLAIMS
from vitok_lib.report.claims.verdict import EvaluatedClaim, Verdict
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page import docutils_nodes
from vitok_lib.report.page.content import Code, Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.seal import VERDICT_CLASS, anchor
from vitok_lib.report.sphinx.directives import RecordsDirective

CACHE = "vitok_evaluated_claims"

MEANINGS = {
    Verdict.CONFIRMED: "a measurement, or arithmetic on the architecture, agrees within the tolerance",
    Verdict.REFUTED: "a measurement, arithmetic on the architecture, or the document's own figures contradict it",
    Verdict.NOT_COMPARABLE: (
        "its numbers differ in protocol or are not independent of the tokenizer (†); nothing follows from them"
    ),
    Verdict.NOT_CHECKABLE: "the document leaves out what a check needs, such as its machine, its batch or its images",
    Verdict.NOT_MEASURED: "no measurement here decides it yet; figures printed later by others do not",
}


class ClaimsDirective(RecordsDirective):
    """The claims, evaluated once a page; the page depends on the file of claims."""

    def make(self, entries: Sequence[Entry]) -> list[nodes.Node]:
        self.env.note_dependency(str(CLAIMS))
        if CACHE not in self.env.temp_data:
            self.env.temp_data[CACHE] = evaluate_claims(entries)
        return self.show(self.env.temp_data[CACHE])

    def show(self, evaluated: Sequence[EvaluatedClaim]) -> list[nodes.Node]:
        raise NotImplementedError


class ClaimCounts(ClaimsDirective):
    """How many claims got each verdict, and what each verdict means."""

    def show(self, evaluated: Sequence[EvaluatedClaim]) -> list[nodes.Node]:
        return self.table(counts_table(evaluated))


class ClaimOverview(ClaimsDirective):
    """Every claim in a row that leads to its evidence."""

    def show(self, evaluated: Sequence[EvaluatedClaim]) -> list[nodes.Node]:
        made = self.table(overview(evaluated))
        rows = next(iter(made[0].findall(nodes.tbody))).findall(nodes.row)
        for row, item in zip(rows, evaluated, strict=True):
            _, paragraph, *_ = row.findall(nodes.paragraph)
            link = nodes.reference("", "", *paragraph.children, refid=anchor(item.claim.id), internal=True)
            paragraph.children = []
            paragraph += link
        return made


class ClaimList(ClaimsDirective):
    """A section for each chapter of the document: each claim with its verdict, its evidence and its rule."""

    def show(self, evaluated: Sequence[EvaluatedClaim]) -> list[nodes.Node]:
        chapters: dict[str, list[EvaluatedClaim]] = {}
        for item in evaluated:
            chapters.setdefault(item.claim.where.partition(",")[0], []).append(item)
        found: list[nodes.Node] = []
        for title, items in chapters.items():
            section = nodes.section("", nodes.title("", title), ids=[nodes.make_id(f"claims {title}")], names=[title])
            section += [self._block(item) for item in items]
            found.append(section)
        return found

    def _block(self, item: EvaluatedClaim) -> nodes.Node:
        claim, docname = item.claim, self.env.docname
        kind = item.verdict.value.replace(" ", "-")
        verdict = nodes.strong("", item.verdict.value, classes=[VERDICT_CLASS, f"{VERDICT_CLASS}-{kind}"])
        head = nodes.paragraph("", "", verdict, nodes.Text(f" · {claim.statement}"), classes=["vk-claim-head"])
        box = nodes.container("", head, ids=[anchor(claim.id)], classes=["vk-claim"])
        instead = [item.correction] if item.correction and item.correction not in item.evidence else []
        box += docutils_nodes.bullets([*instead, *item.evidence, _rule(item)], docname)
        return box


def counts_table(evaluated: Sequence[EvaluatedClaim]) -> Table:
    """A row for each verdict."""
    rows: list[list[Sentence]] = []
    for verdict, count in counts(evaluated).items():
        shown = Number(f"{count:,}", Kind.DERIVED, f"derived: claims with the verdict '{verdict}', counted")
        rows.append([(verdict.value,), (shown,), (MEANINGS[verdict],)])
    return Table(heads=[[Head("Verdict"), Head("Claims"), Head("Meaning")]], rows=rows)


def overview(evaluated: Sequence[EvaluatedClaim]) -> Table:
    """A row for each claim, in the order of the document."""
    rows: list[list[Sentence]] = [
        [(item.verdict.value,), (item.claim.statement,), (stated(item),), (item.basis,)] for item in evaluated
    ]
    heads = ("Verdict", "Claim", "Published", "Rests on")
    return Table(heads=[[Head(text) for text in heads]], rows=rows)


def stated(item: EvaluatedClaim) -> Part:
    """The number that the document gives in this claim, ready for print."""
    return quote(item.claim) or Note("no number")


def _rule(item: EvaluatedClaim) -> Sentence:
    claim = item.claim
    parts: list[Part] = ["Decided by the rule ", Code(claim.rule.name), f"; the verdict rests on {item.basis}."]
    if claim.published is not None:
        parts += [" Published: ", stated(item)]
        if claim.tolerance is not None and item.verdict != Verdict.NOT_COMPARABLE:
            parts.append(f", with a tolerance of {claim.tolerance:g} {claim.unit}".rstrip())
        parts.append(".")
    return (*parts, f" In the document: {claim.where}.")


CLAIM_DIRECTIVES: dict[str, type[RecordsDirective]] = {
    "claim-counts": ClaimCounts,
    "claim-overview": ClaimOverview,
    "claim-list": ClaimList,
}
"""Each directive by the name that pages use."""
