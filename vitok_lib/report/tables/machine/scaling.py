"""What a whole study takes on several GPUs, of what it consists, and how many CPU cores a GPU needs."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.cost.scaling import Bound, bound_of, cores_needed, scaling, shares
from vitok_lib.cost.study_time import Line, StudyTime, core_seconds, study_time, weakest
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Head, Note, Number, Sentence, Table
from vitok_lib.report.page.labels import three_digits
from vitok_lib.report.page.templates import sentences

say = sentences("scaling")

HOUR = 3600.0
SHOWN = ("350M-f16x64", "5B-f16x64", "flux")
"""Whose images a GPU takes fast, slowly, and in tiles: the models of the table of cores."""
BOUNDS = {
    Bound.GPUS: "GPUs computing",
    Bound.CORES: "GPUs waiting for CPU cores",
    Bound.LOADING: "loading models",
    Bound.LONGEST: "GPUs idle after their last job",
}


def known_of(entries: Sequence[Entry], profile: str, gpu: str) -> StudyTime:
    """What the records tell of a profile on ``gpu``.

    Raises:
        RequestError: the profile or the GPU is not known, or nothing of the profile can be told.
    """
    return study_time([entry.record for entry in entries], profile, gpu)


def totals_table(known: StudyTime, counts: Sequence[int], cores: float) -> Table:
    """A row a number of GPUs: hours, GPU-hours, speed-up, and what takes most of the GPUs' time."""
    level = weakest([level for level, seconds in known.gpu_seconds.items() if seconds])
    rows: list[list[Sentence]] = []
    for point in scaling(known, counts, cores):
        found = point.schedule
        numbers = (
            found.seconds / HOUR,
            found.places * found.seconds / HOUR,
            point.speedup,
            100 * found.busy / (found.places * found.seconds),
        )
        how = f"simulated, {cores:g} CPU cores for each GPU"
        shown: list[Sentence] = [(_number(value, level, how),) for value in numbers]
        longest = (found.longest.name, ": ", _number(found.longest_seconds / HOUR, level, how), " h")
        rows.append([(f"{found.places}",), *shown, (BOUNDS[bound_of(found)],), longest])
    names = ("GPUs", "Hours", "GPU-hours", "Speed-up, ×", "GPUs computing, %", "Most of the time", "Longest job")
    whole = sum(known.gpu_seconds.values())
    by_level = [
        (_number(100 * seconds / whole, level, "share of the seconds of a GPU"), f"\N{NO-BREAK SPACE}% {level}")
        for level, seconds in known.gpu_seconds.items()
    ]
    notes = [say("evidence", shares=by_level, gpu=known.gpu, cores=f"{cores:g}")]
    notes.append(say("not_known", known=known.not_known))
    return Table([[Head(name) for name in names]], rows, notes=notes)


def parts_table(known: StudyTime) -> Table:
    """A row a notebook run of the profile, in its order."""
    rows: list[list[Sentence]] = []
    for output, lines in known.by_output.items():
        level = weakest([line.level for line in lines])
        peak = max((line.peak or 0.0 for line in lines), default=0.0)
        metrics = sum(line.network * line.work.images for line in lines if line.gpu) / HOUR
        hours = sum(line.gpu * line.work.images for line in lines) / HOUR
        core_hours = sum(line.core * line.work.images for line in lines) / HOUR
        rows.append(
            [
                (output,),
                (f"{max(line.work.images for line in lines):,}",),
                (f"{len(lines)}",),
                (_number(hours, Kind.ESTIMATED if metrics else level, "sum over tokenizers and images"),),
                (_number(metrics, Kind.ESTIMATED, "FLOPs of the networks over a throughput in float32"),)
                if metrics
                else (Note("–"),),
                (_number(core_hours, Kind.DERIVED, "seconds of one core, over tokenizers and images"),)
                if core_hours
                else (Note("–"),),
                (_number(peak, Kind.DERIVED, "largest over the models, without metrics"),) if peak else (Note("–"),),
            ]
        )
    names = ("Run", "Images", "Tokenizers", "GPU-hours", "Of these metrics", "Core-hours", "Peak of a model, GiB")
    return Table([[Head(name) for name in names]], rows, notes=[say("parts")])


