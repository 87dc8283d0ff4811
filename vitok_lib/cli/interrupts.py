"""Ctrl-C and the request to end (SIGTERM) end a command in one sentence, after what was measured is safe."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BY_CTRL_C = 130  # the status that Typer gives to a KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, either signal raises KeyboardInterrupt in the main thread; the program then ends with 128 + its number.

    A signal that is ignored, as Ctrl-C is by what a shell runs in the background, stays ignored.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as error:
        if not received or getattr(error, "code", _BY_CTRL_C) != _BY_CTRL_C:
            raise
        print("vitok: interrupted; what was recorded by then is kept, the same command does the rest", file=sys.stderr)
        sys.exit(128 + received[0])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
