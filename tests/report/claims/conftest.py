"""Every test of a claim has the published figures as records, and nothing else unless it writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitok_lib.published.study import write_published


@pytest.fixture(autouse=True)
def _published(results: Path) -> None:
    write_published()
