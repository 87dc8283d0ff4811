"""From the report's plain parts to docutils nodes and HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from docutils import nodes
from sphinx import addnodes

from vitok_lib.records.schema import Kind
from vitok_lib.report.page.content import (
    CAVEAT_MARK,
    NOT_MEASURED,
    RUNS_PAGE,
    Code,
    Link,
    Note,
    Number,
    PageLink,
    Part,
    RecordFile,
    Sentence,
    Strong,
    Table,
    WebLink,
)

RECORDS_FOLDER = "records"

MARKS = {Kind.MEASURED: "", Kind.DERIVED: "⁼", Kind.PUBLISHED: "", Kind.ESTIMATED: "*"}
"""Marks in the text, since typography alone does not survive copying."""

COUNT = "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
"""A line breaks before a count and not within it."""
_UNIT = re.compile(r"(?<=\d) (?=(?:px|GiB|MiB|ms|dB|%)(?!\w))")

DENSE = 10
"""A table of more columns is set closer, so that it fits on a page of 1,440 px."""

LEGEND = (
    # The classes of a sample, the sample, and what it means.
    ("vk vk-measured", "measured", "by this project; each links to its record"),
    ("vk vk-derived", f"derived{MARKS[Kind.DERIVED]}", "arithmetic on measured values or on the architecture"),
    ("vk vk-published", "published", "reported by someone else, not checked here"),
    ("vk vk-estimated", f"estimated{MARKS[Kind.ESTIMATED]}", "estimated by someone else; supports no conclusion"),
    ("vk-interval", "[low, high]", "95 % interval"),
    ("vk vk-measured vk-best", "boxed", "best of one protocol at one rate, as far as can be tested"),
    ("vk vk-measured vk-ended", "OOM", "outcome of a run without a value"),
    ("vk-note vk-missing", NOT_MEASURED, "no record here"),
    ("vk", CAVEAT_MARK, "the metric is not independent of the tokenizer; never ranked"),
)
"""How each evidence level and each mark looks and what it means; the bar on top of every page shows it."""


class record_link(nodes.Inline, nodes.TextElement):  # noqa: N801  docutils names nodes so
    """A link from any page to an entry on the page of runs.

    ``tip`` is its tooltip, ``amount`` the number that the script of tables sorts by.
    """


def visit_record_link(translator: Any, node: record_link) -> None:
    attributes = {"class": " ".join(node["classes"])}
    if node["tip"]:
        attributes["title"] = node["tip"]
    if node["amount"] is not None:
        attributes["data-amount"] = repr(node["amount"])
    if node["anchor"]:
        page = translator.builder.get_relative_uri(translator.builder.current_docname, RUNS_PAGE)
        attributes["href"] = f"{page}#{node['anchor']}"
    tag = "a" if node["anchor"] else "span"
    translator.body.append(translator.starttag(nodes.inline(), tag, "", **attributes))
    translator.context.append(f"</{tag}>")


def depart_record_link(translator: Any, node: record_link) -> None:
    translator.body.append(translator.context.pop())


def pass_node(translator: Any, node: nodes.Node) -> None:
    """Other builders print the text alone."""


def inlines(sentence: Sequence[Part], docname: str) -> list[nodes.Node]:
    """A sentence as inline nodes of the page ``docname``."""
    return [node for part in sentence for node in _inline(part, docname)]


def _inline(part: Part, docname: str) -> list[nodes.Node]:
    match part:
        case str():
            return [nodes.Text(_unbroken(part))]
        case Number():
            classes = ["vk", f"vk-{part.kind.value}"]
            classes += [name for name, holds in (("vk-best", part.best), ("vk-ended", part.ended)) if holds]
            marks = MARKS[part.kind] + (CAVEAT_MARK if part.caveat else "")
            shown: list[nodes.Node] = [_link(part.text + marks, part.anchor, classes, part.tip, part.amount)]
            if part.interval:
                shown += [nodes.Text(" "), nodes.inline("", part.interval, classes=["vk-interval"])]
            return shown
        case Note():
            missing = ["vk-missing"] if part.text == NOT_MEASURED else []
            return [nodes.inline("", _unbroken(part.text), classes=["vk-note", *missing])]
        case Link():
            return [_link(part.text, part.anchor, ["vk-row"], "")]
        case Code():
            return [nodes.literal("", part.text, classes=["vk-command"] if " " in part.text else [])]
        case RecordFile():
            uri = f"{_up(docname)}{RECORDS_FOLDER}/{quote(part.name, safe='/@=,')}.json"
            return [nodes.reference("", part.name.rpartition("/")[2], refuri=uri, internal=True)]
        case WebLink():
            return [nodes.reference("", part.text, refuri=part.url)]
        case PageLink():
            uri = f"{_up(docname)}{part.page}.html#{part.anchor}"
            return [nodes.reference("", part.text, refuri=uri, internal=True)]
        case Strong():
            return [nodes.strong("", part.text)]


def _up(docname: str) -> str:
    """From the page ``docname`` to the folder of the site."""
    return "../" * docname.count("/")


def _unbroken(text: str) -> str:
    """``text`` whose lines break neither within a count nor between a number and its unit."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", text.replace("n = ", COUNT))


def _link(text: str, anchor: str | None, classes: list[str], tip: str, amount: float | None = None) -> record_link:
    return record_link("", text, anchor=anchor, classes=classes, tip=tip, amount=amount)


def paragraph(sentence: Sentence, docname: str) -> nodes.paragraph:
    return nodes.paragraph("", "", *inlines(sentence, docname))


def bullets(sentences: Sequence[Sentence], docname: str) -> nodes.Node:
    """Sentences as a list, or a lone one as a paragraph."""
    if len(sentences) == 1:
        return paragraph(sentences[0], docname)
    items = [nodes.list_item("", paragraph(sentence, docname)) for sentence in sentences]
    return nodes.bullet_list("", *items)


def table(data: Table, docname: str, csv: str | None = None) -> list[nodes.Node]:
    """A table in a box that scrolls where it is wide, and what is printed below it.

    ``csv`` is the table as a file, under the folder of the pages.
    """
    group = nodes.tgroup("", cols=data.columns)
    group += [nodes.colspec(colwidth=1) for _ in range(data.columns)]
    head = nodes.thead()
    for cells in data.heads:
        row = nodes.row()
        for cell in cells:
            said = (
                nodes.Text(_unbroken(cell.text)) if cell.text else nodes.inline("", "Row", classes=["visually-hidden"])
            )
            entry = nodes.entry("", nodes.paragraph("", "", said))
            if cell.span > 1:
                entry["morecols"] = cell.span - 1
            row += entry
        head += row
    body = nodes.tbody()
    for index, sentences in enumerate(data.rows):
        row = nodes.row(ids=[data.anchors[index]] if data.anchors else [])
        row["classes"] += ["vk-group"] if index in data.groups else []
        row += [nodes.entry("", paragraph(sentence, docname)) for sentence in sentences]
        body += row
    group += [head, body]
    dense = ["vk-dense"] if data.columns > DENSE else []
    box = nodes.container("", nodes.table("", group, classes=["vk-grid"]), classes=["vk-table", *dense])
    below: list[nodes.Node] = [
        nodes.container("", paragraph(note, docname), classes=["vk-below"]) for note in data.notes
    ]
    if csv is not None:
        link = addnodes.download_reference("", "", nodes.Text("This table as CSV"), reftarget=f"/{csv}", refdoc=docname)
        below.append(nodes.container("", nodes.paragraph("", "", link), classes=["vk-below", "vk-download"]))
    return [box, *below]
