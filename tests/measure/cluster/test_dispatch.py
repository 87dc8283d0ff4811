"""Which images go where when processes die, on a cluster that is only played; the real one is in test_cluster.py."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.images import write_noise
from tests.fakes.ray import FakeRay
from vitok_lib.measure.cluster import engine
from vitok_lib.measure.cluster.engine import Cluster
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus, Record

exceptions = pytest.importorskip("ray.exceptions")
COUNT = 8


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_noise(tmp_path / "images", [(24, 24)] * COUNT, seed=3)


def _evaluated(images: Path, ray: FakeRay, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Record:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "connect", lambda address: ray)
        return evaluate("jpeg:q=50", images=images, resolution=32, cluster=Cluster(), **options)


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


def test_a_machine_that_no_image_leaves_alive_ends_the_run_early(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(exceptions, dies=lambda names: exceptions.ActorDiedError())
    record = _evaluated(images, ray, monkeypatch, log=lambda sentence: None)
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.ERROR, 0)
    assert max(Counter(name for names in ray.measured for name in names).values()) == 3
    assert len(ray.measured) <= 3 * 3 + 2  # others that were tried meanwhile


def test_pixels_that_are_lost_are_prepared_anew(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlucky = _names(images)[1]
    full = [exceptions.OutOfDiskError("full"), exceptions.RayTaskError("prepare", "", exceptions.OutOfDiskError("full"))]
    ray = FakeRay(exceptions, lost=lambda names: full.pop() if full and unlucky in names else None)
    assert _evaluated(images, ray, monkeypatch).outcome.done == COUNT
    assert sorted(ray.measured) == [[name] for name in _names(images)]
