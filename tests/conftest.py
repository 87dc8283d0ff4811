"""What every test gets: a results folder and a cache of prepared images of its own, no network, one thread."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before the first import of torch and huggingface_hub, which read them then.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder that no other test sees; it does not exist yet. Nor is any other test's cache seen."""
    root = tmp_path / "results"
    monkeypatch.setenv("VITOK_RESULTS", str(root))
    monkeypatch.setenv("VITOK_CACHE", str(tmp_path / "cache"))
    return root
