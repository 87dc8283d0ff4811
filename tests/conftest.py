"""What every test gets: a results folder and a cache of prepared images of its own, no network, one thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

# Before the first import of torch and huggingface_hub, which read them then.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

BUILDING = frozenset(("book", "built", "project", "site"))
"""Fixtures that build pages with Sphinx."""


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what builds pages, and skip what needs CUDA where there is none."""
    for item in items:
        if BUILDING & set(getattr(item, "fixturenames", ())) and not item.get_closest_marker("browser"):
            item.add_marker("book")
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing:
        import torch

        if not torch.cuda.is_available():
            for item in needing:
                item.add_marker(pytest.mark.skip(reason="no GPU with CUDA here"))


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder that no other test sees; it does not exist yet. Nor is any other test's cache seen."""
    root = tmp_path / "results"
    monkeypatch.setenv("VITOK_RESULTS", str(root))
    monkeypatch.setenv("VITOK_CACHE", str(tmp_path / "cache"))
    return root
