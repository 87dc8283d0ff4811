"""What every network of a metric offers, whoever trained it, and how its convolutions are computed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from vitok_lib.records.schema import Weights


@dataclass(frozen=True)
class Network:
    """``features`` of float32 ``[B, 3, side, side]`` in [0, 255] are ``[B, dimensions]``; ``weights`` identify it."""

    features: Callable[[Tensor], Tensor]
    dimensions: int
    weights: Weights


def exact_convolutions() -> AbstractContextManager[None]:
    """Within, convolutions on a GPU have all bits of float32, and the same digits each time.

    Ten bits of mantissa, cuDNN's default, would show in distances of close images.
    """
    exact: AbstractContextManager[None] = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    return exact
