"""The exceptions of this library: the request is wrong, or a tokenizer is not made for an image."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CODES = {
    "unknown-name": "a tokenizer, an image set, a metric, a preset, a benchmark or a notebook has another name",
    "unknown-parameter": "the notebook declares no such parameter",
    "plugin-import": "Python cannot import the module of a tokenizer",
    "plugin-incomplete": "what a factory returned lacks a part of the tokenizer interface",
    "weights-not-found": "the path of the weights does not exist",
    "gated-weights": "the owner of the weights asks for a licence to be accepted",
    "hub-unreachable": "the hub does not answer, or the token may not read the repository",
    "device-unavailable": "torch has no such device on this machine",
    "images-not-found": "no folder or archive lies at the path of the images",
    "no-images": "the folder or archive holds no image file",
    "images-incomplete": "a published image set has another number of images than it must",
    "archive-damaged": "the archive ends early or its checksum is wrong",
    "missing-package": "a metric or a tokenizer needs a package that is not installed",
    "other-weights": "the weights of a metric's network are not those that it is defined with",
    "one-image": "a distance between sets was asked for over a single image",
    "does-not-fit": "the predicted memory exceeds what is free",
    "fp8-unsupported": "the GPU has no 8-bit floats",
    "fused-unsupported": "the kernels of fused blocks need Triton and CUDA",
    "attention-unsupported": "the attention kernel runs on CUDA in 16 bits alone",
    "no-record": "no record has the name that was asked for",
    "record-invalid": "a file under results is no valid record",
    "results-unreachable": "the object store of the results does not answer, has no such bucket or refuses access",
    "cannot-write": "the results folder cannot be written",
    "different-protocols": "two values to be subtracted follow different protocols",
    "book-failed": "building the book ended with a warning or an error",
}
"""The errors that users meet most, each with its cause. ``book/faq.md`` is indexed by these and gives the way out."""


class RequestError(ValueError):
    """A user's mistake: its message names the thing, the value and the way out.

    ``code`` is one of ``CODES``, or None. The command line prints code and message alone and exits with status 2.
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def line(self) -> str:
        """The message, after its code in brackets where it has one."""
        return f"[{self.code}] {self}" if self.code else str(self)


class UnsupportedError(RuntimeError):
    """What a tokenizer cannot do with this image by its nature; recorded as the outcome ``unsupported``."""


_LONGEST_TEXT = 500  # characters of an exception's own text


def error_text(error: BaseException) -> str:
    """An exception's own text and notes as one line that can be recorded: what is no UTF-8 in it is escaped."""
    try:
        text = str(error)
    except Exception as failed:  # a third party's exception may fail to say what it is
        text = f"no text, since its __str__ raised {type(failed).__name__}"
    text += "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return " ".join(text.encode("utf-8", "backslashreplace").decode().split())[:_LONGEST_TEXT]


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
    return RequestError(f"unknown {noun} '{name}'; {nearest(name, known)}", code="unknown-name")
