"""Will it fit, how fast? The released models by resolution and memory of a GPU: in short, and for every memory size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.cost.fits import GIB, SIZES_GB, predicted
from vitok_lib.cost.gpus import Gpu, find_gpu
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import groups
from vitok_lib.report.data.formatting import joined, number, rounded
from vitok_lib.report.data.real_models import (
    Answer,
    configurations,
    held_in,
    latency,
    peak,
    real_models,
    smallest_fit,
)
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.requested import requested
from vitok_lib.report.data.speedups import derived, times
from vitok_lib.report.page.content import Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import window_text
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

AT_LEAST = "≥\N{NARROW NO-BREAK SPACE}"
"""Before a time that is a lower bound."""
_SECOND = 1000.0  # milliseconds
VITOK = "vitok"


@dataclass(frozen=True)
class _Case:
    """A model at one resolution, with the records of its predictions, the configuration to use first at the start."""

    name: str
    resolution: int
    known: Sequence[Entry]


def fits_table(entries: Sequence[Entry], gpu: str, resolutions: Sequence[int]) -> Table:
    """A row a model, a column a resolution: the smallest memory that holds it, how, its peak, its time on ``gpu``.

    Raises:
        RequestError: the GPU is not known, or there is no prediction of a model at one of the ``resolutions``.
    """
    cases = _cases(entries, resolutions)
    rows: list[list[Sentence]] = []
    for model in real_models(entries):
        own = [case for case in cases if case.name == model.name]
        rows.append([(model.name,), *(_cell(entries, case, gpu) for case in own)])
    heads = [Head("Model"), *(Head(f"{resolution} px") for resolution in resolutions)]
    sizes = [str(size) for size in SIZES_GB]
    return Table([heads], rows, notes=[say("fits_cells", sizes=sizes), *_notes(entries, cases, gpu)])


def memory_sizes_table(entries: Sequence[Entry], gpu: str, resolutions: Sequence[int]) -> Table:
    """A row a model and resolution: how it fits in each of the common memory sizes, its peaks, its time on ``gpu``.

    Raises:
        RequestError: as :func:`fits_table`.
    """
    cases, where = _cases(entries, resolutions), find_gpu(gpu)
    rows: list[list[Sentence]] = []
    for case in cases:
        usual, other = case.known[0], case.known[1:]
        held = [held_in(entries, case.known, where, size) for size in SIZES_GB]
        tiled = [entry for entry in other if requested(entry.record).tiling]
        rows.append(
            [
                (case.name,),
                (f"{case.resolution} px",),
                *(("no" if used is None else _how(used) or "yes",) for used in held),
                _peak_cell(entries, case, gpu, usual),
                _peak_cell(entries, case, gpu, tiled[0]) if tiled else (Note("–"),),
                _time(latency(entries, case.name, case.resolution, gpu)),
            ]
        )
    heads = [Head("Model"), Head("Size"), *(Head(f"{size} GB") for size in SIZES_GB)]
    heads += [Head("Peak"), Head("Peak in tiles"), Head(f"Time, {where.name}")]
    starts = [index for index, case in enumerate(cases) if case.resolution == resolutions[0]]
    return Table([heads], rows, groups=starts, notes=[say("fits_by_memory"), *_notes(entries, cases, gpu)])


def _cases(entries: Sequence[Entry], resolutions: Sequence[int]) -> list[_Case]:
    cases = [
        _Case(model.name, resolution, configurations(entries, model.name, resolution))
        for model in real_models(entries)
        for resolution in resolutions
    ]
    for case in cases:
        if not case.known:
            raise RequestError(
                f"no prediction of '{case.name}' at {case.resolution} px; "
                f"vitok plan {case.name} --resolution {case.resolution} --study derived writes one",
                code="no-record",
            )
    return cases


def _cell(entries: Sequence[Entry], case: _Case, gpu: str) -> Sentence:
    fit = smallest_fit(entries, case.name, case.resolution, gpu)
    used = fit[1] if fit else case.known[-1]
    held = peak(entries, case.name, case.resolution, gpu, configuration=used)
    assert held is not None
    size = f"{fit[0]} GB" if fit else f"over {SIZES_GB[-1]} GB"
    tip = f"{held.value.kind}: the peak against memory of {', '.join(map(str, SIZES_GB))} GB"
    parts: list[Part] = [Number(size, held.value.kind, tip, held.entry.anchor)]
    parts += [Note(_how(used))] if _how(used) else []
    time = latency(entries, case.name, case.resolution, gpu, configuration=used)
    return (*joined(parts), ": ", *_peak_cell(entries, case, gpu, used), ", ", *_time(time))


def _peak_cell(entries: Sequence[Entry], case: _Case, gpu: str, used: Entry) -> Sentence:
    held = peak(entries, case.name, case.resolution, gpu, configuration=used)
    assert held is not None
    return (rounded(held.number(), held.value, "GiB"),)


def _time(answer: Answer | None) -> Sentence:
    assert answer is not None
    scale, unit = (1.0, "ms") if answer.value.value < _SECOND else (1 / _SECOND, "s")
    shown = rounded(answer.number(), answer.value, unit, scale)
    return (AT_LEAST, shown) if answer.value.kind is Kind.DERIVED else (shown,)


def _how(used: Entry) -> str:
    """What differs from full attention and from one piece; empty where nothing does."""
    config = requested(used.record)
    if config.window is not None:
        return f"window {window_text(config.window)}"
    return "in tiles" if config.tiling else ""


def _vitok_measured(entries: Sequence[Entry], gpu: Gpu) -> bool:
    """Whether ``gpu`` measured the peak of a ViTok in any settings."""
    return any(
        entry.record.tokenizer.family == VITOK
        and entry.record.provenance is not None
        and gpu.is_called(entry.record.provenance.host.gpu or "")
        and any(groups.held(entry, name) for name in ("model_peak", "peak_memory"))
        for entry in entries
        if entry.measured
    )


def _notes(entries: Sequence[Entry], cases: Sequence[_Case], gpu: str) -> list[Sentence]:
    """What the peaks and times rest on: the margin, and how far measured times were above the least ones."""
    where = find_gpu(gpu)
    known = [(case, used) for case in cases for used in case.known]
    margin, compared = 0.0, False
    slower, larger = [], []
    for case, used in known:
        held, is_vitok = predicted(used.record), used.record.tokenizer.family == VITOK
        margin = max(margin, held.peak_with_margin / held.peak - 1)
        found = peak(entries, case.name, case.resolution, gpu, configuration=used)
        compared |= is_vitok and found is not None and found.value.kind is Kind.MEASURED
        time = latency(entries, case.name, case.resolution, gpu, configuration=used)
        if time is not None and time.value.kind is Kind.MEASURED:
            slower.append(time.value.value / (held.least_seconds(where) * _SECOND))
            taken = time.entry.record.value("peak_memory")
            if taken is not None and found is not None and taken.value > found.value.value:
                preset = requested(time.entry.record).preset or "reference"
                fit = smallest_fit(entries, case.name, case.resolution, gpu)
                too_small = fit[0] if fit and taken.value * GIB > fit[0] * 10**9 else None
                shown_peak = rounded(number(time.entry, taken), taken, taken.unit)
                larger.append((case.name, case.resolution, preset, shown_peak, too_small))
    how = "peak with margin over predicted peak, minus 1"
    shown = derived(f"{100 * margin:.0f}\N{NO-BREAK SPACE}%", how) if margin else None
    spread = [times(ratio, "measured time over least time") for ratio in (min(slower), max(slower))] if slower else []
    return [
        say("fits_peaks", gpu=where.name, margin=shown, compared=compared, elsewhere=_vitok_measured(entries, where)),
        say("fits_times", gpu=where.name, spread=spread, larger=larger),
    ]
