"""Which images go where when processes die, on a cluster that is only played; the real one is in test_cluster.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.fakes.coarse import write_coarse
from tests.fakes.images import write_noise
from tests.fakes.ray import FakeRay
from vitok_lib.errors import RequestError
from vitok_lib.measure.cluster import engine
from vitok_lib.measure.cluster.engine import Cluster, NotLoadedError
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import results_root

exceptions = pytest.importorskip("ray.exceptions")
COUNT = 8


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(24, 24)] * COUNT, seed=3)


def _evaluated(images: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Record:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "connect", lambda address: ray)
        asked = {"tokenizer": "jpeg:q=50", "resolution": 32, **options}
        return evaluate(images=images, **{"cluster": Cluster(), **asked})


def _names(images: Path) -> list[str]:
    return sorted(path.name for path in images.iterdir())


def test_an_image_that_ends_its_process_is_named_and_the_others_are_measured(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = _names(images)[2]
    ray = FakeRay(exceptions, dies=lambda names: exceptions.ActorDiedError() if bad in names else None)
    record = _evaluated(images, ray, monkeypatch, log=lambda sentence: None)
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.ERROR, COUNT - 1)
    assert bad in str(record.outcome.detail)
    assert ray.measured.count([bad]) == 3
    assert ray.started == 1 + 3
    again = FakeRay(exceptions)
    assert _evaluated(images, again, monkeypatch, retry=True).outcome.done == COUNT
    assert again.measured == [[bad]]


def test_of_a_batch_that_ends_its_process_each_image_is_tried_by_itself(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = _names(images)[5]
    ray = FakeRay(exceptions, dies=lambda names: exceptions.ActorDiedError() if bad in names else None)
    record = _evaluated(images, ray, monkeypatch, batch=4, log=lambda sentence: None)
    assert record.outcome.done == COUNT - 1
    assert [len(names) for names in ray.measured if bad in names] == [4, 4, 1]


@pytest.mark.parametrize(
    ("death", "status"),
    [
        (exceptions.ActorDiedError(), OutcomeStatus.ERROR),
        (exceptions.OutOfMemoryError("The node is running low on memory."), OutcomeStatus.OOM),
    ],
)
def test_a_machine_that_no_image_leaves_alive_ends_the_run_early(
    images: Path, death: Exception, status: OutcomeStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay(exceptions, dies=lambda names: death)
    record = _evaluated(images, ray, monkeypatch, log=lambda sentence: None)
    assert (record.outcome.status, record.outcome.done) == (status, 0)
    assert ray.started == len(ray.measured)  # a new one for each that died, but for the last
    assert max(Counter(name for names in ray.measured for name in names).values()) == 3
    assert len(ray.measured) <= 3 * 3 + 2  # others that were tried meanwhile


def test_pixels_that_are_lost_are_prepared_anew(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky = _names(images)[1]
    full = [
        exceptions.OutOfDiskError("full"),
        exceptions.RayTaskError("prepare", "", exceptions.OutOfDiskError("full")),
    ]
    ray = FakeRay(exceptions, lost=lambda names: full.pop() if full and unlucky in names else None)
    assert _evaluated(images, ray, monkeypatch).outcome.done == COUNT
    assert sorted(ray.measured) == [[name] for name in _names(images)]


def test_no_more_pixels_are_on_their_way_than_a_full_disk_leaves_room_for(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay(exceptions)
    prepared: list[str] = []

    def lost(names: Sequence[str]) -> Exception | None:
        prepared.extend(names)
        too_many = len(prepared) - len(refused) - len(ray.measured) > 2
        refused.extend(names if too_many else [])
        return exceptions.OutOfDiskError("full") if too_many else None

    refused: list[str] = []
    ray.lost = lost
    assert _evaluated(images, ray, monkeypatch).outcome.done == COUNT
    assert len(refused) >= COUNT - 2
    assert sorted(ray.measured) == [[name] for name in _names(images)]


def test_workers_of_a_lost_node_leave_the_others_room_to_prepare(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers on one core would hold all of it, and what they are to measure would never be prepared."""
    ray = FakeRay(exceptions, cores=[1.0, 1.0])

    def dies(names: Sequence[str]) -> Exception | None:
        if len(ray.measured) == 3:
            ray.cores.pop()
            return exceptions.ActorDiedError()
        return None

    ray.dies = dies
    options = {"cluster": Cluster(workers=2), "log": lambda sentence: None}
    assert _evaluated(images, ray, monkeypatch, **options).outcome.done == COUNT
    assert ray.started == 2


def test_where_every_node_is_lost_a_new_one_is_used(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(exceptions)

    def dies(names: Sequence[str]) -> Exception | None:
        if len(ray.measured) == 3:
            ray.cores.clear()
            return exceptions.ActorDiedError()
        return None

    ray.dies = dies
    monkeypatch.setattr(engine, "_CHECK", 0.01)
    monkeypatch.setattr(engine.time, "sleep", lambda seconds: ray.cores.append(2.0))
    assert _evaluated(images, ray, monkeypatch, log=lambda sentence: None).outcome.done == COUNT


def test_a_tokenizer_that_no_worker_can_load_is_told_from_other_mistakes(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause = RequestError("its owner asks for a licence", code="gated-weights")
    ray = FakeRay(exceptions, refused=exceptions.RayTaskError("load", "", cause))
    with pytest.raises(NotLoadedError, match=rf"a licence; {COUNT} of {COUNT} images") as raised:
        _evaluated(images, ray, monkeypatch)
    assert raised.value.code == "gated-weights"


def test_out_of_memory_is_the_outcome_of_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_coarse(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COARSE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("COARSE_SECONDS", "0")
    sides = [(72, 72) if index == 2 else (64, 64) for index in range(COUNT)]
    images = write_noise(tmp_path / "sizes", sides, seed=4)
    record = _evaluated(images, FakeRay(exceptions), monkeypatch, tokenizer="coarse:Coarse", resolution=80)
    assert (record.outcome.status, record.outcome.done, record.outcome.total) == (OutcomeStatus.OOM, COUNT - 1, COUNT)
    memory = record.outcome.memory
    assert memory is not None
    assert (memory.height, memory.width, memory.requested_bytes) == (72, 72, 2 << 30)
    assert (memory.fit_height, memory.fit_width) == (64, 64)
    (table,) = results_root().rglob("*.parquet")
    assert len(pd.read_parquet(table)) == COUNT - 1
