"""Graphs are counted where something is compiled, and only there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vitok_lib.measure.speed.compile_stats import cudagraph_skips_so_far, forget, graphs_so_far, side_by_side


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def encode(self, x: Tensor) -> Tensor:
        return self.layer(x).relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.encode(x)


def _graphs_of(call: Callable[[], object]) -> int:
    before = graphs_so_far()
    call()
    return graphs_so_far() - before


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    forget()


def test_a_compiled_model_counts_and_a_second_call_does_not() -> None:
    model = torch.compile(Model(), backend="aot_eager")
    x = torch.randn(2, 4)
    assert _graphs_of(lambda: model(x)) == 1
    assert _graphs_of(lambda: model(x)) == 0


def test_a_method_beside_the_compiled_call_counts_nothing() -> None:
    model = torch.compile(Model(), backend="aot_eager")
    assert _graphs_of(lambda: model.encode(torch.randn(2, 4))) == 0


def test_cuda_graphs_that_torch_leaves_out_are_counted() -> None:
    from torch._inductor.cudagraph_utils import log_cudagraph_skip_and_bump_counter

    before = cudagraph_skips_so_far()
    log_cudagraph_skip_and_bump_counter("skipping cudagraphs due to mutated inputs (3 instances)")
    forget()
    assert cudagraph_skips_so_far() - before == 1


def test_what_is_forgotten_is_compiled_again() -> None:
    model = torch.compile(Model(), backend="eager")
    x = torch.randn(2, 4)
    assert _graphs_of(lambda: model(x)) == 1
    forget()
    assert _graphs_of(lambda: model(x)) == 1


def test_sizes_stay_fixed_side_by_side() -> None:
    def go_through_sizes() -> int:
        forget()
        model = torch.compile(lambda x: x.sin(), backend="eager")
        return _graphs_of(lambda: [model(torch.randn(size)) for size in (3, 5, 7, 9)])

    assert go_through_sizes() == 2  # the second size made all sizes variable
    with side_by_side():
        assert go_through_sizes() == 4


def test_any_number_of_versions_is_compiled_side_by_side() -> None:
    with side_by_side():
        model = torch.compile(lambda x: x.cos(), backend="eager", fullgraph=True)
        assert _graphs_of(lambda: [model(torch.randn(size)) for size in range(2, 22)]) == 20


def test_side_by_side_leaves_nothing_behind() -> None:
    limit, fixed = torch._dynamo.config.recompile_limit, torch._dynamo.config.automatic_dynamic_shapes
    with pytest.raises(ZeroDivisionError), side_by_side():
        raise ZeroDivisionError
    assert (torch._dynamo.config.recompile_limit, torch._dynamo.config.automatic_dynamic_shapes) == (limit, fixed)
