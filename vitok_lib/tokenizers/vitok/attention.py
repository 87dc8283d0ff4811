"""Self-attention over the raster order of tokens, full or within a one-dimensional window, by several kernels.

=========  =======================================================================================  =============
kernel     how                                                                                      where
=========  =======================================================================================  =============
``sdpa``   full attention by the fused kernel that torch chooses, which no record names             everywhere
``flash``  full attention by FlashAttention-2                                                       CUDA, 16 bits
``cudnn``  full attention by cuDNN                                                                  CUDA, 16 bits
``mask``   a window by ``sdpa`` with a dense N × N mask: the plain way, O(N²) time and memory          everywhere
``bands``  a window by ``sdpa`` of blocks of queries with the keys that they see: O(N·radius)       everywhere
``varlen`` FlashAttention-2 with its own window (Dao 2023)                                          CUDA, 16 bits
``flex``   a Triton kernel compiled for the blocks within the window (Dong et al. 2024)             CUDA
=========  =======================================================================================  =============
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vitok_lib.errors import UnsupportedError
from vitok_lib.tokenizers.vitok.chunks import assemble

if TYPE_CHECKING:  # importing it brings in torch's compiler, which takes seconds
    from torch.nn.attention.flex_attention import BlockMask

FLEX_BLOCK = 128
"""Tokens a side of a block of ``flex``; a block that the window cuts is computed whole."""
FLEX_LIMIT = 2**31
"""Values of keys from which on the offsets in its kernel overflow: tokens beyond would be wrong, or a crash."""
MASK_LIMIT = 2**16
"""Tokens beyond which torch's kernel on CUDA finds the wrong rows of a mask, without a word (pytorch #187227)."""
_QUERY_BLOCK = 512
_MASK_ROWS = 128
"""Rows of a dense mask made at a time: their distances in 64 bits are then little beside the mask."""


def attention(
    query: Tensor, key: Tensor, value: Tensor, window: int | None, *, full: str = "sdpa", windowed: str = "bands"
) -> Tensor:
    """Scaled dot-product attention, softmax(q·k/√head_dim)·v.

    Args:
        query, key, value: ``[B, heads, N, head_dim]``, tokens in raster order.
        window: radius in tokens: token i sees token j where ``|i − j| ≤ window``; None: every token.
        full, windowed: the kernel for when every token sees every other, of :data:`FULL_KERNELS`, and for when the
            window leaves something out, of :data:`WINDOW_KERNELS`.

    Returns:
        ``[B, heads, N, head_dim]``, laid out in memory as ``[B, N, heads, head_dim]``.
    """
    if sees_all(query.shape[2], window):
        return FULL_KERNELS[full](query, key, value)
    assert window is not None
    return WINDOW_KERNELS[windowed](query, key, value, window)


def sees_all(tokens: int, window: int | None) -> bool:
    """Whether every one of ``tokens`` tokens sees every other."""
    return window is None or window >= tokens - 1


