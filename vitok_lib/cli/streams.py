"""Standard output and standard error that do not end a measurement: closed, full, or of an encoding without µ."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

_STDERR = 2


class _Closed(io.TextIOBase):
    """Standard output that was closed before the program began: what is written to it is an error at once."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "it is closed")


class _Unfailing:
    """Standard error whose own failures are passed over: a message that is lost must not lose a measurement."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # ValueError: it was closed meanwhile
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def usable_streams() -> Iterator[None]:
    """Run a command with streams that take any text.

    What standard output cannot take ends in one sentence on standard error and status 1, after all else is done and
    recorded. Characters that its encoding lacks, and bytes of a file name that are no text, are written as escapes.
    """
    _fill_closed_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = sys.stdout or cast(TextIO, _Closed())
    sys.stderr = cast(TextIO, _Unfailing(sys.stderr or open(os.devnull, "w", encoding="utf-8")))  # noqa: SIM115
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `| head` does
        _drop_stdout()
        sys.exit(1)
    except OSError as error:
        if not _stdout_fails():
            raise
        _drop_stdout()
        reason = error.strerror or str(error)
        print(
            f"vitok: cannot write to standard output: {reason}; what was measured is recorded, "
            "and 'vitok list records' shows it",
            file=sys.stderr,
        )
        sys.exit(1)


def _fill_closed_descriptors() -> None:
    """Point the descriptors 0 to 2 that are closed at the null device: else the next file that is opened gets one."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)


def _stdout_fails() -> bool:
    """Whether standard output refuses what it was given; a buffer that could not be emptied still holds it."""
    try:
        sys.stdout.write("")
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _drop_stdout() -> None:
    """The interpreter flushes standard output once more when it ends; let that go nowhere."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
