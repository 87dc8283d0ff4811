"""Self-attention over the raster order of tokens, full or within a one-dimensional window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_QUERY_BLOCK = 512


def attention(query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
    """Scaled dot-product attention, softmax(q·k/√head_dim)·v.

    Args:
        query, key, value: ``[B, heads, N, head_dim]``, tokens in raster order.
        window: radius in tokens: token i sees token j where ``|i − j| ≤ window``; None: every token.

    Returns:
        ``[B, heads, N, head_dim]``.
    """
    tokens = query.shape[2]
    if window is None or window >= tokens - 1:
        return F.scaled_dot_product_attention(query, key, value)
    return _banded(query, key, value, window)


def _banded(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    """Windowed attention by blocks of queries: work and memory O(N·(window + block)), never N×N."""
    tokens = query.shape[2]
    outputs = []
    for start in range(0, tokens, _QUERY_BLOCK):
        stop = min(start + _QUERY_BLOCK, tokens)
        first, last = max(0, start - window), min(tokens, stop + window)
        rows = torch.arange(start, stop, device=query.device)
        columns = torch.arange(first, last, device=query.device)
        seen = (rows[:, None] - columns[None, :]).abs() <= window
        outputs.append(
            F.scaled_dot_product_attention(
                query[:, :, start:stop], key[:, :, first:last], value[:, :, first:last], attn_mask=seen
            )
        )
    return torch.cat(outputs, dim=2)
