"""The exceptions of this library: the request is wrong, or a tokenizer is not made for an image."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RequestError(ValueError):
    """A user's mistake: its message names the thing, the value and the way out.

    The command line prints the message alone and exits with status 2.
    """


class UnsupportedError(RuntimeError):
    """What a tokenizer cannot do with this image by its nature; recorded as the outcome ``unsupported``."""


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """The known names closest to ``name``, ready to end a sentence with."""
    names = sorted(known)
    if not names:
        return "none is known"
    lowered = {candidate.lower(): candidate for candidate in names}
    close = [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, count, 0.4)]
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join(names)


def unknown(noun: str, name: str, known: Iterable[str]) -> RequestError:
    """The error for a name that is in no registry."""
    return RequestError(f"unknown {noun} '{name}'; {nearest(name, known)}")
