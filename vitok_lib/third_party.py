"""Running other people's code: it writes to standard error, cannot end the program, and leaves it as it was.

Standard output is the program's own, which ``--json`` promises to be JSON; a plug-in's words and those of the
processes that it starts must not get between. What it sets for the whole process would change the measurements of
others: it is set back, which is said.
"""

from __future__ import annotations

import io
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from vitok_lib.errors import RequestError, UnsupportedError

_OUT, _ERROR = 1, 2  # file descriptors
_said: set[tuple[str, str]] = set()


@contextmanager
def guarded(whose: str) -> Iterator[None]:
    """Run code of ``whose``, such as "tokenizer 'mine'".

    Raises:
        Exception: what the code within raised, with a note of the file and line in it.
        RuntimeError: the code within asked Python to exit, or raised another exception that is no Exception.
    """
    with _settings_kept(whose), _descriptors_kept(), _streams_kept():
        try:
            yield
        except (RequestError, UnsupportedError, KeyboardInterrupt):
            raise
        except Exception as error:
            place = _place_of(error)
            if place is not None and place not in getattr(error, "__notes__", ()):
                error.add_note(place)
            raise
        except SystemExit as error:
            raise RuntimeError(f"it called sys.exit({error.code!r})") from error
        except BaseException as error:
            raise RuntimeError(f"it raised {type(error).__name__}({error})") from error


def _place_of(error: Exception) -> str | None:
    """The file and line of other people's code that ``error`` came through last; None where it says one itself."""
    if isinstance(error, SyntaxError):
        return None
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [f"{file.name}, line {line}" for file, line in frames if _is_theirs(file)]
    return theirs[-1] if theirs else None


def _is_theirs(file: Path) -> bool:
    """Whether ``file`` is a source of none of this library, Python and torch."""
    if not file.is_file() or file.is_relative_to(Path(__file__).parent) or "torch" in file.parts:
        return False
    return "site-packages" in file.parts or not file.is_relative_to(sysconfig.get_path("stdlib"))


class _StandardError(io.TextIOBase):
    """The program's standard error for code that may close it, or keep it for later."""

    stream: TextIO

    def write(self, text: str) -> int:
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def buffer(self) -> Any:
        return self.stream.buffer

    def close(self) -> None:
        """Others go on writing to it."""


_STANDARD_ERROR = _StandardError()


@contextmanager
def _streams_kept() -> Iterator[None]:
    """Python's four standard streams are standard error."""
    names = ("stdout", "stderr", "__stdout__", "__stderr__")
    before = {name: getattr(sys, name) for name in names}
    if sys.stderr is not _STANDARD_ERROR:
        _STANDARD_ERROR.stream = sys.stderr
    for name in names:
        setattr(sys, name, cast(TextIO, _STANDARD_ERROR))
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)


@contextmanager
def _descriptors_kept() -> Iterator[None]:
    """The same for those who write past Python's streams, such as processes that are started."""
    _flush()
    saved = {}
    for descriptor in (_ERROR, _OUT):
        with suppress(OSError):  # it is closed
            saved[descriptor] = os.dup(descriptor)
    if len(saved) == 2:
        os.dup2(_ERROR, _OUT)
    try:
        yield
    finally:
        _flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)


def _flush() -> None:
    if sys.__stdout__ is not None and not sys.__stdout__.closed:
        sys.__stdout__.flush()


@contextmanager
def _settings_kept(whose: str) -> Iterator[None]:
    """What holds for the whole process is set back where it was changed, and said once."""
    settings = _settings()
    before = {what: read() for what, (read, _) in settings.items()}
    try:
        yield
    finally:
        for what, (read, write) in settings.items():
            after = read()
            if after == before[what]:
                continue
            write(before[what])
            if (whose, what) not in _said:
                _said.add((whose, what))
                print(
                    f"vitok: {whose} set {what} from {before[what]} to {after}; it is set back, "
                    "so that nothing else is measured with it",
                    file=sys.stderr,
                )


def _settings() -> dict[str, tuple[Callable[[], Any], Callable[[Any], object]]]:
    """How to read and to write each."""
    import torch

    def float32_precision() -> str:
        try:
            return torch.get_float32_matmul_precision()
        except RuntimeError:  # it was set for single libraries
            return "several"

    def place_on(device: torch.device) -> None:
        torch.set_default_device(None if device.type == "cpu" else device)  # None: no longer asked of every call

    return {
        "the working folder": (_working_folder, _return_to),
        "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
        "torch's default device": (torch.get_default_device, place_on),
        "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
        "torch's gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
        "torch's precision of float32 products": (float32_precision, torch.set_float32_matmul_precision),
    }


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None


def _return_to(folder: str | None) -> None:
    with suppress(OSError):
        os.chdir(folder or "")
