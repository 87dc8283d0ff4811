"""Work that treats each token by itself, done a part at a time, so that no large intermediate is ever whole.

Where gradients are kept nothing is cut: they hold every intermediate anyway, and writing in place would break them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise

import torch
from torch import Tensor

from vitok_lib.tokenizers.vitok.variant import DEFAULT_CHUNK

TOKENS = DEFAULT_CHUNK["cpu"]
"""Tokens at a time where no chunk is set."""


def in_chunks(
    function: Callable[..., Tensor], *inputs: Tensor, chunk: int | None = None, out: Tensor | None = None
) -> Tensor:
    """``function(*inputs)`` for a function of single tokens, by chunks of about so many tokens.

    Args:
        function: maps parts ``[·, n, …]`` of the inputs to ``[B, n, …]``.
        inputs: each ``[·, N, …]``; the first one's leading axis is the batch B.
        chunk: tokens at a time, of the whole batch; 0: all; None: ``TOKENS``.
        out: where the chunks' results go; it may be an input that is not needed again. None: a new tensor.

    Returns:
        ``[B, N, …]``; in ``out`` or not, whichever is cheaper.
    """
    batch, tokens = inputs[0].shape[:2]
    chunk = TOKENS if chunk is None else chunk
    size = max(1, chunk // batch)
    if chunk == 0 or tokens <= size or torch.is_grad_enabled():
        return function(*inputs)
    parts = zip(*(part.split(size, dim=1) for part in inputs), strict=True)
    return assemble((function(*part) for part in parts), dim=1, size=tokens, out=out)


def evenly(tokens: int, batch: int, chunk: int | None) -> list[slice]:
    """Slices of ``tokens`` tokens of a batch, of at most ``chunk`` tokens in all, as even as they can be.

    Even ones have one length or two, so that what is compiled for a length is compiled twice at most. 0: one slice;
    None: ``TOKENS``.
    """
    chunk = TOKENS if chunk is None else chunk
    count = -(-tokens // max(1, chunk // batch)) if chunk else 1
    ends = [tokens * index // count for index in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


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