def cores_table(entries: Sequence[Entry], known: StudyTime) -> Table:
    """A row a resolution: seconds of a core to prepare an image, of a GPU to take it, and the cores that it needs.

    Raises:
        RequestError: no record has the time to prepare an image, or none of the shown models is in an evaluation.
    """
    evaluated = [line for line in known.lines if line.work.splits and line.work.tokenizer in SHOWN]
    sides = sorted({line.work.resolution for line in evaluated})
    rows: list[list[Sentence]] = []
    for side in sides:
        prepared = core_seconds([entry.record for entry in entries], side)
        if prepared is None:
            raise RequestError(
                "no record of reading and resizing a PNG; measure_preparation writes one", code="no-record"
            )
        entry = next(entry for entry in entries if entry.record is prepared[1])
        value = next(value for value in prepared[1].values if value.value == prepared[0])
        row: list[Sentence] = [(f"{side} px",), (number(entry, value).without_interval,)]
        for name in SHOWN:
            line = next(
                (line for line in evaluated if (line.work.tokenizer, line.work.resolution) == (name, side)), None
            )
            row += _cells(line)
        rows.append(row)
    if not rows:
        raise RequestError(f"none of {', '.join(SHOWN)} is evaluated by profile '{known.profile}'", code="no-record")
    heads = [
        [Head("", 2), *(Head(name, 2) for name in SHOWN)],
        [Head("Size"), Head("One core, s"), *(Head(text) for _ in SHOWN for text in ("GPU, s", "Cores"))],
    ]
    return Table(heads, rows, notes=[say("cores", gpu=known.gpu)])


def _cells(line: Line | None) -> list[Sentence]:
    if line is None:
        return [(Note("–"),), (Note("–"),)]
    needed = cores_needed(line)
    assert needed is not None  # a model runs on the GPU
    return [
        (_number(line.gpu, Kind.ESTIMATED, f"{line.how}, and the networks of metrics"),),
        (_number(needed, Kind.ESTIMATED, "seconds of a core over seconds of the GPU"),),
    ]


def _number(value: float, level: Kind, how: str) -> Number:
    return Number(three_digits(value), level, f"{level}: {how}")


def where_it_stops(known: StudyTime, counts: Sequence[int], cores: float) -> list[Sentence]:
    """Hours on the first and on the last of ``counts`` GPUs, and what takes a larger share of their time on the last.

    What codecs take is said apart: a GPU waits for them on one host as on many.
    """
    level = weakest([level for level, seconds in known.gpu_seconds.items() if seconds])
    first, last = (point.schedule for point in scaling(known, [counts[0], counts[-1]], cores))
    how = f"simulated with {cores:g} CPU cores for each GPU"

    def share(seconds: float, whole: float) -> Number:
        return Number(f"{100 * seconds / whole:.0f}\N{NO-BREAK SPACE}%", level, f"{level}: {how}")

    spent, before = ({b: s / (run.places * run.seconds) for b, s in shares(run).items()} for run in (last, first))
    lost = max((bound for bound in spent if bound != Bound.GPUS), key=lambda bound: spent[bound] - before[bound])
    codecs = sum(line.job.seconds(cores) for line in known.lines if not line.gpu)
    waited = say(
        "codecs", hours=_number(codecs / HOUR, level, how), share=share(codecs, first.seconds), cores=f"{cores:g}"
    )
    return [
        say(
            "stops",
            gpu=known.gpu,
            cores=f"{cores:g}",
            alone=_number(first.seconds / HOUR, level, how),
            gpus=f"{last.places}",
            hours=_number(last.seconds / HOUR, level, how),
            speedup=_number(first.seconds / last.seconds, level, how),
            lost=BOUNDS[lost],
            now=share(spent[lost], 1.0),
            before=share(before[lost], 1.0),
        ),
        *([waited] if codecs else []),
    ]
