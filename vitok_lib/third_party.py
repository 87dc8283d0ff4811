"""Running other people's code: what it prints goes to standard error, and ``sys.exit`` is an error like any other.

Standard output is the program's own, which ``--json`` promises to be JSON; a plug-in's words and those of the
processes that it starts must not get between.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

_OUT, _ERROR = 1, 2  # file descriptors


@contextmanager
def guarded() -> Iterator[None]:
    """Within, standard output is standard error.

    Raises:
        RuntimeError: the code within asked Python to exit.
    """
    with _descriptor_redirected(), redirect_stdout(sys.stderr):
        try:
            yield
        except SystemExit as error:
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error


@contextmanager
def _descriptor_redirected() -> Iterator[None]:
    """For those who write past ``sys.stdout``: started processes, and holders of ``sys.__stdout__``."""
    _flush()
    try:
        saved = os.dup(_OUT)
    except OSError:  # standard output is closed: nothing can get into it
        yield
        return
    try:
        os.dup2(_ERROR, _OUT)
    except OSError:  # standard error is closed
        os.close(saved)
        yield
        return
    try:
        yield
    finally:
        _flush()
        os.dup2(saved, _OUT)
        os.close(saved)


def _flush() -> None:
    if sys.__stdout__ is not None and not sys.__stdout__.closed:
        sys.__stdout__.flush()
