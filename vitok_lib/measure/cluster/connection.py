"""Joining a Ray cluster, and what of it the workers of an evaluation may take.

Ray's ports trust whoever reaches them. A cluster that is started here for one command has a secret of its own, which
Ray asks for in every message, so that its workers accept work from this command alone.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Any

from vitok_lib.errors import RequestError

LOCAL = "local"
OF_A_PREPARING_TASK = 0.5
"""CPU cores of a task that reads and prepares an image: for much of its time it waits for the disk."""


@dataclass(frozen=True)
class Share:
    """What one of ``workers`` takes: GPUs, which may be a fraction, and CPU cores, in which its threads run."""

    workers: int
    gpus: float
    cores: int

    @property
    def resources(self) -> dict[str, float]:
        """What Ray reserves for it; on every node with a worker a task that prepares images fits next to it."""
        return {"num_cpus": self.cores - OF_A_PREPARING_TASK, "num_gpus": self.gpus}

    def room(self, node: dict[str, float]) -> int:
        """How many of them a node with these resources, as Ray names them, holds next to tasks that prepare images."""
        by_gpu = floor(node.get("GPU", 0) / self.gpus + 1e-9) if self.gpus else inf
        return int(min(node.get("CPU", 0) // self.cores, by_gpu))


def ray_module() -> Any:
    """The package ray, imported where it is needed: it takes a second and few have it.

    Raises:
        RequestError: it is not installed.
    """
    # Read by Ray at its import. Nothing of a measurement is reported to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Read by the nodes that Ray starts here. Its workers are what the command is for, and yet Ray lets whatever else
    # runs on a machine go before them, by a niceness of 15.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Read when a result is dropped: what failed is told by the run, which may have mended it.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise RequestError(
            "--cluster needs the package ray: pip install 'vitok-lib[cluster]'", code="missing-package"
        ) from error
    return ray


def connect(address: str) -> Any:
    """Ray, joined to the cluster at ``address``, or to one that is started on this machine for ``local``.

    A process joins one cluster, and leaves it when it ends, or by :func:`leave`.

    Raises:
        RequestError: ray is not installed, or no cluster answers there.
    """
    if address == LOCAL and "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray = ray_module()
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == LOCAL:
        options["include_dashboard"] = False
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(address=address, **options)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise RequestError(
            f"no Ray cluster answers at '{address}' ({reason}); start one with 'ray start --head' and give its "
            "address, such as 10.0.0.1:6379, and its RAY_AUTH_TOKEN where it has one, or give 'local'"
        ) from error
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():  # in place of Ray's, which abort the process with a stack
            signal.signal(number, handler)
    return ray


def leave() -> None:
    """Leave the cluster, if this process joined one; one that was started for it ends."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()


def living_nodes(ray: Any) -> list[dict[str, float]]:
    """The resources of each node that is alive, as Ray names them."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def share_of(nodes: Sequence[dict[str, float]], device: str, gpus: int | None, workers: int | None) -> Share:
    """What each worker takes of ``nodes``.

    On GPUs there is one worker for each, or ``workers`` that share ``gpus`` of them. On a CPU there is one for each
    node, or ``workers`` with equally many cores.

    Raises:
        RequestError: the nodes have not as many GPUs or cores.
    """
    if device not in ("cpu", "cuda"):
        raise RequestError(f"device '{device}' is that of one machine; with --cluster give cpu or cuda")
    if device == "cpu":
        cores = [int(node.get("CPU", 0)) for node in nodes]
        asked = workers or max(1, sum(count > 0 for count in cores))
        for own in range(max(cores, default=0), 0, -1):
            if sum(count // own for count in cores) >= asked:
                return Share(asked, 0, own)
        raise RequestError(f"{asked} workers need as many CPU cores, and the cluster has {sum(cores)}")
    there = [int(node.get("GPU", 0)) for node in nodes]
    taken = gpus or sum(there)
    if not 1 <= taken <= sum(there):
        raise RequestError(f"{max(1, taken)} GPUs are needed, and the cluster has {sum(there)}; give fewer, or cpu")
    asked = workers or taken
    if asked < taken:
        raise RequestError(f"a worker takes one GPU: {asked} workers leave {taken - asked} of {taken} GPUs idle")
    on_one = ceil(asked / taken)
    return Share(asked, 1 / on_one if on_one > 1 else 1, 1)
