"""Records of small ViToks of several depths, trained within one budget: the grid, and its differences by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np

from vitok_lib.metrics.statistics import METHOD, leaves_out, mean_interval
from vitok_lib.records.schema import Interval, Kind, OutcomeStatus
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.variations import QUANTITY, Change
from vitok_lib.report.page.content import Number
from vitok_lib.report.page.labels import bracket, digits, signed
from vitok_lib.tokenizers.vitok.variant import parse_variant

BENCHMARK = "trained-depth"
LEVEL = 0.95
_AT_END, _AT_START = "psnr@seed=", "psnr_at_start@seed="


@dataclass(frozen=True)
class Cell:
    """A record of the grid: the depths of ``encoder`` and ``decoder``.

    ``by_seed`` has the PSNR of each seed in dB after training, ``start`` that before the first step.
    """

    entry: Entry
    encoder: int
    decoder: int
    by_seed: dict[str, float]
    start: dict[str, float]

    @property
    def blocks(self) -> str:
        return f"{self.encoder}/{self.decoder}"

    @property
    def total(self) -> int:
        return self.encoder + self.decoder

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.by_seed.values())))

    @property
    def psnr(self) -> Number:
        """The mean over seeds of the mean over images, with the interval over seeds."""
        ends = mean_interval(list(self.by_seed.values()), LEVEL)
        method = f"{METHOD} over {len(self.by_seed)} seeds, each the mean over images"
        return Number(
            text=digits("psnr", self.mean),
            kind=Kind.DERIVED,
            tip=f"derived: mean over seeds · study {self.entry.study} · {LEVEL:.0%} interval, {method}",
            anchor=self.entry.anchor,
            interval=bracket("psnr", Interval(low=ends[0], high=ends[1], method=method)) if ends else None,
        )


@dataclass(frozen=True)
class Grid:
    """The ``cells`` of one study, budget, seeds and images, from the least number of blocks on."""

    cells: Sequence[Cell]

    @property
    def baseline(self) -> Cell:
        """The one with the fewest blocks."""
        return self.cells[0]

    @property
    def pairs_of_one_depth(self) -> list[tuple[Cell, Cell]]:
        """Cells of as many blocks in all, that with the deeper decoder first: their steps are equal too."""
        return [
            (one, other) if one.decoder > other.decoder else (other, one)
            for one, other in combinations(self.cells, 2)
            if one.total == other.total
        ]

    def against(self, one: Cell, other: Cell) -> Change:
        """PSNR of ``one`` minus that of ``other``, paired by seed."""
        return self._change(one, other.by_seed, f"PSNR of {one.blocks} minus that of {other.blocks}")

    def against_start(self, cell: Cell) -> Change:
        """PSNR of ``cell`` after training minus that before the first step, paired by seed."""
        return self._change(cell, cell.start, f"PSNR of {cell.blocks} minus that before its first step")

    def _change(self, one: Cell, other: dict[str, float], what: str) -> Change:
        """The intervals of all changes that the page shows hold at once with :data:`LEVEL` (Bonferroni)."""
        differences = [one.by_seed[seed] - other[seed] for seed in one.by_seed]
        comparisons = len(self.cells) - 1 + len(self.pairs_of_one_depth) + len(self.cells)
        ends = mean_interval(differences, LEVEL, comparisons)
        method = f"{METHOD} over {len(differences)} differences by seed, {comparisons} at once (Bonferroni)"
        mean = float(np.mean(differences))
        number = Number(
            text=signed(QUANTITY, mean),
            kind=Kind.DERIVED,
            tip=f"derived: {what} · {LEVEL:.0%} interval, {method}",
            anchor=one.entry.anchor,
            interval=bracket(QUANTITY, Interval(low=ends[0], high=ends[1], method=method), 0.0) if ends else None,
        )
        return Change(number, ends is not None and leaves_out(0, *ends))


def grids(entries: Sequence[Entry]) -> list[Grid]:
    """The grids of two or more cells. Cells of other images, seeds or another budget are another grid."""
    cells = [_cell(entry) for entry in entries if entry.record.benchmark == BENCHMARK and _has_values(entry)]
    cells.sort(key=lambda cell: (_kind(cell), cell.total, cell.decoder))
    found = [Grid(list(of_one)) for _, of_one in groupby(cells, key=_kind)]
    return [grid for grid in found if len(grid.cells) > 1]


def _has_values(entry: Entry) -> bool:
    return entry.measured and entry.record.outcome.status is OutcomeStatus.OK


def _cell(entry: Entry) -> Cell:
    variant = parse_variant(entry.record.tokenizer.variant or "")
    by_seed, start = (
        {
            value.quantity.removeprefix(name): value.value
            for value in entry.record.values
            if value.quantity.startswith(name)
        }
        for name in (_AT_END, _AT_START)
    )
    return Cell(entry, variant.encoder.depth, variant.decoder.depth, by_seed, start)


def _kind(cell: Cell) -> tuple[str, str, float, tuple[str, ...]]:
    """What the cells of a grid share."""
    images = cell.entry.record.images.manifest_sha256 or ""
    return cell.entry.study, images, cell.entry.value("training_budget").value, tuple(cell.by_seed)
