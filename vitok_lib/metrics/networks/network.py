"""What every feature network offers, whoever trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from vitok_lib.records.schema import Weights


@dataclass(frozen=True)
class Network:
    """``features`` of float32 ``[B, 3, side, side]`` in [0, 255] are ``[B, dimensions]``; ``weights`` identify it."""

    features: Callable[[Tensor], Tensor]
    dimensions: int
    weights: Weights
