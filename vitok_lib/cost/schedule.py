"""How long a list of jobs takes on several GPUs: list scheduling (Graham 1969), the longest job first.

A place is one GPU and its share of CPU cores. A job holds one place from its start to its end: its model is loaded,
then images are prepared on the cores while the GPU works on those before, so that the slower of the two counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitok_lib.errors import RequestError


@dataclass(frozen=True)
class Job:
    """Seconds of a GPU, seconds of one CPU core, and seconds until the model is there.

    ``splits``: whether its images can go to several places, each of which loads the model.
    """

    name: str
    gpu: float
    core: float = 0.0
    load: float = 0.0
    splits: bool = False

    def seconds(self, cores: float) -> float:
        """From start to end on a place with ``cores`` CPU cores, over which its work is spread evenly."""
        return self.load + max(self.gpu, self.core / cores)

    def parts(self, places: int) -> list[Job]:
        """Equal parts, one a place, if it splits."""
        if not self.splits:
            return [self]
        return [replace(self, gpu=self.gpu / places, core=self.core / places)] * places


@dataclass(frozen=True)
class Schedule:
    """``seconds`` from the first start to the last end on ``places``; ``longest``: the longest part of a job.

    ``waiting``: seconds of all places together in which the GPU waits for cores; ``loading``: for models; ``busy``: in
    which it computes. What is left of the whole is idle.
    """

    places: int
    seconds: float
    longest: Job
    longest_seconds: float
    busy: float
    waiting: float
    loading: float

    @property
    def whole(self) -> float:
        """Seconds of all places together."""
        return self.places * self.seconds

    @property
    def idle(self) -> float:
        """Seconds of all places together after their last job."""
        return max(0.0, self.whole - self.busy - self.waiting - self.loading)


def schedule(jobs: Sequence[Job], places: int, cores: float) -> Schedule:
    """The ``jobs`` on ``places`` GPUs with ``cores`` CPU cores each, the longest part first, each to the first free.

    Its end is at most 2 − 1/N times the earliest one that N places allow, whatever the order (Graham 1966).

    Raises:
        RequestError: there is no place, no core, or no job.
    """
    if places < 1:
        raise RequestError(f"GPUs (={places}) must be 1 or more")
    if not cores > 0:
        raise RequestError(f"CPU cores of each GPU (={cores:g}) must be above 0")
    if not jobs:
        raise RequestError("there is no job to schedule")
    parts = sorted((part for job in jobs for part in job.parts(places)), key=lambda part: -part.seconds(cores))
    free = [0.0] * places
    for part in parts:
        heapq.heapreplace(free, free[0] + part.seconds(cores))
    return Schedule(
        places=places,
        seconds=max(free),
        longest=parts[0],
        longest_seconds=parts[0].seconds(cores),
        busy=sum(part.gpu for part in parts),
        waiting=sum(part.seconds(cores) - part.load - part.gpu for part in parts),
        loading=sum(part.load for part in parts),
    )
