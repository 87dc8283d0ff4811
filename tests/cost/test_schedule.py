"""The simulated schedule against closed forms and against the best of all assignments."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from vitok_lib.cost.schedule import Job, schedule
from vitok_lib.errors import RequestError


@pytest.mark.parametrize(("count", "places"), [(1, 1), (7, 3), (8, 4), (64, 64), (65, 64), (3, 8)])
def test_identical_jobs_take_whole_rounds(count: int, places: int) -> None:
    jobs = [Job(str(index), gpu=5.0) for index in range(count)]
    assert schedule(jobs, places, 1).seconds == pytest.approx(math.ceil(count / places) * 5.0)


def test_one_long_job_bounds_the_end() -> None:
    jobs = [Job("long", gpu=100.0), *(Job(str(index), gpu=1.0) for index in range(50))]
    found = schedule(jobs, 64, 1)
    assert (found.seconds, found.longest.name) == (100.0, "long")
    assert found.idle == pytest.approx(64 * 100 - 150)


def test_a_job_that_splits_is_shared_evenly_and_loads_everywhere() -> None:
    found = schedule([Job("eval", gpu=640.0, load=3.0, splits=True)], 64, 1)
    assert found.seconds == pytest.approx(640 / 64 + 3)
    assert found.loading == pytest.approx(64 * 3)


def test_no_schedule_is_worse_than_grahams_bound_nor_better_than_the_best() -> None:
    generator = np.random.default_rng(3)
    for _ in range(30):
        places, times = int(generator.integers(2, 4)), generator.uniform(0.1, 9, 7)
        found = schedule([Job(str(index), gpu=time) for index, time in enumerate(times)], places, 1).seconds
        best = min(
            max(sum(times[index] for index in range(7) if where[index] == place) for place in range(places))
            for where in product(range(places), repeat=7)
        )
        assert best - 1e-9 <= found <= (2 - 1 / places) * best + 1e-9
        assert found <= (4 / 3 - 1 / (3 * places)) * best + 1e-9, "Graham 1969: of the longest job first"


def test_too_few_cores_bound_the_rate() -> None:
    images, core, gpu = 1000, 2.0, 0.5  # seconds an image: 4 cores feed the GPU
    jobs = [Job("eval", gpu=images * gpu, core=images * core, splits=True)]
    assert schedule(jobs, 8, 4).seconds == pytest.approx(images * gpu / 8)
    starved = schedule(jobs, 8, 1)
    assert starved.seconds == pytest.approx(images * core / 8), "as fast as 8 cores prepare, whatever the GPUs do"
    assert starved.waiting == pytest.approx(images * (core - gpu))


def test_every_second_of_every_place_is_busy_waiting_loading_or_idle() -> None:
    """One place takes the starved job, until 10; the other both parts of the one that splits, until 16."""
    starved, shared = Job("starved", gpu=7.0, core=20.0), Job("shared", gpu=10.0, load=3.0, splits=True)
    found = schedule([shared, starved], 2, cores=2)
    assert (found.seconds, found.whole) == (16, 32)
    assert (found.busy, found.waiting, found.loading, found.idle) == (17, 3, 6, 6)


@pytest.mark.parametrize(("places", "cores", "sentence"), [(0, 1, "GPUs (=0)"), (1, 0, "CPU cores of each GPU (=0)")])
def test_nowhere_to_run_is_refused(places: int, cores: float, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        schedule([Job("one", gpu=1.0)], places, cores)
    assert sentence in str(refused.value)
