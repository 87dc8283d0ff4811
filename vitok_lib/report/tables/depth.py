"""The table of encoder and decoder depth at one training budget."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.records.schema import Kind
from vitok_lib.report.data.depth import Cell, Grid, grids
from vitok_lib.report.data.formatting import JOINT, number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.variations import Change
from vitok_lib.report.page.content import Head, Link, Note, Number, Sentence, Table
from vitok_lib.report.page.templates import sentences

say = sentences("depth")

HEADS = ("Blocks of encoder/decoder", "Parameters", "Steps", "FLOPs, TFLOP", "PSNR, dB")


def depth_tables(entries: Sequence[Entry]) -> list[tuple[str, Table]]:
    """A table for each grid, with its title; a row a cell, from the fewest blocks on."""
    return [(_title(grid), _table(grid)) for grid in grids(entries)]


def _title(grid: Grid) -> str:
    record = grid.baseline.entry.record
    return f"Trained depths on {record.images.name} at {record.resolution} px, study {grid.baseline.entry.study}"


def _table(grid: Grid) -> Table:
    rows = [_row(grid, cell) for cell in grid.cells]
    heads = [*HEADS, "Change to the start, dB", f"Change to {grid.baseline.blocks}, dB"]
    value = grid.baseline.entry.value("training_budget")
    notes = say(
        "notes",
        budget=number(grid.baseline.entry, value, unit=True),
        seeds=f"{len(grid.baseline.by_seed)}",
        images=f"{grid.baseline.entry.record.images.count}",
    )
    return Table([[Head(text) for text in heads]], rows, notes=[notes])


def _row(grid: Grid, cell: Cell) -> list[Sentence]:
    entry = cell.entry
    parameters = Number(
        f"{entry.record.tokenizer.parameters or 0:,}",
        Kind.DERIVED,
        f"derived: parameters of {entry.record.tokenizer.variant}",
        entry.anchor,
    )
    row: list[Sentence] = [(Link(cell.blocks, entry.anchor),), (parameters,)]
    row += [(number(entry, entry.value(quantity)),) for quantity in ("training_steps", "training_flops")]
    row += [(cell.psnr,), _said(grid.against_start(cell))]
    return [*row, (Note("–"),) if cell is grid.baseline else _said(grid.against(cell, grid.baseline))]


def _said(change: Change) -> Sentence:
    return (change.number, JOINT, Note(change.remark)) if change.remark else (change.number,)
