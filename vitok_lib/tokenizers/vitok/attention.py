"""Self-attention over the raster order of tokens, full or within a one-dimensional window."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from vitok_lib.tokenizers.vitok.chunks import assemble

_QUERY_BLOCK = 512


def attention(query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
    """Scaled dot-product attention, softmax(q·k/√head_dim)·v.

    Args:
        query, key, value: ``[B, heads, N, head_dim]``, tokens in raster order.
        window: radius in tokens: token i sees token j where ``|i − j| ≤ window``; None: every token.

    Returns:
        ``[B, heads, N, head_dim]``, laid out in memory as ``[B, N, heads, head_dim]``.
    """
    tokens = query.shape[2]
    if window is None or window >= tokens - 1:
        return F.scaled_dot_product_attention(query, key, value)
    return assemble(_bands(query, key, value, window), dim=1, size=tokens).transpose(1, 2)


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
    distance = (rows[:, None] - torch.arange(columns, device=like.device)).abs()
    return like.new_zeros(distance.shape).masked_fill_(distance > window, -torch.inf)
