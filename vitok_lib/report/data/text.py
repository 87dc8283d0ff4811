"""The records of text that was read before and after a tokenizer, by the height of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.errors import RequestError
from vitok_lib.metrics.quantities import text_metric
from vitok_lib.report.data import protocol
from vitok_lib.report.data.protocol import Protocol
from vitok_lib.report.data.rates import rate_of
from vitok_lib.report.data.record_view import Entry, natural


@dataclass(frozen=True)
class TextRead:
    """Entries of one protocol, those of the highest rate first, and the ``heights`` in pixels that they have."""

    shared: Protocol
    entries: list[Entry]
    heights: list[int]


def text_read(entries: Sequence[Entry], case: str) -> TextRead:
    """What was measured in ``case`` on the same lines.

    Raises:
        RequestError: nothing was.
    """
    held = {
        int(value.quantity.rpartition("_")[2])
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
    return TextRead(shared, ordered, heights)


def read_from(entry: Entry, heights: Sequence[int], share: float) -> int | None:
    """The least of ``heights`` from which on at least ``share`` of the lines are read rightly; None where none is."""
    least = None
    for height in sorted(heights, reverse=True):
        if entry.value(f"exact-match_{height}").value < share:
            break
        least = height
    return least
