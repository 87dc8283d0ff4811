"""What a whole study takes on several GPUs, of what it consists, and how many CPU cores a GPU needs."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.cost.scaling import Bound, bound_of, parts, scaling, shares
from vitok_lib.cost.study_time import Line, StudyTime, core_seconds, study_time
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Head, Note, Number, Sentence, Table
from vitok_lib.report.page.labels import three_digits
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.codec_names import is_codec

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
    rows: list[list[Sentence]] = []
    for point in scaling(known, counts, cores):
        found = point.schedule
        numbers = (
            found.seconds / HOUR,
            found.whole / HOUR,
            point.speedup,
            100 * found.busy / found.whole,
        )
        how = f"simulated, {cores:g} CPU cores for each GPU"
        shown: list[Sentence] = [(_number(value, known.level, how),) for value in numbers]
        longest = (found.longest.name, ": ", _number(found.longest_seconds / HOUR, known.level, how), " h")
        rows.append([(f"{found.places}",), *shown, (BOUNDS[bound_of(found)],), longest])
    names = ("GPUs", "Hours", "GPU-hours", "Speed-up, ×", "GPUs computing, %", "Most of the time", "Longest job")
    whole = sum(known.gpu_seconds.values()) or 1.0
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
    for part in parts(known):
        rows.append(
            [
                (part.output,),
                (f"{part.images:,}",),
                (f"{len(part.lines)}",),
                (_number(part.gpu / HOUR, part.level, "sum over tokenizers and images"),),
                (_number(part.network / HOUR, Kind.ESTIMATED, "FLOPs of the networks over a throughput in float32"),)
                if part.network
                else (Note("–"),),
                (_number(part.core / HOUR, Kind.DERIVED, "seconds of one core, over tokenizers and images"),)
                if part.core
                else (Note("–"),),
                (_number(part.peak, Kind.DERIVED, "largest over the models, without metrics"),)
                if part.peak
                else (Note("–"),),
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
        value, record = prepared
        entry = next(entry for entry in entries if entry.record is record)
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
    return [
        (_number(line.gpu, Kind.ESTIMATED, f"{line.how}, and the networks of metrics"),),
        (_number(line.core / line.gpu, Kind.ESTIMATED, "seconds of a core over seconds of the GPU"),),
    ]


def _number(value: float, level: Kind, how: str) -> Number:
    return Number(three_digits(value), level, f"{level}: {how}")


def where_it_stops(known: StudyTime, gpus: int, cores: float) -> list[Sentence]:
    """Hours on one and on ``gpus`` GPUs, and what takes a larger share of their time on many.

    What codecs take is said apart, and for how much of it the GPU waits: on one host as on many.
    """
    first, last = known.on(1, cores), known.on(gpus, cores)
    level, how = known.level, f"simulated with {cores:g} CPU cores for each GPU"

    def share(seconds: float, whole: float) -> Number:
        return Number(f"{100 * seconds / whole:.0f}\N{NO-BREAK SPACE}%", level, f"{level}: {how}")

    spent, before = ({b: s / run.whole for b, s in shares(run).items()} for run in (last, first))
    lost = max((bound for bound in spent if bound != Bound.GPUS), key=lambda bound: spent[bound] - before[bound])
    codecs = [line.job for line in known.lines if is_codec(line.work.tokenizer)]
    coded = sum(job.seconds(cores) for job in codecs)
    waited = say(
        "codecs",
        hours=_number(coded / HOUR, level, how),
        share=share(coded, first.seconds),
        waiting=_number((coded - sum(job.gpu for job in codecs)) / HOUR, level, how),
        cores=f"{cores:g}",
        on_one=_number(sum(job.seconds(1) for job in codecs) / HOUR, level, "simulated with one CPU core"),
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
