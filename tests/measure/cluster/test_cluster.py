"""A Ray cluster of several nodes: the record of a single run, whatever dies; nothing lost and nothing doubled."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from papermill.engines import papermill_engines
from PIL import Image

from tests.fakes.coarse import write_coarse
from tests.fakes.engine import InThisProcess
from vitok_lib import notebooks
from vitok_lib.errors import RequestError
from vitok_lib.images.photographs import PHOTOGRAPHS
from vitok_lib.measure.cluster.connection import ray_module
from vitok_lib.measure.cluster.engine import Cluster
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import read_records, results_root

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")
COARSE = "coarse:Coarse"
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

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"initial_delay_ms": 500, "period_ms": 500, "failure_threshold": 3}.items():
            patch.setenv(f"RAY_health_check_{name}", str(value))  # a lost node is found in 2 s and not in 25
        few = {
            "include_dashboard": False,
            "include_log_monitor": False,
            "no_monitor": True,
        }  # processes, to start early
        cluster = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, **few})
        for _ in range(NODES - 1):
            cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def _evaluated(images: Path, **options: Any) -> Record:
    return evaluate(COARSE, images=images, resolution=SIDE, metrics=METRICS, **options)


def _table() -> pd.DataFrame:
    (path,) = results_root().rglob("*.parquet")
    return pd.read_parquet(path)


def _without_files() -> None:
    for path in results_root().rglob("*.*"):
        path.unlink()


def _workers(log: Path) -> set[int]:
    """The processes that measured an image."""
    return {int(line.split()[1]) for line in log.read_text(encoding="utf-8").splitlines()}


def _kill_workers(log: Path) -> None:
    """Kill every process that measured an image; of the node that was lost before, none may be left."""
    for pid in _workers(log):
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
    niceness: set[int] = set()

    def lose(done: int, total: int) -> None:
        if done >= 8 and not lost:
            lost.append(done)
            niceness.update(os.getpriority(os.PRIO_PROCESS, pid) for pid in _workers(log))
            nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)
            _kill_workers(log)

    cluster = Cluster(nodes.address, workers=NODES)
    record = _evaluated(images, cluster=cluster, progress=lose, log=said.append)
    # A new worker may be lost, too, where it was sent to the node that is going.
    assert len(said) >= 2, said
    assert niceness == {os.getpriority(os.PRIO_PROCESS, 0)}, "workers let other programs go first"
    _same(record, single, table)
    seen = Counter(line.split()[0] for line in log.read_text(encoding="utf-8").splitlines())
    assert len(seen) == len(table)
    assert sum(seen.values()) <= len(table) + 2 * len(said)  # what each lost process was given and had not answered


def test_drivers_that_die_are_followed_by_others(
    images: Path, log: Path, nodes: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one is killed, the second one waits for it and finds the disk full, the third one has no cluster."""
    log.write_text("", encoding="utf-8")
    words = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()", "eval", COARSE]
    words += ["--images", str(images), "--resolution", str(SIDE), "--metrics", ",".join(METRICS)]
    first = subprocess.Popen([*words, "--cluster", nodes.address, "--workers", "1"])
    _until(lambda: list(results_root().rglob("*.jsonl")))

    def kill() -> None:
        _until(lambda: len(log.read_text(encoding="utf-8").splitlines()) >= 4)
        first.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    kept: list[int] = []
    sync = os.fsync

    def full(handle: int) -> None:
        if len(kept) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        kept.append(handle)
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr("vitok_lib.measure.quality.journal.os.fsync", full)
        count = 2 * len(PHOTOGRAPHS)
        with pytest.raises(RequestError, match=rf"No space left.*; \d+ of {count} images have no result yet"):
            _evaluated(images, cluster=Cluster(nodes.address, workers=1))
    killing.join()
    assert first.wait() == -signal.SIGKILL
    assert "waiting for it" in capsys.readouterr().err
    assert not list(results_root().rglob("*.json"))
    monkeypatch.setenv("COARSE_SECONDS", "0")
    record = _evaluated(images)
    assert (record.outcome.status, record.outcome.done) == (OutcomeStatus.OK, count)
    assert len(_table()) == count
    seen = Counter(line.split()[0] for line in log.read_text(encoding="utf-8").splitlines())
    assert len(seen) == count
    assert sum(seen.values()) <= count + 2 * 2  # what the worker of either driver had been given
    assert [path.suffix for path in sorted(results_root().rglob("*.*"))] == [".json", ".parquet"]


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_profile_measures_on_the_cluster_what_takes_one(
    images: Path, log: Path, nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_text("", encoding="utf-8")
    small = {"resolution": "64", "samples": 3, "metrics": "psnr"}
    entries = [
        {
            "notebook": "div8k",
            "output": "on-it",
            "parameters": {**small, "image_set": str(images), "tokenizers": COARSE},
        },
        {"notebook": "challenge", "output": "here", "parameters": {"resolution": 32, "tokenizers": "jpeg:q=50"}},
    ]
    (tmp_path / "small.yml").write_text(json.dumps(entries), encoding="utf-8")
    monkeypatch.setattr(notebooks, "in_clone", lambda name: tmp_path)
    monkeypatch.setattr(notebooks, "RUNS", tmp_path)
    monkeypatch.setitem(papermill_engines._engines, None, InThisProcess)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which IPython puts its own in place of
    said: list[str] = []
    assert notebooks.run_profile("small", "local", said.append, {"cluster": nodes.address, "workers": 1}) == []
    assert "challenge takes no cluster and measures on this machine" in said
    seen = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    assert len(seen) == 3
    assert str(os.getpid()) not in {pid for _, pid in seen}
    assert {record.outcome.done for record in read_records()} == {3, 5}
