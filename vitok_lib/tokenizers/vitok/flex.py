"""FlexAttention within a window: a Triton kernel that skips the blocks that the window leaves out (Dong et al. 2024).

A block that the window cuts is computed whole: of radius 64 blocks of 128 × 128 compute 384 keys a query, blocks of
128 × 64 compute 256 and blocks of 64 × 64 compute 192, where 129 are seen; of radius 1024 2176, 2176 and 2112 of 2049.
Smaller blocks fill a GPU's matrix units less. Which is fastest is found by timing.

Torch's own tuning (``max-autotune``) is not used: it times seven tiles on made-up blocks, every one that a row lists
both whole and cut, which is twice the work and the wrong share of masks (pytorch #180651).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from vitok_lib.errors import UnsupportedError

if TYPE_CHECKING:  # importing it brings in torch's compiler, which takes seconds
    from torch.nn.attention.flex_attention import BlockMask

FLEX_LIMIT = 2**31
"""Values of keys from which on the offsets in its kernel overflow: tokens beyond would be wrong, or a crash."""
_TMA_BYTES = 16
"""What a row of keys must be a multiple of to be loaded by the Tensor Memory Accelerator."""


class Blocks(NamedTuple):
    """Tokens a side of the blocks that are skipped or computed, and options of the kernel that works through them.

    The kernel's own tiles, ``BLOCK_M`` × ``BLOCK_N``, must divide a block. What is not given is torch's choice for the
    GPU, which suits blocks of 128 × 128 alone.
    """

    queries: int = 128
    keys: int = 128
    options: dict[str, int | bool] = {}  # noqa: RUF012


VARIANTS = {
    "flex": Blocks(),
    "flex-128x64": Blocks(128, 64, {"BLOCK_M": 128, "BLOCK_N": 64}),
    "flex-128x64-tma": Blocks(128, 64, {"BLOCK_M": 128, "BLOCK_N": 64, "USE_TMA": True}),
    "flex-64x64": Blocks(64, 64, {"BLOCK_M": 64, "BLOCK_N": 64, "num_warps": 4}),
}
"""Kernels that give the same: the first as torch has it, the others to be timed next to it.

``USE_TMA`` has a Hopper GPU's Tensor Memory Accelerator load tiles, which frees registers. Left out:
``ROWS_GUARANTEED_SAFE``, which gives NaN where the first block of a row holds nothing that a query sees, as at the
window's edge; ``PRESCALE_QK``, which rounds the queries once more; blocks of 128 × 128 with ``USE_TMA``, since those of
128 × 64 compute as much or less with the same tiles, for heads of 128.
"""


def flex(name: str, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    """Attention of ``[B, heads, N, head_dim]`` within ``window`` by the variant ``name``; any number of tokens.

    Raises:
        UnsupportedError: keys have :data:`FLEX_LIMIT` values or more, or the GPU cannot load tiles as the variant asks.
    """
    blocks = VARIANTS[name]
    if key.numel() >= FLEX_LIMIT:
        raise UnsupportedError(
            f"attention '{name}' counts in 32 bits, and keys of {key.numel():,} values go beyond that"
        )
    if query.is_cuda and blocks.options.get("USE_TMA"):
        _check_tma(name, query)
    mask = window_blocks(query.shape[2], window, query.device, blocks.queries, blocks.keys)
    # The kernel counts within keys and values in 32 bits: parts of a packed tensor would reach further than they do.
    key, value = (part.transpose(1, 2).contiguous().transpose(1, 2) for part in (key, value))
    return _compiled(name)(query, key, value, mask, blocks.options)


def _check_tma(name: str, query: Tensor) -> None:
    """Where torch would load tiles in the usual way without a word, the name would say what did not run."""
    if torch.cuda.get_device_capability(query.device) < (9, 0) or query.shape[3] * query.element_size() % _TMA_BYTES:
        raise UnsupportedError(
            f"attention '{name}' needs a GPU of compute capability 9.0 and heads of whole {_TMA_BYTES} bytes"
        )


@cache
def _compiled(name: str) -> Callable[..., Tensor]:
    compiled: Callable[..., Tensor] = torch.compile(_own(name), dynamic=False)
    return compiled


def _own(name: str) -> Callable[..., Tensor]:
    """A function of its own for each variant: torch compiles eight sizes of one and runs further ones uncompiled."""
    return FunctionType(_attend.__code__.replace(co_name=name), globals())


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: BlockMask, options: Any) -> Tensor:
    from torch.nn.attention.flex_attention import flex_attention

    seen = flex_attention(query, key, value, block_mask=mask, kernel_options=options)
    assert isinstance(seen, Tensor)
    return seen


@cache
def window_blocks(tokens: int, window: int, device: torch.device, queries: int = 128, keys: int = 128) -> BlockMask:
    """The blocks of ``queries`` × ``keys`` tokens that a window touches, in closed form and memory O(N·window).

    Torch's own way there makes an N × N matrix first. A block is full where all of its pairs are within the window,
    and partial where only some are.
    """
    from torch.nn.attention.flex_attention import BlockMask

    rows, count = -(-tokens // queries), -(-tokens // keys)
    width = min(count, (queries + 2 * window - 2) // keys + 2)  # blocks that any row can touch
    if device.type == "cpu":  # where torch takes the width of the table for the number of blocks
        width = count
    top = torch.arange(rows, device=device)[:, None] * queries  # first token of a row, and of a column
    first = ((top - window) // keys).clamp(min=0)
    columns = first + torch.arange(width, device=device)  # [rows, width]
    left = columns * keys
    after, before = left - top, top - left  # how far one starts beyond the other
    inside = left < tokens
    nearest = torch.maximum(after - queries, before - keys) + 1
    farthest = torch.maximum(after + keys, before + queries) - 1
    ragged = (top + queries > tokens) | (left + keys > tokens)
    full = inside & (farthest <= window) & ~ragged
    partial = inside & (nearest <= window) & ~full

    def listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
        """How many blocks of each row are chosen, and which: those first."""
        order = chosen.int().argsort(dim=1, descending=True, stable=True)
        indices = columns.clamp(max=count - 1).gather(1, order).int()
        return chosen.sum(1).int()[None, None], indices[None, None]

    def within(batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return (row - column).abs() <= window

    return BlockMask.from_kv_blocks(
        *listed(partial),
        *listed(full),
        BLOCK_SIZE=(queries, keys),
        mask_mod=within,
        seq_lengths=(tokens, tokens),
        compute_q_blocks=False,
    )


FLEX_KERNELS: dict[str, Callable[..., Tensor]] = {name: partial(flex, name) for name in VARIANTS}
