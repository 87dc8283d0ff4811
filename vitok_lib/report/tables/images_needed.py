"""How many images a comparison needs, from how much the images of a measured set differ."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.metrics.statistics import images_needed
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.spreads import Spread, spreads
from vitok_lib.report.page.content import Head, Link, Number, Sentence, Table
from vitok_lib.report.page.labels import three_digits
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

MARGINS = (0.5, 0.1, 0.05)
"""Half the widths of the intervals that are planned for, in the unit of the quantity."""


def images_needed_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """Images for a mean within each of ``MARGINS``: a row a tokenizer, then a row a difference to the PCA baseline.

    Raises:
        RequestError: no measured record of ``case`` keeps the ``quantity`` of two images or more.
    """
    found = spreads(entries, case, quantity)
    if not found:
        raise RequestError(f"no record of '{case}' keeps the '{quantity}' of two images or more")
    unit = found[0].unit
    wanted = [f"n for ±{margin:g} {unit}" for margin in MARGINS]
    heads = ["Mean of", "Images measured", f"Standard deviation, {unit}", *wanted]
    rows = [_row(spread, quantity) for spread in found]
    return Table(heads=[[Head(head) for head in heads]], rows=rows, notes=[say("images_needed")])


def _row(spread: Spread, quantity: str) -> list[Sentence]:
    deviation, (low, high), images = spread.deviation, spread.deviation_interval, len(spread.values)

    def shown(text: str, ends: tuple[str, str], what: str) -> Number:
        tip = f"derived: {what} of {quantity}, {spread.title}, from {images} images · 95 % interval by χ²"
        return Number(text, Kind.DERIVED, tip, spread.entry.anchor, interval=f"[{', '.join(ends)}]")

    cells = [shown(three_digits(deviation), (three_digits(low), three_digits(high)), "standard deviation")]
    for margin in MARGINS:
        needed, fewest, most = (f"{images_needed(size, margin):,}" for size in (deviation, low, high))
        cells.append(shown(needed, (fewest, most), f"images for ±{margin:g}"))
    return [(Link(spread.title, spread.entry.anchor),), (f"{images:,}",), *((cell,) for cell in cells)]
