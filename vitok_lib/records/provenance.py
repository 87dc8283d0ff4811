"""Where a measurement comes from: sources, command, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vitok_lib.records.schema import Host, Provenance

_PACKAGES = (
    "vitok-lib",
    "torch",
    "diffusers",
    "numpy",
    "pillow",
    "pillow-jxl-plugin",
    "scikit-image",
    "scikit-learn",
    "torch-fidelity",
    "torchmetrics",
    "transformers",
    "triton",
)
_SOURCES = ("vitok_lib", "notebooks", "profiles")


def provenance(
    command: str,
    notebook: str | None,
    parameters: dict[str, Any],
    started: datetime,
    device: str,
    earlier: float = 0.0,
) -> Provenance:
    """The provenance of work that began at ``started`` and ends now, after ``earlier`` seconds of the same work."""
    commit, dirty = _commit()
    return Provenance(
        commit=commit,
        dirty=dirty,
        command=command,
        notebook=notebook,
        parameters=parameters,
        started=started,
        seconds=round(earlier + (datetime.now(UTC) - started).total_seconds(), 3),
        host=describe_host(device),
    )


def cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def describe_host(device: str) -> Host:
    """This machine; the GPU's facts only if ``device`` is one."""
    packages = {name: found for name in _PACKAGES if (found := _version(name)) is not None}
    gpu = driver = cuda = None
    if device.startswith("cuda"):
        gpu, driver = _gpu()
        cuda, cudnn = _cuda_libraries()
        packages |= {"cudnn": cudnn} if cudnn else {}
    return Host(
        cpu=_cpu_model(),
        cores=cores(),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        gpu=gpu,
        driver=driver,
        cuda=cuda if gpu else None,
        platform=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        packages=packages,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> tuple[str | None, str | None]:
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    answer = _output(query)
    name, _, driver = (answer or "").partition("\n")[0].partition(", ")
    return name or None, driver or None


def _cuda_libraries() -> tuple[str | None, str | None]:
    """The versions of CUDA and of cuDNN that torch runs with, which its own version does not tell."""
    import torch  # here, since records are read where there is none

    number = torch.backends.cudnn.version()  # 91900: 9.19.0
    return torch.version.cuda, None if number is None else f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def _commit() -> tuple[str | None, bool | None]:
    """The commit of these sources and whether they differ from it; None outside a git checkout."""
    project = Path(__file__).resolve().parents[2]
    if not (project / ".git").exists():
        return None, None
    commit = _output(["git", "-C", str(project), "rev-parse", "HEAD"])
    changes = _output(["git", "-C", str(project), "status", "--porcelain", "--", *_SOURCES])
    return commit, bool(changes)


def _output(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
