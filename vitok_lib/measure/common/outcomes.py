"""How work that did not go well is told: out of memory apart from every other failure."""

from __future__ import annotations

import re

import torch

from vitok_lib.records.schema import OutcomeStatus

_UNITS = {"bytes": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_REQUEST = re.compile(r"tr(?:ied|ying) to allocate (\d+(?:\.\d+)?) ?(bytes|B|KiB|MiB|GiB|TiB)?", re.IGNORECASE)
_NUMPY_REQUEST = re.compile(r"[Uu]nable to allocate (\d+(?:\.\d+)?) (bytes|B|KiB|MiB|GiB|TiB)")
_MEMORY_WORDS = (
    "not enough memory",  # of torch's CPU allocator, by operating system
    "can't allocate memory",
    "out of memory",  # of CUDA's runtime, its driver and Triton, past torch's allocator
    "_ALLOC_FAILED",  # of cuBLAS and cuDNN
    "_ALLOCATION_FAILED",
)
_LONGEST = 500  # characters of an exception's own words
_SHOWN = 3  # images named in one sentence


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU, in torch's CPU allocator, in Python or NumPy."""
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return memory or (isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY_WORDS))


def is_card_lost() -> bool:
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
    found = _REQUEST.search(str(error)) or _NUMPY_REQUEST.search(str(error))
    if found is None:
        return None
    number, unit = found.groups()
    return round(float(number) * _UNITS.get(unit or "bytes", 1))


def words(error: Exception) -> str:
    """An exception's own words as one line."""
    return " ".join(str(error).split())[:_LONGEST]


def listed(failed: dict[str, str], total: int) -> str:
    """One sentence that counts the images that failed and names the first ones; ``failed`` maps image to reason."""
    named = [reason if image in reason else f"{image}: {reason}" for image, reason in list(failed.items())[:_SHOWN]]
    rest = f"; and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return f"{len(failed)} of {total} images failed: {'; '.join(named)}{rest}"


def worst(statuses: set[OutcomeStatus]) -> OutcomeStatus:
    """The status of a run whose images failed with ``statuses``: an error weighs more than what is unsupported."""
    return OutcomeStatus.ERROR if OutcomeStatus.ERROR in statuses else OutcomeStatus.UNSUPPORTED
