"""Builds of small Sphinx projects, each in a process of its own that has imported Sphinx and the report already.

A build takes a few tenths of a second and its imports take one: they are done once, in a process that is forked for
every build.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["sphinx.cmd.build", "sphinx.builders.html", "myst_parser.sphinx_ext.main", "vitok_lib.report.sphinx.extension"]
)
_TIMEOUT = 90  # seconds


def build_pages(source: Path, target: Path, results: Path, after: str = "") -> subprocess.CompletedProcess[str]:
    """Build with warnings as errors; ``after`` is Python to run after the build, in the same process."""
    arguments = ["-q", "-W", "--keep-going", str(source), str(target)]
    with TemporaryDirectory() as folder:
        streams = Path(folder) / "out", Path(folder) / "err"
        process = _CONTEXT.Process(target=_build, args=(arguments, results, after, streams))
        process.start()
        process.join(_TIMEOUT)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, _TIMEOUT)
        return subprocess.CompletedProcess(arguments, process.exitcode, *(path.read_text() for path in streams))


def _build(arguments: list[str], results: Path, after: str, streams: tuple[Path, Path]) -> None:
    for number, path in zip((1, 2), streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ["VITOK_RESULTS"] = str(results)
    from sphinx.cmd.build import main

    code = 1
    try:
        code = main(arguments)
        exec(after)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
