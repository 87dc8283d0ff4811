"""A GPU that is not there: tensors on it are marked, computed on the CPU, and do not mix with those of the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_map

from vitok_lib.records import provenance

NAME = "Invented GPU"
_GPU = torch.device("cuda")
_MAY_MIX = ("copy_", "__getitem__", "to")


class OnGpu(Tensor):
    """A tensor on the invented GPU."""

    device = property(lambda self: _GPU)  # type: ignore[assignment]

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class _Mode(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


@contextmanager
def invented_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it the device ``"cuda"`` is there, and provenance calls it :data:`NAME`."""
    monkeypatch.setattr(provenance, "_gpu", lambda: (NAME, "1.0"))
    provenance.describe_host.cache_clear()
    with _Mode():
        yield
    provenance.describe_host.cache_clear()


def _computed(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What ``func`` gives, where it would lie: where it is told to, else where its tensors are."""
    with torch._C.DisableTorchFunction():
        given = list(tree_iter((args, kwargs)))
        tensors = [each for each in given if isinstance(each, Tensor)]
        on_gpu = [each for each in tensors if isinstance(each, OnGpu)]
        name = getattr(func, "__name__", "")
        if on_gpu and name == "numpy":
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if on_gpu and name not in _MAY_MIX and any(each.ndim and not isinstance(each, OnGpu) for each in tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device in {name}")
        told = [each for each in given if isinstance(each, torch.device) or each in ("cpu", "cuda")]
        lies = torch.device(told[0]) == _GPU if told else bool(on_gpu) and name != "cpu"
        if on_gpu and name in _MAY_MIX and not told:
            lies = isinstance(tensors[0], OnGpu)
        args, kwargs = tree_map(_on_the_cpu, (args, kwargs))
        found = func(*args, **kwargs)
        return tree_map(lambda each: _marked(each, lies), found)


def _on_the_cpu(each: Any) -> Any:
    if isinstance(each, OnGpu):
        return each.as_subclass(Tensor)
    return "cpu" if isinstance(each, str | torch.device) and each in ("cuda", _GPU) else each


def _marked(each: Any, lies: bool) -> Any:
    return each.as_subclass(OnGpu if lies else Tensor) if isinstance(each, Tensor) else each
