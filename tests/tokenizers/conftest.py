"""What several tests of diffusers' auto-encoders share."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.fakes.autoencoders import COMMIT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one snapshot of ``someone/small`` in an empty hub cache without a network."""
    repository = tmp_path / "hub" / "models--someone--small"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository / "snapshots" / COMMIT
