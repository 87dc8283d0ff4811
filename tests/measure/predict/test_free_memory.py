"""Free memory, against the kernel's own numbers and against control groups laid out as the kernel lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vitok_lib.measure.predict import free_memory
from vitok_lib.measure.predict.free_memory import available_bytes

NO_LIMIT = {"2": "max", "1": str(2**63 - 4096)}
LIMITED = {"2": ("", "memory.max", "memory.current", "inactive_file"),
           "1": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")}  # fmt: skip


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The control groups of a host of which 1,000 KiB are free."""
    monkeypatch.setattr(free_memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(free_memory, "_GROUPS", tmp_path / "groups")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemFree: 500 kB\nMemAvailable: 1000 kB\n")
    return tmp_path / "groups"


def _within(groups: Path, version: str, path: str) -> None:
    lines = {"2": f"0::{path}\n", "1": f"9:cpu:/other\n4:memory:{path}\n0::/\n"}
    (groups.parent / "proc" / "self" / "cgroup").write_text(lines[version])


def _limit(groups: Path, version: str, path: str, most: str, used: int, cache: int = 0) -> None:
    hierarchy, limit, current, inactive = LIMITED[version]
    folder = groups / hierarchy / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / limit).write_text(f"{most}\n")
    (folder / current).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon {used - cache}\n{inactive} {cache}\n")


@pytest.mark.parametrize("version", ["1", "2"])
def test_the_tightest_limit_around_a_process_counts_and_its_page_cache_is_free(groups: Path, version: str) -> None:
    _within(groups, version, "/job/step")
    _limit(groups, version, "job/step", NO_LIMIT[version], used=10)
    assert available_bytes("cpu") == 1000 * 1024
    _limit(groups, version, "job", "50000", used=20000, cache=5000)
    assert available_bytes("cpu") == 50000 - (20000 - 5000)
    _limit(groups, version, "job/step", "30000", used=29000)
    assert available_bytes("cpu") == 1000
    _limit(groups, version, "job", "100", used=120)
    assert available_bytes("cpu") == 0
    _limit(groups, version, "job", str(10**9), used=0)
    _limit(groups, version, "job/step", str(10**9), used=0)
    assert available_bytes("cpu") == 1000 * 1024


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_container_sees_its_own_group_as_the_root(groups: Path, version: str) -> None:
    """Of version 1 under the name that the host gave it, which is not there."""
    _within(groups, version, "/" if version == "2" else "/docker/5f3a")
    _limit(groups, version, "", "70000", used=30000)
    assert available_bytes("cpu") == 40000


def test_without_control_groups_it_is_what_the_host_has(groups: Path) -> None:
    assert available_bytes("cpu") == 1000 * 1024
    (groups.parent / "proc" / "meminfo").unlink()
    assert (available_bytes("cpu") or 0) > 2**28, "of this machine, by its pages"


def test_free_memory_of_a_cpu_is_some_and_no_more_than_there_is() -> None:
    free = available_bytes("cpu")
    assert free is not None
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        assert 0 < free <= int(meminfo.read_text().partition("MemTotal:")[2].split()[0]) * 1024


def test_free_memory_of_a_gpu_is_that_of_the_one_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ((device.index or 0) + 5, 80))
    assert [available_bytes(name) for name in ("cuda", "cuda:1", "cuda:2")] == [5, 6, None]
