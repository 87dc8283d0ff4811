"""What every test gets: a results folder and a cache of prepared images of its own, no network, one thread."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from vitok_lib.records import provenance

# Before the first import of torch and huggingface_hub, which read them then.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Else a compiler starts processes that import torch for themselves, and waits for them at the end.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

BUILDING = frozenset(("book", "built", "project", "site"))
"""Fixtures that build pages with Sphinx."""
SLOW = {
    "cli/test_app.py": "starts the command in processes",
    "measure/memory/test_max_resolution.py": "starts a process for each size",
    "measure/memory/test_peak.py": "starts a process for each peak",
    "measure/predict/test_meta_memory.py": "traces whole models",
    "measure/predict/test_plan.py": "traces whole models",
    "measure/predict/test_plan_command.py": "traces whole models",
    "measure/quality/test_processes.py": "kills processes and starts them again",
    "measure/speed/test_speed_failures.py": "compiles",
    "measure/speed/test_compile_stats.py": "compiles",
    "measure/speed/test_profile.py": "profiles",
    "metrics/networks/test_inception.py": "runs Inception twice",
    "metrics/test_statistics.py": "simulates",
    "metrics/test_structure.py": "runs torchmetrics on large images",
    "notebooks/test_notebooks.py": "executes notebooks",
    "train/test_train.py": "trains",
}
"""Files whose tests take over some five seconds together, and why."""
LONGEST = (
    *("notebooks/test_notebooks.py", "report/test_accessibility.py", "report/test_browser.py", "report/test_book.py"),
    *("report/viewer/test_browser.py", "report/viewer/test_keys_and_touch.py", "report/sphinx/test_extension.py"),
    *("measure/memory/test_peak.py", "check/test_audit.py", "measure/quality/test_processes.py"),
)
"""Files that are begun before the others, the longest first, so that no process works alone at the end."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep what imports and collection make out of every later search for garbage, which else reads all of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow and what builds pages; skip what needs CUDA where there is none; put the longest first."""
    items.sort(key=lambda item: LONGEST.index(_file(item)) if _file(item) in LONGEST else len(LONGEST))
    for item in items:
        if _file(item) in SLOW:
            item.add_marker("slow")
        if BUILDING & set(getattr(item, "fixturenames", ())) and not item.get_closest_marker("browser"):
            item.add_marker("book")
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing:
        import torch

        if not torch.cuda.is_available():
            for item in needing:
                item.add_marker(pytest.mark.skip(reason="no GPU with CUDA here"))


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


_commit = cache(provenance._commit)


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder that no other test sees; it does not exist yet. Nor is any other test's cache seen.

    Git is asked for the commit once and not for every record.
    """
    root = tmp_path / "results"
    monkeypatch.setenv("VITOK_RESULTS", str(root))
    monkeypatch.setenv("VITOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(provenance, "_commit", _commit)
    return root