def _banded(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    return assemble(_bands(query, key, value, window), dim=1, size=query.shape[2]).transpose(1, 2)


def _bands(query: Tensor, key: Tensor, value: Tensor, window: int) -> Iterator[Tensor]:
    """Blocks ``[B, n, heads, head_dim]`` of n queries: work and memory O(N·(window + n)), never N×N."""
    tokens = query.shape[2]
    masks: dict[tuple[int, int, int], Tensor] = {}  # all blocks but those near an end share one
    for start in range(0, tokens, _QUERY_BLOCK):
        stop = min(start + _QUERY_BLOCK, tokens)
        first, last = max(0, start - window), min(tokens, stop + window)
        place = (start - first, stop - first, last - first)
        if place not in masks:
            masks = {place: _mask(*place, window, query)}
        block = F.scaled_dot_product_attention(
            query[:, :, start:stop], key[:, :, first:last], value[:, :, first:last], attn_mask=masks[place]
        )
        yield block.transpose(1, 2)


def _mask(start: int, stop: int, columns: int, window: int, like: Tensor) -> Tensor:
    """What is added to the scores of the rows from ``start`` to ``stop``: 0 within the window, −∞ outside."""
    rows = torch.arange(start, stop, device=like.device)
    distance = (rows[:, None] - torch.arange(columns, device=like.device)).abs_()
    return like.new_zeros(distance.shape).masked_fill_(distance > window, -torch.inf)


class Masked:
    """The kernel ``mask`` of one model: the mask of the last size is kept, for the next block and the next image."""

    def __init__(self) -> None:
        self._size: tuple[object, ...] | None = None
        self._mask: Tensor | None = None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
        tokens = query.shape[2]
        if tokens > MASK_LIMIT:
            raise UnsupportedError(
                f"attention 'mask' takes up to {MASK_LIMIT:,} tokens, beyond which torch reads a mask wrongly on CUDA, "
                f"and these are {tokens:,}"
            )
        return F.scaled_dot_product_attention(query, key, value, attn_mask=self._mask_of(tokens, window, query))

    def _mask_of(self, tokens: int, window: int, like: Tensor) -> Tensor:
        if _is_recorded(like):  # a graph reads the same memory for ever: its own
            return _dense_mask(tokens, window, like)
        size = (tokens, window, like.device, like.dtype)
        if self._mask is None or self._size != size or like.is_meta:  # there what a call makes is counted, call by call
            self._mask = None  # first, so that there are never two
            self._mask, self._size = _dense_mask(tokens, window, like), size
        return self._mask


def _is_recorded(like: Tensor) -> bool:
    return like.is_cuda and torch.cuda.is_current_stream_capturing()


def _dense_mask(tokens: int, window: int, like: Tensor) -> Tensor:
    """Of all pairs of tokens, in strips, so that hardly more memory is taken than the mask itself."""
    mask = like.new_empty(tokens, tokens)
    for start in range(0, tokens, _MASK_ROWS):
        stop = min(start + _MASK_ROWS, tokens)
        mask[start:stop] = _mask(start, stop, tokens, window, like)
    return mask


def _masked(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    return Masked()(query, key, value, window)


def _varlen(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # where torch has no CUDA, nothing else of it is needed

    batch, _, tokens, _ = query.shape
    query, key, value = (part.transpose(1, 2).flatten(0, 1) for part in (query, key, value))  # [B·N, heads, head_dim]
    ends = torch.arange(batch + 1, device=query.device, dtype=torch.int32) * tokens
    seen = varlen_attn(query, key, value, ends, ends, tokens, tokens, window_size=(window, window))
    assert isinstance(seen, Tensor)
    return seen.reshape(batch, tokens, *seen.shape[1:]).transpose(1, 2)


def _flex(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    if key.numel() >= FLEX_LIMIT:
        raise UnsupportedError(f"attention 'flex' counts in 32 bits, and keys of {key.numel():,} values go beyond that")
    blocks = window_blocks(query.shape[2], window, query.device)
    # The kernel counts within keys and values in 32 bits: parts of a packed tensor would reach further than they do.
    key, value = (part.transpose(1, 2).contiguous().transpose(1, 2) for part in (key, value))
    return _compiled_flex()(query, key, value, block_mask=blocks)


@cache
def _compiled_flex() -> Callable[..., Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=False)
    return compiled


@cache
def window_blocks(tokens: int, window: int, device: torch.device) -> BlockMask:
    """The blocks that a window touches, in closed form: torch's own way there makes an N × N matrix first.

    A block is full where all of its pairs are within the window, and partial where only some are.
    """
    from torch.nn.attention.flex_attention import BlockMask

    count = -(-tokens // FLEX_BLOCK)
    reach = -(-window // FLEX_BLOCK)  # blocks to either side that any pair can be in
    rows = torch.arange(count, device=device)[:, None]
    columns = rows + torch.arange(-reach, reach + 1, device=device)  # [count, 2·reach + 1]
    inside = (columns >= 0) & (columns < count)
    nearest = ((columns - rows).abs() - 1).clamp(min=0) * FLEX_BLOCK + ((columns != rows).long())
    farthest = ((columns - rows).abs() + 1) * FLEX_BLOCK - 1
    ragged = (torch.maximum(columns, rows) == count - 1) & (tokens % FLEX_BLOCK != 0)
    full = inside & (farthest <= window) & ~ragged
    partial = inside & (nearest <= window) & ~full

    def listed(chosen: Tensor) -> tuple[Tensor, Tensor]:
        """How many blocks of each row are chosen, and which: those first, in as many columns as a row could fill."""
        order = chosen.int().argsort(dim=1, descending=True, stable=True)[:, :count]
        found = torch.zeros(count, count, dtype=torch.int32, device=device)
        found[:, : order.shape[1]] = columns.clamp(0, count - 1).gather(1, order)
        return chosen.sum(1).int()[None, None], found[None, None]

    def within(batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return (row - column).abs() <= window

    return BlockMask.from_kv_blocks(
        *listed(partial),
        *listed(full),
        BLOCK_SIZE=FLEX_BLOCK,
        mask_mod=within,
        seq_lengths=(tokens, tokens),
        compute_q_blocks=False,
    )


def _only(backend: SDPBackend) -> Callable[..., Tensor]:
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(query, key, value)

    return attend


FULL_KERNELS: dict[str, Callable[..., Tensor]] = {
    "sdpa": F.scaled_dot_product_attention,
    "flash": _only(SDPBackend.FLASH_ATTENTION),
    "cudnn": _only(SDPBackend.CUDNN_ATTENTION),
}
WINDOW_KERNELS: dict[str, Callable[..., Tensor]] = {
    "bands": _banded,
    "mask": _masked,
    "varlen": _varlen,
    "flex": _flex,
}
