"""Standard output and error that are closed, full or of a narrow encoding: no traceback, nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vitok_lib.records.store import read_records

VITOK = f"{sys.executable} -c 'from vitok_lib.cli.app import main; main()'"
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")


def _shell(words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f"{VITOK} {words}"]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("list metrics >&-", 1),
        pytest.param("list metrics >/dev/full", 1, marks=full),
        pytest.param("--help >/dev/full", 1, marks=full),
        ("list metrics 2>&-", 0),
        pytest.param("list metrics 2>/dev/full", 0, marks=full),
        ("list nothing >&- 2>&-", 2),
        pytest.param("eval nobody --images photos --resolution 64 2>/dev/full", 2, marks=full),
    ],
)
def test_a_stream_that_takes_nothing_changes_the_status_and_is_named(words: str, status: int) -> None:
    ended = _shell(words)
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr
    assert ("standard output" in ended.stderr) == (status == 1)


def test_a_reader_that_closes_the_pipe_early_is_no_error() -> None:
    ended = _shell("list metrics | head -1")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_the_encoding_lacks_are_written_as_escapes(encoding: str) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"{VITOK} list metrics"], capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding}
    )
    assert ended.returncode == 0
    text = ended.stdout.decode(encoding)
    assert ("é" in text) == (encoding != "ascii")  # of Fréchet
    assert ("\\xe9" in text) == (encoding == "ascii")


@full
def test_a_table_that_cannot_be_printed_leaves_its_record(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (24, 16), (200, 90, 10)).save(tmp_path / "images" / "a.png")
    ended = _shell(f"eval jpeg:q=75 --images {tmp_path / 'images'} --resolution 24 --metrics psnr >/dev/full")
    assert ended.returncode == 1
    assert "what was measured is recorded" in ended.stderr
    assert [record.outcome.status for record in read_records()] == ["ok"]


def test_a_closed_output_is_given_to_no_file(tmp_path: Path) -> None:
    """The lowest free descriptor is given to the next file: what a library prints would land in it."""
    program = (
        "import os, sys\n"
        "from vitok_lib.cli.streams import usable_streams\n"
        "with usable_streams():\n"
        f"    file = open({str(tmp_path / 'record')!r}, 'w')\n"
        "    os.write(1, b'printed by a library')\n"
        "    file.close()\n"
    )
    subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "$PROGRAM" >&-'], env=os.environ | {"PROGRAM": program}, check=True
    )
    assert (tmp_path / "record").read_text() == ""
