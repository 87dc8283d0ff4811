"""How many images a comparison needs, from how much the images of a measured set differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.metrics.statistics import deviation_interval, images_needed
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.page.content import Head, Link, Number, Sentence, Table
from vitok_lib.report.page.labels import three_digits
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

MARGINS = (0.5, 0.1, 0.05)
"""Half the widths of the intervals that are planned for, in the unit of the quantity."""


def images_needed_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """Images for a mean within each of ``MARGINS``: a row a tokenizer, then a row a difference to the PCA baseline.

    Codecs are left out: each of their many rates is a row.

    Raises:
        RequestError: no measured record of ``case`` keeps the ``quantity`` of two images or more.
    """
    _, shared = protocol.common(entries, case, quantity)
    learned = [candidate.entry for candidate in shared if candidate.entry.record.tokenizer.family != "codec"]
    held = [entry for entry in learned if paired.holds_single_images(entry, quantity)]
    held.sort(key=lambda entry: natural(entry.title))
    columns = [(entry.title, entry, entry.per_image[quantity].to_numpy(np.float64)) for entry in held]
    for entry in held:
        difference = paired.to_baseline(entry, held, quantity)
        if difference:
            title = f"{entry.title} minus {difference.other.title}"
            columns.append((title, entry, paired.by_image(entry, difference.other, quantity)))
    rows = [_row(title, entry, column[~np.isnan(column)], quantity) for title, entry, column in columns]
    found = [row for row in rows if row]
    if not found:
        raise RequestError(f"no record of '{case}' keeps the '{quantity}' of two images or more")
    unit = held[0].value(quantity).unit
    wanted = [f"n for ±{margin:g} {unit}" for margin in MARGINS]
    heads = ["Mean of", "Images measured", f"Standard deviation, {unit}", *wanted]
    return Table(heads=[[Head(head) for head in heads]], rows=found, notes=[say("images_needed")])


def _row(title: str, entry: Entry, values: NDArray[np.float64], quantity: str) -> list[Sentence]:
    """Empty for fewer than two images, or where all are equal."""
    if len(values) < 2 or not values.std():
        return []
    deviation, (low, high) = float(values.std(ddof=1)), deviation_interval(values)

    def shown(text: str, ends: tuple[str, str], what: str) -> Number:
        tip = f"derived: {what} of {quantity}, {title}, from {len(values)} images · 95 % interval by χ²"
        return Number(text, Kind.DERIVED, tip, entry.anchor, interval=f"[{', '.join(ends)}]")

    cells = [shown(three_digits(deviation), (three_digits(low), three_digits(high)), "standard deviation")]
    for margin in MARGINS:
        needed, fewest, most = (f"{images_needed(size, margin):,}" for size in (deviation, low, high))
        cells.append(shown(needed, (fewest, most), f"images for ±{margin:g}"))
    return [(Link(title, entry.anchor),), (f"{len(values):,}",), *((cell,) for cell in cells)]
