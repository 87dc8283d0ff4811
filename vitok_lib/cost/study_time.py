"""Hours, GPU-hours and memory of a whole profile on GPUs that are somewhere else, from records and arithmetic.

An encoder or decoder takes its FLOPs over the throughput that a record of speed on that GPU achieved: of the very
model and size (measured), of the same blocks (derived), else the slowest of its family (estimated). Images count as
squares, the largest that a resolution allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from vitok_lib.cost.achieved import Achieved, Pace
from vitok_lib.cost.metric_flops import network_flops
from vitok_lib.cost.profile_work import Work, profile_work
from vitok_lib.cost.schedule import Job, Schedule, schedule
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus, Record, Value
from vitok_lib.tokenizers.codec_names import is_codec

PREPARATION = "preparation"
"""The benchmark of records of what one CPU core takes for an image."""
PREPARED_SIDES, TIMED_AT = (512, 1024, 2048, 4096, 8192), 1024
"""Longest sides in pixels at which it prepares an image, and at which a codec is timed."""
PREPARED_SET = "div8k"
"""Whose files are like those of the records of preparation: PNGs of up to 8192 px."""
BYTES_A_SECOND = 1e9
"""Assumed: how fast weights come from a disk or a network."""
BYTES_A_PARAMETER = 4
NEVER_COUNTED = (
    "metrics of pixels on a GPU, and in studies all metrics: no record of their time",
    "range coders, the recogniser of text, distances between sets, and the start of a process: no record of their time",
)
_NAMED = 2
"""So many runs are named, and more are counted."""
_ORDER = (Kind.MEASURED, Kind.DERIVED, Kind.ESTIMATED)


@dataclass(frozen=True)
class Line:
    """What a part of the profile takes: seconds of a GPU and of a CPU core for each image; ``peak`` in GiB.

    ``network`` are those of the GPU's seconds that the networks of metrics take, of a codec all of them. ``level`` is
    that of encoding and decoding, ``how`` where they come from.
    """

    work: Work
    gpu: float
    core: float
    network: float
    load: float
    peak: float | None
    level: Kind
    how: str

    @property
    def job(self) -> Job:
        work, images = self.work, self.work.images
        return Job(f"{work.tokenizer}, {work.output}", self.gpu * images, self.core * images, self.load, work.splits)


@dataclass(frozen=True)
class StudyTime:
    """What is known of a profile on ``gpu``, and a sentence for all that is not."""

    profile: str
    gpu: str
    lines: tuple[Line, ...]
    not_known: tuple[str, ...]

    def on(self, gpus: int, cores: float) -> Schedule:
        """All lines on ``gpus`` GPUs with ``cores`` CPU cores each; RequestError where there are none."""
        return schedule([line.job for line in self.lines], gpus, cores)

    @cached_property
    def gpu_seconds(self) -> Mapping[Kind, float]:
        """Seconds of one GPU for all lines, by evidence level; those of the networks of metrics are estimated."""
        found = dict.fromkeys(_ORDER, 0.0)
        for line in self.lines:
            if line.gpu:
                found[line.level] += (line.gpu - line.network) * line.work.images
                found[Kind.ESTIMATED] += line.network * line.work.images
        return found

    @property
    def level(self) -> Kind:
        """The evidence level of the seconds of the GPU together."""
        return weakest([level for level, seconds in self.gpu_seconds.items() if seconds] or [Kind.DERIVED])


def weakest(levels: Sequence[Kind]) -> Kind:
    """The evidence level of a sum."""
    return max(levels, key=_ORDER.index)


def core_seconds(records: Sequence[Record], resolution: int) -> tuple[Value, Record] | None:
    """Seconds of one core to read a PNG of 8192 px and resize it, at the next larger side on record, and their record.

    Of several runs the fastest counts: what else a machine does only adds time.
    """
    side = next((side for side in PREPARED_SIDES if side >= resolution), PREPARED_SIDES[-1])
    timed = [
        (value, record)
        for record in records
        if record.benchmark == PREPARATION and (value := record.value(f"prepare_{side}")) is not None
    ]
    return min(timed, key=lambda pair: pair[0].value, default=None)


def study_time(records: Sequence[Record], profile: str, gpu: str = "H100") -> StudyTime:
    """What ``profiles/<profile>.yml`` takes on ``gpu``.

    Raises:
        RequestError: the profile or the GPU is not known, or nothing of the profile can be told.
    """
    works, not_known = profile_work(profile)
    measured = [record for record in records if record.outcome.status == OutcomeStatus.OK]
    achieved = Achieved(measured, gpu)
    network = achieved.float32
    lines: list[Line] = []
    untold: dict[tuple[str, str], list[str]] = {}
    unprepared: dict[str, list[str]] = {}
    for work in works:
        line = _codec(measured, network, work) if is_codec(work.tokenizer) else _model(measured, achieved, work)
        if isinstance(line, str):
            untold.setdefault((work.tokenizer, line), []).append(work.output)
            continue
        lines.append(line)
        if work.image_set != PREPARED_SET:
            unprepared.setdefault(work.image_set, []).append(work.output)
    if not lines:
        raise RequestError(
            f"no record tells how fast a tokenizer of profile '{profile}' is on {gpu}; measure one there with "
            "vitok run --profile gpu, or plan profile 'released'",
            code="no-record",
        )
    not_known += [f"{name}: {reason} ({_listed(outputs)})" for (name, reason), outputs in untold.items()]
    not_known += [
        f"{image_set}: no record of reading and resizing its images ({_listed(outputs)})"
        for image_set, outputs in unprepared.items()
    ]
    if network is None:
        not_known.append(f"networks of metrics: the throughput in float32 of {gpu} is not known")
    return StudyTime(profile, gpu, tuple(lines), (*not_known, *NEVER_COUNTED))


def _listed(outputs: Sequence[str]) -> str:
    names = list(dict.fromkeys(outputs))
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} runs"


def _model(records: Sequence[Record], achieved: Achieved, work: Work) -> Line | str:
    pace = achieved.pace(work.tokenizer, work.resolution, work.window, work.encodes, work.decodes)
    if not isinstance(pace, Pace):
        return pace
    network = _network(work, achieved.float32)
    return Line(
        work=work,
        gpu=pace.seconds + network,
        core=_prepared(records, work),
        network=network,
        load=pace.parameters * BYTES_A_PARAMETER / BYTES_A_SECOND,
        peak=pace.peak,
        level=pace.level,
        how=pace.how,
    )


def _codec(records: Sequence[Record], float32: float | None, work: Work) -> Line | str:
    """A codec runs on the CPU, and the networks of its metrics on the GPU."""
    timed = [r for r in records if r.benchmark == PREPARATION and r.tokenizer.name == work.tokenizer]
    coding = timed[0].value(f"codec_{TIMED_AT}") if timed else None
    if coding is None:
        return "no record of its speed on a CPU"
    network = _network(work, float32)
    core = _prepared(records, work) + coding.value * work.decodes * (work.resolution / TIMED_AT) ** 2
    how = f"measured at {TIMED_AT} px on one core, times the pixels"
    return Line(work, network, core, network, 0.0, None, Kind.DERIVED, how)


def _network(work: Work, float32: float | None) -> float:
    """Seconds of a GPU for the networks of metrics of an image; 0 where their throughput is not known."""
    return network_flops(work.metrics, work.resolution) / float32 if float32 else 0.0


def _prepared(records: Sequence[Record], work: Work) -> float:
    """Seconds of a core to read and resize an image; 0 where no record tells."""
    found = core_seconds(records, work.resolution) if work.image_set == PREPARED_SET else None
    return found[0].value if found else 0.0
