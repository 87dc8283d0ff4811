"""Work that treats each token by itself, done a part at a time, so that no large intermediate is ever whole.

Where gradients are kept nothing is cut: they hold every intermediate anyway, and writing in place would break them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import torch
from torch import Tensor

TOKENS = 16384
"""Tokens at a time: enough to fill a GPU, and no more than an image of 2048 px has at patch 16."""


def in_chunks(function: Callable[..., Tensor], *inputs: Tensor, out: Tensor | None = None) -> Tensor:
    """``function(*inputs)`` for a function of single tokens, by chunks of about ``TOKENS`` tokens.

    Args:
        function: maps parts ``[·, n, …]`` of the inputs to ``[B, n, …]``.
        inputs: each ``[·, N, …]``; the first one's leading axis is the batch B.
        out: where the chunks' results go; it may be an input that is not needed again. None: a new tensor.

    Returns:
        ``[B, N, …]``; in ``out`` or not, whichever is cheaper.
    """
    batch, tokens = inputs[0].shape[:2]
    size = max(1, TOKENS // batch)
    if tokens <= size or torch.is_grad_enabled():
        return function(*inputs)
    parts = zip(*(part.split(size, dim=1) for part in inputs), strict=True)
    return assemble((function(*part) for part in parts), dim=1, size=tokens, out=out)


def rows_at_once(columns: int, batch: int) -> int:
    """Whole rows of a grid of tokens, at least one, that make about ``TOKENS`` tokens."""
    return max(1, TOKENS // (columns * batch))


def assemble(pieces: Iterable[Tensor], dim: int, size: int, out: Tensor | None = None) -> Tensor:
    """The pieces in a row along ``dim``, ``size`` long together, each put in its place before the next is made."""
    rest: Iterator[Tensor] = iter(pieces)
    first = next(rest)
    if first.shape[dim] == size:
        return first
    if torch.is_grad_enabled():
        return torch.cat([first, *rest], dim)
    if out is None:
        out = first.new_empty((*first.shape[:dim], size, *first.shape[dim + 1 :]))
    position = 0
    for piece in chain([first], rest):
        out.narrow(dim, position, piece.shape[dim]).copy_(piece)
        position += piece.shape[dim]
    return out
