"""Self-attention over the raster order of tokens, full or within a window, by several kernels.

A window is a radius in raster order, or a :class:`Square` of rows and columns, which ``mask`` and ``bands`` know.

=========  =======================================================================================  =============
kernel     how                                                                                      where
=========  =======================================================================================  =============
``sdpa``   full attention by the fused kernel that torch chooses, which no record names             everywhere
``flash``  full attention by FlashAttention-2                                                       CUDA, 16 bits
``cudnn``  full attention by cuDNN                                                                  CUDA, 16 bits
``mask``   a window by ``sdpa`` with a dense N × N mask: the plain way, O(N²) time and memory          everywhere
``bands``  a window by ``sdpa`` of blocks of queries with the keys that they see: O(N·radius)       everywhere
``varlen`` FlashAttention-2 with its own window (Dao 2023)                                          CUDA, 16 bits
``flex``   a Triton kernel compiled for the blocks within the window; its variants are in ``flex``     CUDA
=========  =======================================================================================  =============
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from vitok_lib.errors import UnsupportedError
from vitok_lib.records.config import square_radius
from vitok_lib.tokenizers.vitok.chunks import assemble
from vitok_lib.tokenizers.vitok.flex import FLEX_KERNELS

MASK_LIMIT = 2**16
"""Tokens beyond which torch's kernel on CUDA finds the wrong rows of a mask, without a word (pytorch #187227)."""
_QUERY_BLOCK = 512
_TILE = 16
"""Tokens a side of a tile of queries within a square window."""
_MASK_ROWS = 128
"""Rows of a dense mask made at a time: their distances in 64 bits are then little beside the mask."""


class Square(NamedTuple):
    """A two-dimensional window: a token of the grid sees those at most ``radius`` rows and ``radius`` columns away."""

    radius: int
    rows: int
    columns: int


Window = int | Square


def on_grid(window: int | str | None, rows: int, columns: int) -> Window | None:
    """The window that a setting such as ``64`` or ``2d:8`` is for an image of ``rows`` × ``columns`` tokens."""
    radius = square_radius(window)
    if radius is not None:
        return Square(radius, rows, columns)
    assert not isinstance(window, str)  # which the configuration refuses
    return window


def attention(
    query: Tensor, key: Tensor, value: Tensor, window: Window | None, *, full: str = "sdpa", windowed: str = "bands"
) -> Tensor:
    """Scaled dot-product attention, softmax(q·k/√head_dim)·v.

    Args:
        query, key, value: ``[B, heads, N, head_dim]``, tokens in raster order.
        window: radius in tokens: token i sees token j where ``|i − j| ≤ window``, or a square; None: every token.
        full, windowed: the kernel for when every token sees every other, of :data:`FULL_KERNELS`, and for when the
            window leaves something out, of :data:`WINDOW_KERNELS`.

    Returns:
        ``[B, heads, N, head_dim]``, laid out in memory as ``[B, N, heads, head_dim]``.
    """
    if sees_all(query.shape[2], window):
        return FULL_KERNELS[full](query, key, value)
    assert window is not None
    return WINDOW_KERNELS[windowed](query, key, value, window)


def sees_all(tokens: int, window: Window | None) -> bool:
    """Whether every one of ``tokens`` tokens sees every other."""
    if isinstance(window, Square):
        return window.radius >= max(window.rows, window.columns) - 1
    return window is None or window >= tokens - 1


def _banded(query: Tensor, key: Tensor, value: Tensor, window: Window) -> Tensor:
    if isinstance(window, Square):
        return _tiled(query, key, value, window)
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
            tokens_of = torch.arange(last - first, device=query.device)
            masks = {place: _mask(tokens_of[place[0] : place[1]], tokens_of, window, query)}
        block = F.scaled_dot_product_attention(
            query[:, :, start:stop], key[:, :, first:last], value[:, :, first:last], attn_mask=masks[place]
        )
        yield block.transpose(1, 2)


