"""Memory of a device as torch counts it, and giving it back."""

from __future__ import annotations

import gc
from contextlib import suppress

import torch


def allocated_bytes(device: str) -> int:
    """Of tensors on ``device`` now; 0 where torch does not count."""
    return torch.cuda.memory_allocated(device) if device.startswith("cuda") else 0


def free() -> None:
    """Give back what nothing holds any more, as far as that can be done."""
    gc.collect()
    if torch.cuda.is_available():
        with suppress(RuntimeError):  # after a kernel's failure all of CUDA fails; the first failure is recorded
            torch.cuda.empty_cache()
