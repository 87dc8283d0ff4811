"""The one place that turns an exception into an outcome: out of memory apart from every other failure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import torch

from vitok_lib.errors import UnsupportedError, error_text
from vitok_lib.images.errors import ImageError
from vitok_lib.records.schema import Outcome, OutcomeStatus, OutOfMemory
from vitok_lib.tokenizers.outputs import NonFiniteError

_UNITS = {"bytes": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_REQUEST = re.compile(r"tr(?:ied|ying) to allocate (\d+(?:\.\d+)?) ?(bytes|B|KiB|MiB|GiB|TiB)?", re.IGNORECASE)
_NUMPY_REQUEST = re.compile(r"[Uu]nable to allocate (\d+(?:\.\d+)?) (bytes|B|KiB|MiB|GiB|TiB)")
_MEMORY_TEXTS = (
    "not enough memory",  # of torch's CPU allocator, by operating system
    "can't allocate memory",
    "out of memory",  # of CUDA's runtime, its driver and Triton, past torch's allocator
    "_ALLOC_FAILED",  # of cuBLAS and cuDNN
    "_ALLOCATION_FAILED",
    "bad_alloc",  # of C++
)
_TEXTS_UNDER_A_CAP = ("could not create a primitive",)
"""Of oneDNN, where the system gave no memory; it says the same where it has no kernel."""
_SHOWN = 3  # images named in one sentence
_BY_WEIGHT = (OutcomeStatus.ERROR, OutcomeStatus.NON_FINITE, OutcomeStatus.UNSUPPORTED)


@dataclass(frozen=True)
class Failure:
    """How work failed: ``requested_bytes`` of the allocation that found no memory, as far as its message says."""

    status: OutcomeStatus
    detail: str
    requested_bytes: int | None = None


def failure_of(error: Exception, *, capped: bool = False) -> Failure:
    """The failure that ``error`` stands for; ``capped``: of a process whose memory was limited."""
    text = error_text(error)
    if isinstance(error, UnsupportedError):
        return Failure(OutcomeStatus.UNSUPPORTED, text)
    if is_out_of_memory(error) or (capped and any(known in text for known in _TEXTS_UNDER_A_CAP)):
        return Failure(OutcomeStatus.OOM, text or "no detail given", requested_bytes(error))
    if isinstance(error, NonFiniteError):
        return Failure(OutcomeStatus.NON_FINITE, text)
    if isinstance(error, ImageError):
        return Failure(OutcomeStatus.ERROR, text)
    return Failure(OutcomeStatus.ERROR, ": ".join(filter(None, (type(error).__name__, text))))


class Batch(NamedTuple):
    """So many images of one size in pixels."""

    images: int
    height: int
    width: int


def outcome_of(failure: Failure, device: str, tried: Batch, fits: Batch | None = None, subject: str = " on") -> Outcome:
    """The outcome of a batch that failed; out of memory says what was tried.

    Args:
        fits: the largest batch that is known to go through.
        subject: between "out of memory" and the size, such as ``" within 8 GiB on"``.
    """
    if failure.status is not OutcomeStatus.OOM:
        return Outcome(status=failure.status, detail=failure.detail)
    size = f"{tried.height} × {tried.width} pixels at batch {tried.images}"
    memory = OutOfMemory(
        requested_bytes=failure.requested_bytes,
        device=device,
        batch=tried.images,
        height=tried.height,
        width=tried.width,
        fit_batch=fits and fits.images,
        fit_height=fits and fits.height,
        fit_width=fits and fits.width,
    )
    return Outcome(status=OutcomeStatus.OOM, detail=f"out of memory{subject} {size}: {failure.detail}", memory=memory)


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU, in torch's CPU allocator, in Python or NumPy."""
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return memory or (isinstance(error, RuntimeError) and any(text in error_text(error) for text in _MEMORY_TEXTS))


def is_gpu_lost() -> bool:
    """Whether the GPU answers this process with nothing but errors, as it does after an illegal access.

    Then all that was on it is gone, and only a new process gets at it again. Memory that ran out is no such error.
    """
    if not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def requested_bytes(error: Exception) -> int | None:
    """How many bytes the failed allocation asked for, as far as its message says."""
    text = error_text(error)
    found = _REQUEST.search(text) or _NUMPY_REQUEST.search(text)
    if found is None:
        return None
    number, unit = found.groups()
    return round(float(number) * _UNITS.get(unit or "bytes", 1))


def of_images(failures: dict[str, Failure], total: int) -> Outcome:
    """The outcome of a run some of whose images failed: counted, the first ones named.

    An error weighs more than values that are not finite, and those more than what is unsupported.
    """
    reasons = {image: failure.detail for image, failure in failures.items()}
    named = [text if image in text else f"{image}: {text}" for image, text in list(reasons.items())[:_SHOWN]]
    rest = f"; and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
    statuses = {failure.status for failure in failures.values()}
    status = next(status for status in _BY_WEIGHT if status in statuses)
    return Outcome(status=status, detail=f"{len(failures)} of {total} images failed: {'; '.join(named)}{rest}")
