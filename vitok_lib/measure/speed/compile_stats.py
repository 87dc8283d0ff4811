"""What torch.compile did: how many graphs it made, how long that took, whether it had to do it again.

The count of graphs tells whether a model is compiled at all: the wrapper that torch.compile puts around a module
compiles the call of the module, and any other method that is called on it runs as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_VERSIONS_OF_ONE_FUNCTION = 256


def graphs_so_far() -> int:
    """Graphs that this process has compiled."""
    if "torch._dynamo" not in sys.modules:  # which takes seconds to import, and nothing was compiled without it
        return 0
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def cudagraph_skips_so_far() -> int:
    """Times that torch.compile, in a mode that replays CUDA graphs, ran what it compiled without them.

    It does so with a line of its log where what is compiled writes into its inputs, or is not on a GPU alone.
    """
    if "torch._dynamo" not in sys.modules:
        return 0
    return int(torch._dynamo.utils.counters["inductor"]["cudagraph_skips"])


def forget() -> None:
    """Drop whatever is compiled; what is called next is compiled for itself, as in a process of its own."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()


@contextmanager
def side_by_side() -> Iterator[None]:
    """Compile many models in one process as if each were alone.

    Models of one architecture share their functions: torch.compile takes what one left for the other where it fits,
    makes sizes variable after the second one, and gives up on a function after eight versions, all without a word.
    Here sizes stay fixed, versions are not limited, and what was compiled before on this machine is not found.
    """
    import torch._dynamo
    from torch._inductor.utils import fresh_cache

    forget()
    limits = {
        "recompile_limit": _VERSIONS_OF_ONE_FUNCTION,
        "accumulated_recompile_limit": _VERSIONS_OF_ONE_FUNCTION,
        "automatic_dynamic_shapes": False,
    }
    try:
        with fresh_cache(), torch._dynamo.config.patch(limits):
            yield
    finally:
        forget()
