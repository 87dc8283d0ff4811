"""CUDA graphs: a model whose launches take longer than its kernels, recorded once for a size and replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LAUNCH_BOUND = 8192
"""Tokens of a batch up to which launching the kernels can take longer than they do."""
_WARM_UPS = 3


@dataclass
class _Recorded:
    graph: Any
    source: Tensor
    result: Tensor


class GraphReplay:
    """``function`` of one tensor, recorded as a CUDA graph for each shape and dtype that it meets.

    Results are copies: the next replay would overwrite what a graph gives.
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self._function = function
        self._recorded: dict[tuple[torch.Size, torch.dtype], _Recorded] = {}

    def __call__(self, x: Tensor) -> Tensor:
        key = (x.shape, x.dtype)
        if key not in self._recorded:
            self._recorded[key] = self._record(x)
        recorded = self._recorded[key]
        recorded.source.copy_(x)
        recorded.graph.replay()
        return recorded.result.clone()

    def _record(self, x: Tensor) -> _Recorded:
        source = x.clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiling and choosing kernels must not fall into the recording
            for _ in range(_WARM_UPS):
                self._function(source)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._function(source)
        return _Recorded(graph, source, result)
