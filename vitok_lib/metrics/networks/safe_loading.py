"""Reading weights that other libraries load from pickles, without ever running what a pickle says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

FORCED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


@contextmanager
def weights_only() -> Iterator[None]:
    """Within, ``torch.load`` reads tensors alone, whatever its caller asks for; an object raises UnpicklingError."""
    before = os.environ.get(FORCED)
    os.environ[FORCED] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCED]
        else:
            os.environ[FORCED] = before
