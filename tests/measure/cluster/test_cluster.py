"""A Ray cluster of several nodes: the record of a single run, whatever dies; nothing lost and nothing doubled."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from tests.fakes.coarse import write_coarse
from vitok_lib.errors import RequestError
from vitok_lib.images.photographs import PHOTOGRAPHS
from vitok_lib.measure.cluster.connection import ray_module
from vitok_lib.measure.cluster.engine import Cluster
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import results_root

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")
SIDE = 64
METRICS = ["psnr", "ssim", "fd-random"]
NODES = 2


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, two views of each."""
    folder = tmp_path_factory.mktemp("photographs")
    for photograph in PHOTOGRAPHS:
        image = Image.open(photograph.file()).convert("RGB")
        image.thumbnail((160, 160))
        for view, left in (("left", 0), ("right", image.width - 80)):
            image.crop((left, 0, left + 80, 80)).save(folder / f"{photograph.name}-{view}.png")
    return folder


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the tokenizer of these tests notes; every process that starts from here on can load it."""
    folder = tmp_path_factory.mktemp("coarse")
    write_coarse(folder)
    path = folder / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("COARSE_LOG", str(path))
        patch.setenv("VITOK_CACHE", str(folder / "cache"))
        patch.syspath_prepend(folder)
        yield path


@pytest.fixture(scope="module")
def nodes(log: Path) -> Iterator[Any]:
    """A cluster of several nodes with one core each."""
    ray_module()  # for what it sets before nodes start
    from ray.cluster_utils import Cluster as Nodes

    cluster = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(NODES - 1):
        cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def _evaluated(images: Path, **options: Any) -> Record:
    return evaluate("coarse:Coarse", images=images, resolution=SIDE, metrics=METRICS, **options)


def _table() -> pd.DataFrame:
    (path,) = results_root().rglob("*.parquet")
    return pd.read_parquet(path)


def _without_files() -> None:
    for path in results_root().rglob("*.*"):
        path.unlink()


def _kill_workers(log: Path) -> None:
    """Kill every process that measured an image; of the node that was lost before, none may be left."""
    for pid in {int(line.split()[1]) for line in log.read_text(encoding="utf-8").splitlines()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _same(record: Record, single: Record, table: pd.DataFrame) -> None:
    """Values of images are bit-equal, and distances to rounding."""
    pd.testing.assert_frame_equal(_table(), table, check_exact=True)
    assert record.outcome == single.outcome
    assert [value.quantity for value in record.values] == [value.quantity for value in single.values]
    for value, other in zip(record.values, single.values, strict=True):
        assert value.value == pytest.approx(other.value, rel=1e-9, abs=1e-9), value.quantity


def test_a_lost_node_and_a_killed_worker_change_nothing(images: Path, log: Path, nodes: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COARSE_SECONDS", "0")
        single = _evaluated(images)
    table = _table()
    _without_files()
    log.write_text("", encoding="utf-8")
    said: list[str] = []
    lost: list[int] = []

    def lose(done: int, total: int) -> None:
        if done >= 5 and not lost:
            lost.append(done)
            nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)
        if done >= 12 and len(lost) == 1:
            lost.append(done)
            _kill_workers(log)

    cluster = Cluster(nodes.address, workers=NODES)
    record = _evaluated(images, cluster=cluster, progress=lose, log=said.append)
    assert len(lost) == 2
    # A new worker may be lost, too, where it was sent to the node that is going.
    assert len(said) >= 2, said
    _same(record, single, table)
    seen = Counter(line.split()[0] for line in log.read_text(encoding="utf-8").splitlines())
    assert len(seen) == len(table)
    assert sum(seen.values()) <= len(table) + 2 * len(said)  # what each lost process was given and had not answered


def test_a_driver_that_is_killed_is_followed_by_another(images: Path, log: Path, nodes: Any) -> None:
    log.write_text("", encoding="utf-8")
    words = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()", "eval", "coarse:Coarse"]
    words += ["--images", str(images), "--resolution", str(SIDE), "--metrics", ",".join(METRICS)]
    victim = subprocess.Popen([*words, "--cluster", nodes.address, "--workers", "1"])
    deadline = time.monotonic() + 120
    while len(log.read_text(encoding="utf-8").splitlines()) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not list(results_root().rglob("*.json"))
    _evaluated(images, shard="1/2")  # and what a shard measured meanwhile counts
    record = _evaluated(images, cluster=Cluster(nodes.address, workers=1))
    count = len(_table())
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.OK, count)
    seen = Counter(line.split()[0] for line in log.read_text(encoding="utf-8").splitlines())
    assert len(seen) == count
    assert sum(seen.values()) <= count + 2  # what the worker of the first driver was at
    assert [path.suffix for path in sorted(results_root().rglob("*.*"))] == [".json", ".parquet"]


def test_a_full_disk_says_what_is_missing(images: Path, log: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COARSE_SECONDS", "0")
    kept: list[int] = []
    sync = os.fsync

    def full(handle: int) -> None:
        if len(kept) == 6:  # the key of the work, what the worker told, and four images
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        kept.append(handle)
        sync(handle)

    cluster = Cluster(nodes.address, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr("vitok_lib.measure.quality.journal.os.fsync", full)
        with pytest.raises(RequestError, match=rf"No space left.*{2 * len(PHOTOGRAPHS) - 5} of {2 * len(PHOTOGRAPHS)}"):
            _evaluated(images, cluster=cluster)
    assert _evaluated(images).outcome.done == 2 * len(PHOTOGRAPHS)


def test_out_of_memory_is_the_outcome_of_its_image(images: Path, log: Path, nodes: Any, tmp_path: Path) -> None:
    folder = tmp_path / "sizes"
    folder.mkdir()
    for index, path in enumerate(sorted(images.iterdir())[:8]):
        side = 72 if index == 2 else 64
        Image.open(path).crop((0, 0, side, side)).save(folder / path.name)
    options: dict[str, Any] = {"images": folder, "resolution": 80, "cluster": Cluster(nodes.address, workers=1)}
    record = evaluate("coarse:Coarse", **options)
    assert (record.outcome.status, record.outcome.done, record.outcome.total) == (OutcomeStatus.OOM, 7, 8)
    memory = record.outcome.memory
    assert memory is not None
    assert (memory.height, memory.width, memory.requested_bytes) == (72, 72, 2 << 30)
    assert (memory.fit_height, memory.fit_width) == (64, 64)
    assert len(_table()) == 7
