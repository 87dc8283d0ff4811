"""Ctrl-C and SIGTERM: one sentence and the status that a shell expects; an evaluation goes on where it was stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.images import write_noise
from tests.fakes.terminal import status_of
from vitok_lib.cli.interrupts import interruptible
from vitok_lib.records.store import read_records, results_root

_SLOW = """
import time
from vitok_lib.records.schema import Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

class Slow:
    spec = TokenizerSpec("slow", "test", 1, 3, "a test")
    weights = Weights(source="none")
    settings = Settings(device="cpu", dtype="float32")
    def encode(self, images):
        time.sleep(0.5)
        return Latent(images.movedim(1, -1), images.shape[2], images.shape[3])
    def decode(self, latent):
        return latent.values.movedim(-1, 1)
    def reconstruct(self, images):
        return self.decode(self.encode(images))
"""
_STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """A shell that starts the tests in the background has them ignore SIGINT, and what they start too."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.parametrize("number", _STATUS)
def test_a_signal_ends_in_one_sentence_and_its_status(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended, interruptible():
        signal.raise_signal(number)
    assert ended.value.code == _STATUS[number]
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert signal.getsignal(number) is before


def test_another_end_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, interruptible():
        sys.exit(2)
    assert (ended.value.code, capsys.readouterr().err) == (2, "")


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", _STATUS)
def test_an_evaluation_keeps_what_it_has_and_goes_on(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text(_SLOW)
    write_noise(tmp_path / "images", [(16, 16)] * 4)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from vitok_lib.cli.app import main; main()"
    asked = ["eval", "slow:Slow", "--images", str(tmp_path / "images"), "--resolution", "16", "--metrics", "psnr"]
    command = [sys.executable, "-c", program, *asked]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not any(path.stat().st_size > 200 for path in results_root().rglob("*.partial.jsonl")):
        assert time.monotonic() < until, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == _STATUS[number], said
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("vitok: interrupted")
    (journal,) = results_root().rglob("*.partial.jsonl")
    done = journal.read_text().count("results")
    assert 0 < done < 4
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow", raising=False)
    assert status_of(monkeypatch, *asked) == 0
    (record,) = read_records()
    assert record.outcome.done == 4
