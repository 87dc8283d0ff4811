"""Where a study stops getting faster with more GPUs, and how many CPU cores a GPU needs to be fed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from vitok_lib.cost.schedule import Schedule
from vitok_lib.cost.study_time import Line, StudyTime


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


def cores_needed(line: Line) -> float | None:
    """CPU cores that prepare images as fast as one GPU takes them; None for what runs on the CPU itself."""
    return line.core / line.gpu if line.gpu else None
