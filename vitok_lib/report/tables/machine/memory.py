"""The largest image that fits within each memory limit, measured and predicted."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.report.data import groups
from vitok_lib.report.data.formatting import joined, number, outcome
from vitok_lib.report.data.groups import CAPACITY, Machine
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import NOT_MEASURED, Head, Note, Part, Sentence, Table
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.tables.machine.speed import lead, same_for_all, setting_cell

say = sentences("tables")

LIMIT = "memory_limit_gib"


def capacity_tables(entries: Sequence[Entry]) -> list[tuple[Machine, Table]]:
    """The largest square within each memory limit: a row a tokenizer with its settings."""
    found = []
    for machine, held in groups.by_machine(entries, [CAPACITY]).items():
        settings = groups.varying(held, left_out=[LIMIT])
        limits = sorted({entry.record.settings.memory_limit_gib for entry in held}, key=lambda cap: cap or float("inf"))
        rows: dict[tuple[str, ...], dict[float | None, Entry]] = {}
        for entry in held:
            key = tuple(groups.setting(entry, name) for name in settings)
            rows.setdefault((entry.record.tokenizer.name, *key), {})[entry.record.settings.memory_limit_gib] = entry
        printed: list[list[Sentence]] = []
        for by_limit in rows.values():
            first = next(iter(by_limit.values()))
            cells = [cell for cap in limits for cell in _largest(by_limit.get(cap))]
            printed.append([lead(first, [])[0], *(setting_cell(first, name) for name in settings), *cells])
        top = [Head("", span=1 + len(settings))]
        top += [Head("No limit" if cap is None else f"{cap:g} GiB", span=2) for cap in limits]
        below = [Head("Tokenizer"), *(Head(groups.SETTINGS[name]) for name in settings)]
        below += [Head(text) for _ in limits for text in ("px", "predicted")]
        notes = [say("capacity"), *same_for_all(held, [*settings, LIMIT])]
        found.append((machine, Table([top, below], printed, notes=notes)))
    return found


def _largest(entry: Entry | None) -> tuple[Sentence, Sentence]:
    if entry is None:
        return (Note(NOT_MEASURED),), (Note("–"),)
    value, predicted = entry.record.value("largest_resolution"), entry.record.value("predicted_largest")
    parts: list[Part] = [number(entry, value)] if value else []
    if value and value.value >= entry.record.resolution:
        parts.append(Note("or more"))
    if not groups.ended_well(entry):
        parts.append(outcome(entry))
    shown: Sentence = (number(entry, predicted),) if predicted else (Note("–"),)
    return tuple(joined(parts or [Note(NOT_MEASURED)])), shown
