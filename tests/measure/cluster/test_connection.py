"""What each worker takes of a cluster, and what is refused before anything starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.measure.cluster.connection import OF_A_PREPARING_TASK, ray_module, share_of
from vitok_lib.measure.cluster.engine import Cluster

HOST = {"CPU": 16.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("nodes", "device", "gpus", "workers", "share"),
    [
        ([HOST], "cuda", None, None, (4, 1, 1)),
        ([HOST, HOST], "cuda", 3, None, (3, 1, 1)),
        ([HOST], "cuda", 2, 3, (3, 0.5, 1)),  # two on one GPU and one on the other
        ([HOST], "cpu", None, None, (1, 0, 16)),
        ([HOST], "cpu", 4, 4, (4, 0, 4)),  # a codec next to tokenizers on GPUs
        ([{"CPU": 3.0}, {"CPU": 3.0}], "cpu", None, 3, (3, 0, 1)),  # two cores each would fit twice only
        ([{"CPU": 3.0}, {"GPU": 1.0}], "cpu", None, None, (1, 0, 3)),
    ],
)
def test_workers_share_what_there_is(
    nodes: list[dict[str, float]], device: str, gpus: int | None, workers: int | None, share: tuple[int, float, int]
) -> None:
    found = share_of(nodes, device, gpus, workers)
    assert (found.workers, found.gpus, found.cores) == share
    on_nodes = [min(node.get("CPU", 0) // found.cores, node.get("GPU", 0) // (found.gpus or 1e-9)) for node in nodes]
    if device == "cpu":
        on_nodes = [node.get("CPU", 0) // found.cores for node in nodes]
    assert sum(on_nodes) >= found.workers
    left = min(node["CPU"] - found.resources["num_cpus"] for node in nodes if node.get("CPU"))
    assert left >= OF_A_PREPARING_TASK


@pytest.mark.parametrize(
    ("device", "gpus", "workers", "said"),
    [
        ("cuda", 5, None, "5 GPUs are needed, and the cluster has 4"),
        ("cuda", 4, 2, "leave 2 of 4 GPUs idle"),
        ("cpu", None, 17, "17 workers need as many CPU cores, and the cluster has 16"),
        ("cuda:1", None, None, "device 'cuda:1'"),
    ],
)
def test_what_the_cluster_has_not_is_refused(device: str, gpus: int | None, workers: int | None, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        share_of([HOST], device, gpus, workers)


def test_numbers_below_one_are_refused() -> None:
    with pytest.raises(RequestError, match=r"workers \(=0\)"):
        Cluster(workers=0)


def test_without_ray_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = __import__

    def missing(name: str, *rest: object) -> object:
        if name == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("builtins.__import__", missing)
    with pytest.raises(RequestError, match=r"pip install 'vitok-lib\[cluster\]'"):
        ray_module()


def test_the_library_does_not_import_ray() -> None:
    code = "import sys, vitok_lib.measure.cluster.engine, vitok_lib.cli.eval; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
