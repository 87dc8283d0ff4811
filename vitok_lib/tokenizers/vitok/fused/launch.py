"""The kernels on tensors: shapes, strides and the sizes of blocks. On the meta device nothing is launched.

n rows, one a token; R rows of the whole batch; C width. Where ``out`` is in 8-bit floats, ``scales`` ``[n, 1]`` gets
the scale of each row.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vitok_lib.tokenizers.vitok.model import EPSILON
from vitok_lib.tokenizers.vitok.precision import FLOAT8

_GATE_BLOCK = 2048  # values of a row at a time: 16 bytes for each of 256 threads
_WARPS = 8


def residual_norm(x: Tensor, update: Tensor | None, out: Tensor, scales: Tensor) -> None:
    """Add ``update`` ``[n, C]``, if there is any, to ``x`` ``[n, C]`` in its place, and put its norm into ``out``."""
    if x.is_meta:
        return
    from vitok_lib.tokenizers.vitok.fused import kernels

    kernels.residual_norm[(len(x),)](
        x,
        x if update is None else update,
        out,
        scales,
        x.stride(0),
        0 if update is None else update.stride(0),
        out.stride(0),
        EPSILON,
        WIDTH=x.shape[1],
        UPDATED=update is not None,
        FP8=out.dtype == FLOAT8,
        BLOCK=_power_of_two(x.shape[1]),
        num_warps=_WARPS,
    )


def position(packed: Tensor, gains: Tensor, rope: Tensor, out: Tensor, first: int, heads: int) -> None:
    """Norm and rotate queries and keys ``[n, 2·C]`` into rows ``first`` and on of ``out`` ``[2, R, C]``.

    Args:
        gains: ``[2, C/heads]``, of the norms of queries and of keys.
        rope: ``[2, N, C/heads/2]`` cosines and sines of an image's N tokens; R is a multiple of N.
    """
    if packed.is_meta:
        return
    from vitok_lib.tokenizers.vitok.fused import kernels

    size = out.shape[2] // heads
    kernels.position[(len(packed), 2)](
        packed,
        gains,
        rope[0],
        rope[1],
        out,
        first,
        rope.shape[1],
        packed.stride(0),
        out.stride(0),
        EPSILON,
        HEADS=heads,
        SIZE=size,
        HEADS_BLOCK=_power_of_two(heads),
        SIZE_BLOCK=_power_of_two(size),
        num_warps=_WARPS,
    )


def gate(seen: Tensor, hidden: Tensor, out: Tensor, scales: Tensor) -> None:
    """``seen`` ``[n, C]`` and the gated halves of ``hidden`` ``[n, 2·inner]`` side by side in ``out``."""
    if seen.is_meta:
        return
    from vitok_lib.tokenizers.vitok.fused import kernels

    kernels.gate[(len(seen),)](
        seen,
        hidden,
        out,
        scales,
        seen.stride(0),
        hidden.stride(0),
        out.stride(0),
        WIDTH=seen.shape[1],
        INNER=hidden.shape[1] // 2,
        FP8=out.dtype == FLOAT8,
        BLOCK=min(_GATE_BLOCK, _power_of_two(hidden.shape[1] // 2)),
        num_warps=_WARPS,
    )


def _power_of_two(size: int) -> int:
    """The smallest that is not below ``size``: what Triton takes as the length of a block."""
    return int(1 << (size - 1).bit_length())


def new_rows(like: Tensor, width: int, precision: str | None) -> Tensor:
    """Rows for a matrix product to read: in 8-bit floats, or in the dtype of ``like``."""
    return torch.empty(len(like), width, device=like.device, dtype=FLOAT8 if precision == "fp8" else like.dtype)
