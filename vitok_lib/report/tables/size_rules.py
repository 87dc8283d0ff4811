"""The same images under both size rules: what the crop and what the resolution change."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import paired
from vitok_lib.report.data.formatting import difference_number, number, significance
from vitok_lib.report.data.paired import Difference
from vitok_lib.report.data.record_view import Entry, natural, preferred
from vitok_lib.report.page.content import Head, Link, Number, Sentence, Table
from vitok_lib.report.page.labels import label
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

CROPPED = "-centre-crop"
"""What the name of a benchmark ends with whose images are cropped; where they are capped it is the name of the set."""


def size_rule_table(entries: Sequence[Entry], image_sets: Sequence[str], quantity: str) -> Table:
    """A row a set, tokenizer and resolution at which both rules were measured: both means, their paired difference.

    Raises:
        RequestError: no tokenizer was measured on the same images of a set under both rules.
    """
    measured = preferred(entry for entry in entries if entry.measured and entry.record.value(quantity))
    rows: list[list[Sentence]] = []
    differences: list[Difference] = []
    for image_set in image_sets:
        capped, cropped = (_by_images(measured, name, quantity) for name in (image_set, image_set + CROPPED))
        for key in sorted(capped.keys() & cropped.keys(), key=lambda key: (natural(key[0]), key[1], len(key[2]))):
            title, resolution, _ = key
            difference = paired.across_protocols(cropped[key], capped[key], quantity)
            differences.append(difference)
            rows.append(
                [
                    (f"{image_set}, n = {difference.n:,}",),
                    (Link(title, capped[key].anchor),),
                    (str(resolution),),
                    *((number(entry, entry.value(quantity)),) for entry in (capped[key], cropped[key])),
                    (difference_number(difference), *significance(difference)),
                ]
            )
    if not rows:
        raise RequestError(
            f"no tokenizer was measured on the same images of {', '.join(image_sets)} under both size rules; measure "
            "one with --rule cap and with --rule centre-crop"
        )
    name = label(quantity, differences[0].entry.value(quantity).unit)
    heads = ("Images", "Tokenizer", "px", f"{name}, longest side capped", f"{name}, centre crop", f"Δ {name}")
    told = say(
        "size_rules",
        metric=label(quantity),
        rows=_counted(len(rows), "rows of the table"),
        higher=_counted(sum(found.mean > 0 for found in differences), "rows with a difference above 0"),
        clear=_counted(sum(found.clear for found in differences), "intervals that exclude 0"),
    )
    return Table(heads=[[Head(text) for text in heads]], rows=rows, notes=[told])


def _counted(count: int, what: str) -> Number:
    return Number(f"{count:,}", Kind.DERIVED, f"derived: {what}")


def _by_images(
    measured: Sequence[Entry], benchmark: str, quantity: str
) -> dict[tuple[str, int, frozenset[str]], Entry]:
    """By tokenizer with its settings, resolution and images; only what keeps the values of single images."""
    return {
        (entry.title, entry.record.resolution, frozenset(entry.per_image["image"])): entry
        for entry in measured
        if entry.record.benchmark == benchmark and paired.holds_single_images(entry, quantity)
    }
