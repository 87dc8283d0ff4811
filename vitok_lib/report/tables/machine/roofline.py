"""The roofline time of each part of a ViTok's work, next to the measured time and what bounds it."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.report.data import groups
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.groups import Machine
from vitok_lib.report.data.limits import PARTS, Limits, limits
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import derived
from vitok_lib.report.page.content import Head, Sentence, Table
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.tables.machine.speed import lead, lead_heads, same_for_all

say = sentences("tables")


def roofline_tables(entries: Sequence[Entry]) -> list[tuple[Machine, Table]]:
    """A table a machine, a row a measured speed."""
    return [(machine, _table(held)) for machine, held in limits(entries).items()]


def _table(held: Sequence[Limits]) -> Table:
    shown = [limit.entry for limit in held]
    settings = groups.varying(shown)
    rows: list[list[Sentence]] = []
    for limit in held:
        entry = limit.entry
        parts = [
            (derived(digits("latency", limit.least(part)), f"roofline time of the {part} part, by formula", entry),)
            for part in PARTS
        ]
        whole = derived(digits("latency", limit.least_ms), "roofline time of all parts, by formula", entry)
        share = derived(f"{digits('share', 100 * limit.share)} %", "roofline time over measured time", entry)
        taken = number(entry, entry.value("latency"))
        rows.append([*lead(entry, settings), *parts, (whole,), (taken,), (share,), (limit.by,)])
    heads = [*lead_heads(settings), *(Head(f"Roofline, {part}, ms") for part in PARTS), Head("Roofline, all, ms")]
    heads += [Head(label("latency", "ms")), Head("Roofline over measured"), Head("Bound by")]
    above = [say("above_peak")] if any(limit.share > 1 for limit in held) else []
    return Table([heads], rows, notes=[say("roofline"), *above, *same_for_all(shown, settings)])
