"""Findings on encoder and decoder depth at one training budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vitok_lib.report.data.depth import Cell, grids
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.templates import sentences

say = sentences("depth")


def trained(entries: Sequence[Entry]) -> list[Sentence]:
    """Which depths gain most from one budget, and at one depth which side gains more from a block."""
    found: list[Sentence] = []
    for grid in grids(entries):
        baseline = grid.baseline
        best = max(grid.cells, key=lambda cell: cell.mean)
        last = max((cell for cell in grid.cells if cell is not baseline), key=lambda cell: (cell.total, cell.decoder))
        about = {
            "study": baseline.entry.study,
            "budget": number(baseline.entry, baseline.entry.value("training_budget"), unit=True),
            "best": best.blocks,
            "psnr": _in_decibels(best),
            "learned": grid.against_start(best),
            "count": f"{len(grid.cells)}",
            "seeds": f"{len(best.by_seed)}",
            "fewest": baseline.blocks,
        }
        if best is baseline:
            found.append(say("fewest_best", **about))
        else:
            found.append(say("deeper_best", **about, change=grid.against(best, baseline)))
        if last is not best:
            found.append(
                say(
                    "deepest",
                    last=last.blocks,
                    fewest=baseline.blocks,
                    change=grid.against(last, baseline),
                    learned=grid.against_start(last),
                )
            )
        for deeper_decoder, deeper_encoder in grid.pairs_of_one_depth:
            found.append(
                say(
                    "sides",
                    total=f"{deeper_decoder.total}",
                    decoder=deeper_decoder.blocks,
                    encoder=deeper_encoder.blocks,
                    change=grid.against(deeper_decoder, deeper_encoder),
                )
            )
    return found


def _in_decibels(cell: Cell) -> Number:
    return replace(cell.psnr, text=f"{cell.psnr.text} dB")


FINDINGS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {"trained-depth": trained}
"""The findings by the name that a page uses."""
