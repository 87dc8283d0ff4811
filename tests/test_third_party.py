"""Other people's code neither ends the program, nor takes its streams, nor changes what others are measured with."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vitok_lib.errors import error_text
from vitok_lib.measure.quality.evaluate import evaluate
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.records.store import read_records
from vitok_lib.third_party import guarded
from vitok_lib.tokenizers.load import load_tokenizer

VITOK = [sys.executable, "-c", "from vitok_lib.cli.app import main; main()"]
MODULE = """
import os, sys
import torch
from tests.fakes.tokenizers import Identity

def act():
    {act}

class Acting(Identity):
    def encode(self, images):
        act()
        return super().encode(images)

def make():
    return Acting()

def make_acting():
    act()
    return Identity()
"""


class _SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def _module(folder: Path, act: str) -> str:
    name = f"acting_{folder.name}_{abs(hash(act))}"
    (folder / f"{name}.py").write_text(MODULE.format(act=act), encoding="utf-8")
    return name


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), asyncio.CancelledError(), BaseException("gone")])
def test_what_is_no_exception_becomes_one(error: BaseException) -> None:
    with pytest.raises(RuntimeError, match=r"it called sys\.exit\(0\)|it raised"), guarded("code"):
        raise error


def test_the_user_can_still_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), guarded("code"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("act", ["raise GeneratorExit", "sys.exit(0)", "raise ValueError('\\udcff')"])
def test_a_tokenizer_that_raises_anything_is_recorded(
    act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    record = evaluate(f"{_module(tmp_path, act)}:make", images="leaves", resolution=16, samples=1, workers=0)
    assert (record.outcome.status, record.outcome.failed) == (OutcomeStatus.ERROR, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "act",
    [
        "sys.stdout.close(); sys.__stdout__.close(); sys.stderr.close(); sys.__stderr__.close()",
        "os.close(1); os.close(2)",
        "print('words'); os.system('echo words')",
    ],
)
def test_a_tokenizer_that_closes_the_streams_leaves_them_to_the_program(act: str, tmp_path: Path) -> None:
    words = ["eval", f"{_module(tmp_path, act)}:make", "--images", "leaves", "--resolution", "16", "--metrics", "ssim"]
    where = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    ended = subprocess.run([*VITOK, *words, "--samples", "1", "--json"], capture_output=True, text=True, env=where)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)[0]["outcome"] == "ok"
    assert "Traceback" not in ended.stderr
    assert [record.outcome.status for record in read_records()] == [OutcomeStatus.OK]


@pytest.mark.parametrize("factory", ["make", "make_acting"])
@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("torch.set_default_dtype(torch.float64)", "default dtype from torch.float32 to torch.float64"),
        ("torch.set_default_device('meta')", "default device from cpu to meta"),
        ("torch.set_num_threads(3)", "number of threads from 1 to 3"),
        ("torch.set_grad_enabled(True)", "gradient mode from False to True"),
        ("torch.set_float32_matmul_precision('medium')", "float32 products from highest to medium"),
        ("os.chdir('/')", "working folder from"),
    ],
)
def test_what_it_sets_for_the_whole_process_is_set_back_and_said(
    act: str,
    words: str,
    factory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VITOK_RESULTS", "results")
    with torch.no_grad():
        tokenizer = load_tokenizer(f"{_module(tmp_path, act)}:{factory}")
        record = evaluate(tokenizer, images="leaves", resolution=16, samples=2, workers=0)
        assert not torch.is_grad_enabled()
    assert record.outcome.status is OutcomeStatus.OK
    assert list((tmp_path / "results").rglob("*.json"))
    assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float32, 1)
    assert (torch.get_default_device().type, torch.get_float32_matmul_precision()) == ("cpu", "highest")
    said = [line for line in capsys.readouterr().err.splitlines() if words in line]
    assert len(said) == 1
    assert said[0].startswith(f"vitok: tokenizer '{tokenizer.spec.name}' set ")


def test_a_stream_that_was_kept_for_later_can_be_written_to(capsys: pytest.CaptureFixture[str]) -> None:
    with guarded("code"):
        kept = sys.stdout
    kept.write("later\n")
    assert capsys.readouterr() == ("", "later\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\nb"), "a b"),
        (ValueError("caf\udce9"), "caf\\udce9"),
        (_SpeechlessError(), "no text, since its __str__ raised RuntimeError"),
        (ValueError("x" * 9999), "x" * 500),
    ],
)
def test_the_text_of_any_exception_can_be_recorded(error: Exception, text: str) -> None:
    assert error_text(error) == text
    error_text(error).encode("utf-8")


def test_what_other_peoples_code_raises_says_where(tmp_path: Path) -> None:
    file = tmp_path / "theirs.py"
    file.write_text("\n\ndef fail():\n    return [][3]\n\n\ndef bare():\n    raise ValueError\n")
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    for function, said in (("fail", "list index out of range (theirs.py, line 4)"), ("bare", "(theirs.py, line 8)")):
        with pytest.raises(Exception) as caught, guarded("a test"):  # noqa: PT011
            names[function]()
        assert error_text(caught.value).strip() == said
