"""The same block in fewer passes over memory: its vectors folded into its matrices, its tokens taken in chunks.

Exact algebra: h·W for h = RMSNorm(x)·g is RMSNorm(x)·(diag(g)·W), and γ·(a + m) is what the last matrices of attention
and MLP give once their rows are multiplied by γ. What is left of a block is two regions of work on single tokens,
:func:`_project` and :func:`_finish`, with attention between them. Each region is compiled once for the whole model.

N tokens, C width, h heads, d = C/h head_dim.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitok_lib.tokenizers.vitok.attention import Window
from vitok_lib.tokenizers.vitok.chunks import evenly
from vitok_lib.tokenizers.vitok.model import EPSILON, Attend, Block, RMSNorm, rotate
from vitok_lib.tokenizers.vitok.precision import Float8Linear

Region = Callable[..., None]


def _project(
    x: Tensor,
    rope: Tensor,
    qkv: nn.Module,
    norm_q: RMSNorm,
    norm_k: RMSNorm,
    query: Tensor,
    key: Tensor,
    value: Tensor,
) -> None:
    """Tokens ``[B, n, C]`` to their queries, keys and values, each put into ``[B, n, h, d]``."""
    packed = qkv(_normalised(x)).unflatten(-1, (3, *query.shape[2:]))  # [B, n, 3, h, d]
    query.copy_(rotate(norm_q(packed[:, :, 0]), rope))
    key.copy_(rotate(norm_k(packed[:, :, 1]), rope))
    value.copy_(packed[:, :, 2])


def _finish(x: Tensor, seen: Tensor, out_proj: nn.Module, fc1: nn.Module, fc2: nn.Module) -> None:
    """Add to the tokens ``[B, n, C]`` what attention saw ``[B, n, C]`` and what the MLP makes of them."""
    content, gate = fc1(_normalised(x)).chunk(2, dim=-1)
    x.add_(out_proj(seen) + fc2(F.silu(gate) * content))


def _normalised(x: Tensor) -> Tensor:
    dtype = torch.promote_types(x.dtype, torch.float32)
    return F.rms_norm(x.to(dtype), x.shape[-1:], eps=EPSILON).to(x.dtype)


def regions(mode: str | None) -> tuple[Region, Region]:
    """The two regions of work of a block, compiled by torch in ``mode`` or left as they are where it is None."""
    if mode is None:
        return _project, _finish
    compiled = partial(torch.compile, mode=mode, dynamic=False, fullgraph=True)
    return compiled(_project), compiled(_finish)


class FoldedBlock(nn.Module):
    """What :class:`Block` computes, for inference alone: the tokens that come in are overwritten.

    Args:
        block: whose weights are taken.
        chunk: tokens of the batch that go through the matrices at a time; 0: all; None: ``chunks.TOKENS``.
        shared: the two regions, which all blocks of a model share.
        precision: None, or ``"fp8"`` for matrix products in 8-bit floats.
    """

    def __init__(
        self, block: Block, *, chunk: int | None, shared: tuple[Region, Region], precision: str | None, attend: Attend
    ) -> None:
        super().__init__()
        gain, gamma = block.norm1.weight, block.layer_scale.gamma
        self.qkv = folded_linear(block.attn.qkv_proj.weight, gain, None, precision)
        self.fc1 = folded_linear(block.ffn.fc1.weight, gain, None, precision)
        self.out_proj = folded_linear(block.attn.out_proj.weight, None, gamma, precision)
        self.fc2 = folded_linear(block.ffn.fc2.weight, None, gamma, precision)
        self.norm_q, self.norm_k = block.attn.norm_q, block.attn.norm_k
        self.heads = block.attn.heads
        self.attend = attend
        self._chunk = chunk
        self._project, self._finish = shared

    def forward(self, x: Tensor, rope: Tensor, window: Window | None) -> Tensor:
        batch, tokens, width = x.shape
        chunks = evenly(tokens, batch, self._chunk)
        query, key, value = (x.new_empty(batch, tokens, self.heads, width // self.heads) for _ in range(3))
        for chunk in chunks:
            parts = (part[:, chunk] for part in (query, key, value))
            self._project(x[:, chunk], rope[:, chunk], self.qkv, self.norm_q, self.norm_k, *parts)
        seen = self.attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), window)
        del query, key, value
        seen = seen.transpose(1, 2).flatten(-2)  # [B, N, C]
        for chunk in chunks:
            self._finish(x[:, chunk], seen[:, chunk], self.out_proj, self.fc1, self.fc2)
        return x


def folded_linear(weight: Tensor, columns: Tensor | None, rows: Tensor | None, precision: str | None) -> nn.Module:
    """The layer of ``weight`` ``[out, in]`` with its columns or rows multiplied, rounded once."""
    exact = weight.to(torch.promote_types(weight.dtype, torch.float32))
    if columns is not None:
        exact = exact * columns
    if rows is not None:
        exact = exact * rows[:, None]
    if precision == "fp8":
        return Float8Linear(exact)
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(exact.to(weight.dtype), requires_grad=False)
    return layer
