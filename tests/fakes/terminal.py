"""The command line within the process of a test."""

from __future__ import annotations

import sys

import pytest

from vitok_lib.cli.app import main


def status_of(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of ``vitok WORDS``; what it prints is for the fixture ``capsys``."""
    monkeypatch.setattr(sys, "argv", ["vitok", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