def _tiled(query: Tensor, key: Tensor, value: Tensor, window: Square) -> Tensor:
    """Square tiles of queries with the keys that they see: work O(N·(tile + 2·radius)²), never N²; memory of one tile
    and of the whole output.
    """
    radius, rows, columns = window
    batch, heads, _, size = query.shape
    query, key, value = (part.unflatten(2, (rows, columns)) for part in (query, key, value))
    tokens = torch.arange(rows * columns, device=query.device).view(rows, columns)
    seen = query.new_empty(batch, rows, columns, heads, size)
    masks: dict[tuple[int, ...], Tensor] = {}  # all tiles of a row but those near a border share one
    for top in range(0, rows, _TILE):
        bottom = min(top + _TILE, rows)
        high, low = max(0, top - radius), min(rows, bottom + radius)
        for left in range(0, columns, _TILE):
            right = min(left + _TILE, columns)
            first, last = max(0, left - radius), min(columns, right + radius)
            place = (top - high, bottom - high, low - high, left - first, right - first, last - first)
            if place not in masks:
                inside = tokens[top:bottom, left:right].flatten(), tokens[high:low, first:last].flatten()
                masks = {place: _mask(*inside, window, query)}
            block = F.scaled_dot_product_attention(
                query[:, :, top:bottom, left:right].flatten(2, 3),
                key[:, :, high:low, first:last].flatten(2, 3),
                value[:, :, high:low, first:last].flatten(2, 3),
                attn_mask=masks[place],
            )
            seen[:, top:bottom, left:right] = block.transpose(1, 2).unflatten(1, (bottom - top, right - left))
    return seen.flatten(1, 2).transpose(1, 2)


def _mask(queries: Tensor, keys: Tensor, window: Window, like: Tensor) -> Tensor:
    """What is added to the scores of ``queries`` and ``keys``, places of tokens: 0 within the window, −∞ outside."""
    if isinstance(window, Square):
        far = _apart(queries // window.columns, keys // window.columns) > window.radius
        far |= _apart(queries % window.columns, keys % window.columns) > window.radius
    else:
        far = _apart(queries, keys) > window
    return like.new_zeros(far.shape).masked_fill_(far, -torch.inf)


def _apart(queries: Tensor, keys: Tensor) -> Tensor:
    return (queries[:, None] - keys).abs_()


class Masked:
    """The kernel ``mask`` of one model: the mask of the last size is kept, for the next block and the next image."""

    def __init__(self) -> None:
        self._size: tuple[object, ...] | None = None
        self._mask: Tensor | None = None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, window: Window) -> Tensor:
        tokens = query.shape[2]
        if tokens > MASK_LIMIT:
            raise UnsupportedError(
                f"attention 'mask' takes up to {MASK_LIMIT:,} tokens, beyond which torch reads a mask wrongly on CUDA, "
                f"and these are {tokens:,}"
            )
        return F.scaled_dot_product_attention(query, key, value, attn_mask=self._mask_of(tokens, window, query))

    def _mask_of(self, tokens: int, window: Window, like: Tensor) -> Tensor:
        if _is_recorded(like):  # a graph reads the same memory for ever: its own
            return _dense_mask(tokens, window, like)
        size = (tokens, window, like.device, like.dtype)
        if self._mask is None or self._size != size or like.is_meta:  # there what a call makes is counted, call by call
            self._mask = None  # first, so that there are never two
            self._mask, self._size = _dense_mask(tokens, window, like), size
        return self._mask


def _is_recorded(like: Tensor) -> bool:
    return like.is_cuda and torch.cuda.is_current_stream_capturing()


def _dense_mask(tokens: int, window: Window, like: Tensor) -> Tensor:
    """Of all pairs of tokens, in strips, so that hardly more memory is taken than the mask itself."""
    mask, places = like.new_empty(tokens, tokens), torch.arange(tokens, device=like.device)
    for start in range(0, tokens, _MASK_ROWS):
        stop = min(start + _MASK_ROWS, tokens)
        mask[start:stop] = _mask(places[start:stop], places, window, like)
    return mask


def _masked(query: Tensor, key: Tensor, value: Tensor, window: Window) -> Tensor:
    return Masked()(query, key, value, window)


def _varlen(query: Tensor, key: Tensor, value: Tensor, window: int) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # where torch has no CUDA, nothing else of it is needed

    batch, _, tokens, _ = query.shape
    query, key, value = (part.transpose(1, 2).flatten(0, 1) for part in (query, key, value))  # [B·N, heads, head_dim]
    ends = torch.arange(batch + 1, device=query.device, dtype=torch.int32) * tokens
    seen = varlen_attn(query, key, value, ends, ends, tokens, tokens, window_size=(window, window))
    assert isinstance(seen, Tensor)
    return seen.reshape(batch, tokens, *seen.shape[1:]).transpose(1, 2)


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
    **FLEX_KERNELS,
}
SQUARE_KERNELS = ("bands", "mask")
"""Those of :data:`WINDOW_KERNELS` that know a window of rows and columns."""
