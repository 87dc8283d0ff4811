"""What a call would hold in memory and compute, found by running it on the meta device, where nothing is allocated.

Every tensor that an operation returns counts with the bytes of its storage until its last reference goes; views share
one storage; what existed before (weights, inputs) does not count. Memory that a kernel takes and gives back inside
itself (a layout that oneDNN prefers) is not seen, but that of cuDNN's convolutions is counted where a GPU is asked
for: it copies their input and their output, which are channels first, into workspaces that are channels last, as its
tensor cores want them. The same tracker follows real tensors.

On the meta device, scaled dot-product attention would fall apart into its products with all N×N scores. What runs is
a fused kernel that holds none of them: flash attention on a CPU, for any head and any mask; on CUDA flash attention up
to 256 values a head, and the memory-efficient kernel above and with a mask. So a fused kernel is what is counted: its
output, the row sums it keeps, and the mask. (float64 on CUDA has no such kernel and needs far more.) Where torch's
plain attention is asked for, what it holds in float32 counts as well: queries, keys and values, the scores, their
softmax, and which scores are infinite.

A compiler fuses what is done value by value, and sums along rows, into the next kernel: what such operations give takes
memory only once a matrix product or another kernel reads it.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from vitok_lib.measure.speed.op_types import OperationType, type_of_operator

Result = TypeVar("Result")


_ATEN = torch.ops.aten
_FUSED = {_ATEN._to_copy, _ATEN.clone, _ATEN.stack, _ATEN.cat, _ATEN.amax, _ATEN.sum, _ATEN.mean, _ATEN._fused_rms_norm}
"""What is no value by value, and is fused by a compiler all the same: copies in another layout, and sums along rows."""


@dataclass(frozen=True)
class MemoryTrace:
    """``peak_bytes`` alive at one time; ``flops_by_type`` of matrix products, attention and convolutions, where a
    multiply-add counts as 2.
    """

    peak_bytes: int
    flops_by_type: Counter[OperationType]

    @property
    def flops(self) -> int:
        return self.flops_by_type.total()


@dataclass(frozen=True)
class Kernels:
    """What the kernels that would run hold beyond their results; see the head of this file.

    ``fused_attention``: attention never holds its scores. ``cudnn``: convolutions are cuDNN's. ``compiled``: torch's
    compiler fuses what it can.
    """

    fused_attention: bool = True
    cudnn: bool = False
    compiled: bool = False


PLAIN = Kernels()


def trace_memory(
    call: Callable[[], Result], repeated: Sequence[nn.Module] = (), kernels: Kernels = PLAIN
) -> tuple[Result, MemoryTrace]:
    """Run ``call`` without gradients and tell what it took; its result is alive at the end.

    Of ``repeated`` modules, which are called for each tile or each chunk, one call for each input shape is run on the
    meta device; the others are taken to need as much on top of what is alive then.
    """
    tracker = _Tracker(kernels)
    with torch.no_grad(), _once_a_shape(repeated, tracker), _AttentionOnMeta(tracker, kernels), tracker:
        result = call()
        tracker.read(_tensors(result))
    return result, MemoryTrace(tracker.peak, tracker.flops)


@contextmanager
def _once_a_shape(modules: Sequence[nn.Module], tracker: _Tracker) -> Iterator[None]:
    for module in modules:
        module.forward = _remembering(module.forward, tracker)
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _remembering(forward: Callable[..., Tensor], tracker: _Tracker) -> Callable[..., Tensor]:
    known: dict[torch.Size, tuple[MemoryTrace, torch.Size, torch.dtype]] = {}

    def remembered(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if x.shape not in known:
            peak, live, flops = tracker.peak, tracker.live, tracker.flops.copy()
            tracker.peak = live
            out = forward(x, *args, **kwargs)
            known[x.shape] = (MemoryTrace(tracker.peak - live, tracker.flops - flops), out.shape, out.dtype)
            tracker.peak = max(peak, tracker.peak)
            tracker.read([out])
            return out
        needed, shape, dtype = known[x.shape]
        tracker.peak = max(tracker.peak, tracker.live + needed.peak_bytes)
        tracker.flops += needed.flops_by_type
        return torch.empty(shape, dtype=dtype, device=x.device)

    return remembered


class _Tracker(TorchDispatchMode):
    """Follows each storage from the operation that makes it, or from the kernel that first reads it, to its end."""

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self.flops: Counter[OperationType] = Counter()
        self.live = 0
        self._kernels = kernels
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._counted: dict[int, int] = {}
        self._unwritten: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here: without torch's guard against it, each operation takes half the time."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs = list(_tensors((*args, *kwargs.values())))
        for tensor in inputs:
            self._meet(tensor, 0)
        fused = self._kernels.compiled and _is_fused(func)
        if not fused and not func.is_view:
            self.read(inputs)
        out = func(*args, **kwargs)
        for tensor in _tensors(out):
            self._meet(tensor, tensor.untyped_storage().nbytes(), written=not fused)
        if self._kernels.cudnn and func.overloadpacket is _ATEN.convolution:
            self.take(inputs[0].nbytes + out.nbytes)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.flops[type_of_operator(func.overloadpacket.__name__)] += formula(*args, **kwargs, out_val=out)
        return out

    def read(self, tensors: Iterable[Tensor]) -> None:
        """A kernel reads these, so that what was fused until now is written to memory."""
        for storage in (tensor.untyped_storage() for tensor in tensors):
            if storage._cdata in self._unwritten:
                self._unwritten.discard(storage._cdata)
                self._count(storage._cdata, storage.nbytes())

    def take(self, count: int) -> None:
        """So many bytes are held for a moment beside what is alive."""
        self.peak = max(self.peak, self.live + count)

    def _meet(self, tensor: Tensor, size: int, written: bool = True) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return

        def forget(_: Any) -> None:
            del self._known[key]
            self._unwritten.discard(key)
            self.live -= self._counted.pop(key, 0)

        self._known[key] = weakref.ref(storage, forget)
        if written:
            self._count(key, size)
        else:
            self._unwritten.add(key)

    def _count(self, key: int, size: int) -> None:
        self._counted[key] = size
        self.live += size
        self.peak = max(self.peak, self.live)


def _is_fused(func: Any) -> bool:
    """Whether a compiler makes ``func`` part of the kernel that comes next."""
    return torch.Tag.pointwise in func.tags or func.overloadpacket in _FUSED


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors among an operation's arguments or results, which hold them in lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


class _AttentionOnMeta(TorchFunctionMode):
    """Puts the shape of a kernel's output where attention on the meta device is asked for."""

    def __init__(self, tracker: _Tracker, kernels: Kernels) -> None:
        super().__init__()
        self._tracker = tracker
        self._fused = kernels.fused_attention

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention and args[0].is_meta:
            return self._attend(*args, **kwargs)
        return func(*args, **kwargs)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *rest: Any, **named: Any
    ) -> Tensor:
        """``[B, h, N, d]`` in, the same out, or of one head without ``h``; a kernel's output is ``[B, N, h, d]``."""
        if query.ndim == 3:
            one_head = (tensor.unsqueeze(1) for tensor in (query, key, value))
            return self._attend(*one_head, attn_mask, *rest, **named).squeeze(1)
        batch, heads, tokens, _ = query.shape
        self._tracker.read((query, key, value))
        held = [torch.empty(batch, heads, tokens, dtype=torch.float32, device="meta")]
        if attn_mask is not None and attn_mask.dtype is torch.bool:
            held.append(attn_mask.to(query.dtype))
        if not self._fused:
            if query.dtype != torch.float32:
                held += [torch.empty(part.shape, device="meta") for part in (query, key, value)]
            scores = (batch, heads, tokens, key.shape[2])
            held += [torch.empty(scores, device="meta") for _ in ("scores", "softmax")]
            held.append(torch.empty(scores, dtype=torch.bool, device="meta"))
        self._tracker.flops["attention"] += sdpa_flop_count(query.shape, key.shape, value.shape)
        out = torch.empty(batch, tokens, heads, value.shape[-1], dtype=query.dtype, device="meta")
        return out.transpose(1, 2)
