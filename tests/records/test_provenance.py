"""Where a measurement says that it comes from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from vitok_lib.records import provenance as module
from vitok_lib.records.provenance import describe_host, provenance

ROOT = Path(module.__file__).resolve().parents[2]
COMMIT = module._commit


@pytest.fixture(autouse=True)
def _git_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every time, and not once for all tests."""
    monkeypatch.setattr(module, "_commit", COMMIT)


def test_it_keeps_what_was_asked_and_how_long_it_took() -> None:
    started = datetime.now(UTC) - timedelta(seconds=5)
    found = provenance("vitok eval t", "div8k", {"resolution": 256}, started, "cpu")
    assert (found.command, found.notebook, found.parameters) == ("vitok eval t", "div8k", {"resolution": 256})
    assert found.started == started
    assert 5 <= found.seconds < 60


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a source archive has no commits")
def test_the_commit_is_that_of_the_clone() -> None:
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    found = provenance("c", None, {}, datetime.now(UTC), "cpu")
    assert found.commit == (head.stdout.strip() or None)
    assert isinstance(found.dirty, bool)


def test_sources_are_dirty_once_they_differ_from_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    source = tmp_path / "vitok_lib" / "records" / "provenance.py"
    source.parent.mkdir(parents=True)
    source.write_text("")
    (tmp_path / "notes.txt").write_text("")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    monkeypatch.setattr(module, "__file__", str(source))
    assert module._commit()[1] is False
    (tmp_path / "notes.txt").write_text("not a source")
    assert module._commit()[1] is False
    source.write_text("changed")
    assert module._commit()[1] is True


def test_outside_a_clone_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    assert module._commit() == (None, None)


def test_the_host_is_this_one() -> None:
    host = describe_host("cpu")
    assert host.python == platform.python_version()
    assert host.packages["torch"] == version("torch")
    assert 1 <= host.cores <= (os.cpu_count() or 1)
    assert host.memory_gib > 0
    assert host.cpu


def test_a_measurement_on_the_cpu_names_no_gpu() -> None:
    host = describe_host("cpu")
    assert (host.gpu, host.driver, host.cuda) == (None, None, None)


def test_a_gpu_is_named_with_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_output", lambda command: "NVIDIA H200, 570.1\nNVIDIA H200, 570.1")
    monkeypatch.setattr(module, "_version", {"torch": "2.11.0", "triton": "3.6.0"}.get)  # as the wheels of PyPI say
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
    host = describe_host("cuda:9")
    describe_host.cache_clear()
    assert (host.gpu, host.driver, host.cuda) == ("NVIDIA H200", "570.1", "13.0")
    assert host.packages == {"torch": "2.11.0", "triton": "3.6.0", "cudnn": "9.19.0"}


def test_a_host_is_described_without_torch_where_there_is_no_gpu() -> None:
    script = (
        "import sys; from vitok_lib.records.provenance import describe_host; describe_host('cpu'); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()


def test_a_machine_without_the_gpus_tool_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    host = describe_host("cuda:8")
    describe_host.cache_clear()
    assert host.gpu is None
