"""Recording and replaying of CUDA graphs, against a stand-in for torch's that replays by running again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor

from vitok_lib.tokenizers.vitok.graphs import GraphReplay


class _Stream:
    def wait_stream(self, other: object) -> None:
        pass


class _Graph:
    def __init__(self) -> None:
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        self.result.copy_(self.source * 2)


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[_Graph]:
    made: list[_Graph] = []

    @contextmanager
    def recording(graph: _Graph) -> Iterator[None]:
        made.append(graph)
        yield

    for name, stand_in in {
        "Stream": _Stream,
        "current_stream": _Stream,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": _Graph,
        "graph": recording,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return made


def _doubled(graphs: list[_Graph]) -> Any:
    """A function that tells the graph under recording what it works on."""

    def function(x: Tensor) -> Tensor:
        result = x * 2
        for graph in graphs:
            if not hasattr(graph, "source"):
                graph.source, graph.result = x, result
        return result

    return function


def test_a_graph_is_recorded_once_a_shape_and_fed_each_new_input(graphs: list[_Graph]) -> None:
    replay = GraphReplay(_doubled(graphs))
    inputs = [torch.full((2, 3), 1.0), torch.full((2, 3), 5.0), torch.full((4,), 7.0)]
    results = [replay(x) for x in inputs]
    assert [result.unique().tolist() for result in results] == [[2.0], [10.0], [14.0]]
    assert [graph.replays for graph in graphs] == [2, 1]


def test_results_and_inputs_are_not_overwritten_by_the_next_replay(graphs: list[_Graph]) -> None:
    replay = GraphReplay(_doubled(graphs))
    x = torch.ones(3)
    first = replay(x)
    replay(torch.full((3,), 9.0))
    assert torch.equal(first, torch.full((3,), 2.0))
    assert torch.equal(x, torch.ones(3))
