"""How distances between sets depend on the number of images, as a table: a row a tokenizer and n."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry, natural, of_case
from vitok_lib.report.page.content import Head, Link, Note, Sentence, Table
from vitok_lib.report.page.labels import in_order, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

_DEVIATION = "-sd"


def distances_by_n_table(entries: Sequence[Entry], case: str) -> Table:
    """The mean of each distance over random subsets of n images, with its quantiles, and its standard deviation.

    Raises:
        RequestError: no record of ``case`` holds a distance at some n.
    """
    held = [(entry, _counts(entry)) for entry in sorted(of_case(entries, case), key=lambda entry: natural(entry.title))]
    points = [value.quantity.partition(":n=") for entry, _ in held for value in entry.record.values]
    metrics = in_order(name for name, _, n in points if n and not name.endswith(_DEVIATION))
    if not metrics:
        raise RequestError(f"no record of '{case}' holds a distance over random subsets")
    columns = [column for metric in metrics for column in (metric, f"{metric}{_DEVIATION}")]
    rows: list[list[Sentence]] = []
    for entry, counts in held:
        for n in counts:
            values = [entry.record.value(f"{column}:n={n}") for column in columns]
            cells: list[Sentence] = [(number(entry, value) if value else Note("–"),) for value in values]
            rows.append([(Link(entry.title, entry.anchor),), (f"{n:,}",), *cells])
    heads = [Head("Tokenizer"), Head("n")]
    for metric in metrics:
        heads += [Head(f"{name_of(metric)}: mean"), Head("Standard deviation")]
    return Table([heads], rows, notes=[say("distances_by_n")])


def _counts(entry: Entry) -> list[int]:
    """The n of an entry, the smallest first."""
    points = (value.quantity.partition(":n=")[2] for value in entry.record.values)
    return sorted({int(point) for point in points if point})
