"""The records of text that was read before and after a tokenizer, by the height of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from vitok_lib.errors import RequestError
from vitok_lib.images.scripts import LATIN, SCRIPTS, Script
from vitok_lib.images.text_pages import GROUNDS
from vitok_lib.metrics.quantities import interval_over_images, method_of, text_metric
from vitok_lib.metrics.statistics import holm
from vitok_lib.records.schema import Interval, Kind, Value
from vitok_lib.report.data import protocol
from vitok_lib.report.data.paired import TEST, Difference, holds_single_images, paired
from vitok_lib.report.data.protocol import Protocol
from vitok_lib.report.data.rates import places_by_rate, rate_of
from vitok_lib.report.data.record_view import Entry, natural


@dataclass(frozen=True)
class TextRead:
    """Entries of one protocol, those of the highest rate first, and the ``heights`` in pixels that they have.

    At a height of ``drawn`` that is none of these, lines were drawn and none is read rightly in the original.
    """

    shared: Protocol
    entries: list[Entry]
    heights: list[int]
    drawn: list[int]

    @property
    def script(self) -> Script:
        """What the lines are written in: Latin where the image set has no other."""
        return SCRIPTS.get(self.entries[0].record.images.name, LATIN)


def text_read(entries: Sequence[Entry], case: str) -> TextRead:
    """What was measured in ``case`` on the same lines.

    Raises:
        RequestError: nothing was.
    """
    held = {
        _height(value)
        for entry in entries
        if entry.case == case and entry.measured
        for value in entry.record.values
        if text_metric(value.quantity)
    }
    if not held:
        raise RequestError(f"no record of '{case}' holds text by the height of its lines; measure it: vitok run text")
    shared, found = protocol.common(entries, case, f"ned_{max(held)}")
    ordered = sorted((each.entry for each in found), key=lambda entry: (-(rate_of(entry) or 0), natural(entry.title)))
    heights = sorted(height for height in held if all(entry.record.value(f"ned_{height}") for entry in ordered))
    drawn = [_height(value) for value in ordered[0].record.values if value.quantity.startswith("drawn_")]
    return TextRead(shared, ordered, heights, sorted(drawn))


def _height(value: Value) -> int:
    return int(value.quantity.rpartition("_")[2])


def read_from(entry: Entry, heights: Sequence[int], share: float) -> int | None:
    """The least of ``heights`` from which on at least ``share`` of the lines are read rightly; None where none is."""
    least = None
    for height in sorted(heights, reverse=True):
        if entry.value(f"exact-match_{height}").value < share:
            break
        least = height
    return least


@dataclass(frozen=True)
class OnGround:
    """What an entry reads on one ground: how many lines were ``drawn`` and ``counted``, and the mean over pages.

    ``value`` is None where no line counts.
    """

    drawn: int
    counted: int
    value: Value | None


def grounds_of(read: TextRead) -> list[str]:
    """The grounds that the pages have, in their order.

    Raises:
        RequestError: the pages have none, or a record keeps no counts of single pages.
    """
    for entry in read.entries:
        if not holds_single_images(entry, f"lines_{read.heights[0]}"):
            raise RequestError(
                f"record '{entry.name}' has no counts of lines by page; measure it again: vitok run text"
            )
    pages = read.entries[0].per_image["image"]
    found = [ground for ground in GROUNDS if pages.str.startswith(f"{ground}-").any()]
    if not found:
        raise RequestError(f"the pages of '{read.shared.case}' have no grounds; image set text has them")
    return found


def on_ground(entry: Entry, quantity: str, height: int, ground: str) -> OnGround:
    """``ned`` or ``exact-match`` of the lines of ``height`` on the pages with ``ground``."""
    pages = entry.per_image[entry.per_image["image"].str.startswith(f"{ground}-")]
    drawn, counted = (int(pages[f"{what}_{height}"].sum()) for what in ("drawn", "lines"))
    name = f"{quantity}_{height}"
    held = pages[name].dropna().to_numpy()
    if not len(held):
        return OnGround(drawn, counted, None)
    ends = interval_over_images(name, held)
    method = f"{method_of(name)} over the pages with it"
    interval = Interval(low=ends[0], high=ends[1], method=method) if ends else None
    mean = float(held.mean())
    return OnGround(
        drawn, counted, Value(quantity=name, value=mean, unit="", kind=Kind.DERIVED, n=len(held), interval=interval)
    )


def text_pairs(read: TextRead, quantity: str) -> list[list[Difference]]:
    """For each two of equal rate the differences of ``quantity`` at each height, paired by page; all hold together.

    Pages are what is independent: the lines of a page share its ground and its colours.

    Raises:
        RequestError: no two are of equal rate.
    """
    groups = places_by_rate([rate_of(entry) for entry in read.entries])
    pairs = [pair for group in groups for pair in combinations([read.entries[place] for place in group], 2)]
    if not pairs:
        raise RequestError(f"no two records of '{read.shared.case}' are of equal rate, so there are no pairs")
    comparisons = len(pairs) * len(read.heights)
    found = [
        paired(first, second, f"{quantity}_{height}", comparisons) for first, second in pairs for height in read.heights
    ]
    adjusted = holm([each.p_value for each in found])
    found = [
        replace(each, p_value=p_value, test=f"{TEST}, Holm-adjusted")
        for each, p_value in zip(found, adjusted, strict=True)
    ]
    return [found[start : start + len(read.heights)] for start in range(0, comparisons, len(read.heights))]
