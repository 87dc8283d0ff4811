"""Where a study stops getting faster with more GPUs, and how many CPU cores a GPU needs to be fed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from vitok_lib.cost.schedule import Schedule
from vitok_lib.cost.study_time import Line, StudyTime, weakest
from vitok_lib.records.schema import Kind


class Bound(Enum):
    """What most of the time of all GPUs goes to."""

    GPUS = "gpus"
    CORES = "cores"
    LOADING = "loading"
    LONGEST = "longest"


@dataclass(frozen=True)
class Point:
    """A schedule, and how many times faster it ends than that of one GPU."""

    schedule: Schedule
    speedup: float


def scaling(known: StudyTime, counts: Sequence[int], cores: float) -> list[Point]:
    """A schedule for each number of GPUs in ``counts`` with ``cores`` CPU cores each."""
    alone = known.on(1, cores).seconds
    return [Point(found, alone / found.seconds) for found in (known.on(count, cores) for count in counts)]


def shares(found: Schedule) -> dict[Bound, float]:
    """Seconds of all places together: computing, waiting for cores, loading, and idle after the last job."""
    return {
        Bound.GPUS: found.busy,
        Bound.CORES: found.waiting,
        Bound.LOADING: found.loading,
        Bound.LONGEST: found.idle,
    }


def bound_of(found: Schedule) -> Bound:
    """What the time of the places goes to most."""
    parts = shares(found)
    return max(parts, key=lambda bound: parts[bound])


@dataclass(frozen=True)
class Part:
    """The ``lines`` of one notebook run: the sums of their seconds over tokenizers and images."""

    output: str
    lines: Sequence[Line]

    @property
    def images(self) -> int:
        return max(line.work.images for line in self.lines)

    @property
    def gpu(self) -> float:
        return sum(line.gpu * line.work.images for line in self.lines)

    @property
    def network(self) -> float:
        """Of those of the GPU, what networks of metrics take."""
        return sum(line.network * line.work.images for line in self.lines)

    @property
    def core(self) -> float:
        return sum(line.core * line.work.images for line in self.lines)

    @property
    def peak(self) -> float:
        """GiB of the model that needs most; 0 where no model runs on the GPU."""
        return max(line.peak or 0.0 for line in self.lines)

    @property
    def level(self) -> Kind:
        """The evidence level of the seconds of the GPU; those of the networks of metrics are estimated."""
        return Kind.ESTIMATED if self.network else weakest([line.level for line in self.lines])


def parts(known: StudyTime) -> list[Part]:
    """The notebook runs of a profile, in its order."""
    found: dict[str, list[Line]] = {}
    for line in known.lines:
        found.setdefault(line.work.output, []).append(line)
    return [Part(output, lines) for output, lines in found.items()]
