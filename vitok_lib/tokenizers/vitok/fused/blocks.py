"""All blocks of an encoder or decoder, with three kernels of this project between their matrix products.

The algebra is that of :mod:`vitok_lib.tokenizers.vitok.folded`. Since attention and MLP read the same norm, it is taken
once a block; since their outputs are added, one matrix product of [attention's output ‖ gated hidden values] gives the
sum. Its residual is added where the next block's norm is taken. Queries, keys and values go where attention reads them.
One product for [queries ‖ keys ‖ values ‖ fc1] would be exact, too, but would hold the MLP's hidden values of the whole
image through attention, and save one read of the norm: it is left out.

R rows, one a token of the batch; C width, h heads, d = C/h head_dim.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.vitok.attention import Window
from vitok_lib.tokenizers.vitok.chunks import evenly
from vitok_lib.tokenizers.vitok.folded import folded_linear
from vitok_lib.tokenizers.vitok.fused.launch import gate, new_rows, position, residual_norm
from vitok_lib.tokenizers.vitok.model import Attend, Block
from vitok_lib.tokenizers.vitok.precision import Float8Linear

DTYPES = ("bfloat16", "float16", "float32")


def check_fused(device: str, dtype: str) -> None:
    """Raise a RequestError where the kernels cannot run: no Triton, no CUDA, or a dtype that they do not take."""
    if dtype not in DTYPES:
        raise RequestError(f"fused blocks take dtype {', '.join(DTYPES)}, not '{dtype}'; leave fused out")
    if find_spec("triton") is None:
        raise RequestError(
            "fused blocks need Triton, which is not installed; torch for CUDA brings it, or leave fused out",
            code="fused-unsupported",
        )
    if torch.device(device).type != "cuda":
        import triton

        if not triton.knobs.runtime.interpret:
            raise RequestError(
                f"fused blocks run on CUDA, not on {device}; leave fused out, or set TRITON_INTERPRET=1 to have "
                "Triton's interpreter check them, which is slow",
                code="fused-unsupported",
            )


class FusedLayer(nn.Module):
    """The matrices of one block: ``[q ‖ k]``, ``[v]``, ``[content ‖ gate]`` and ``[out_proj ‖ fc2]``."""

    gains: Tensor

    def __init__(self, block: Block, precision: str | None) -> None:
        super().__init__()
        gain, gamma, attn, ffn = block.norm1.weight, block.layer_scale.gamma, block.attn, block.ffn
        queries_and_keys, values = attn.qkv_proj.weight.split([2 * len(gain), len(gain)])
        self.queries_and_keys = folded_linear(queries_and_keys, gain, None, precision)
        self.values = folded_linear(values, gain, None, precision)
        self.hidden = folded_linear(ffn.fc1.weight, gain, None, precision)
        last = torch.cat([attn.out_proj.weight, ffn.fc2.weight], dim=1)  # [C, C + inner]
        self.last = folded_linear(last, None, gamma, precision)
        self.register_buffer("gains", torch.stack([attn.norm_q.weight, attn.norm_k.weight]))


class FusedBlocks(nn.Module):
    """What the ``blocks`` compute one after another, for inference alone: the tokens that come in are overwritten.

    Args:
        blocks: whose weights are taken; they are removed, so that no weight is there twice.
        chunk: rows that go through the matrices at a time; 0: all; None: ``chunks.TOKENS``.
        precision: None, or ``"fp8"`` for matrix products in 8-bit floats.
    """

    def __init__(self, blocks: nn.ModuleList, *, chunk: int | None, precision: str | None, attend: Attend) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        while len(blocks):
            block = blocks.pop(0)
            assert isinstance(block, Block)
            self.heads = block.attn.heads
            self.layers.append(FusedLayer(block, precision))
        self.attend = attend
        self._chunk = chunk
        self._precision = precision

    def forward(self, x: Tensor, rope: Tensor, window: Window | None) -> Tensor:
        rows = x.flatten(0, 1).contiguous()  # [R, C]
        normed, scales = new_rows(rows, rows.shape[1], self._precision), _scales(rows)
        with torch.cuda.device(x.device) if x.is_cuda else nullcontext():
            for chunk in evenly(len(rows), 1, self._chunk):
                residual_norm(rows[chunk], None, normed[chunk], scales[chunk])
            for index, layer in enumerate(self.layers):
                assert isinstance(layer, FusedLayer)
                last = index == len(self.layers) - 1
                # No name for what attention saw: it would live on through the next block's attention.
                self._finish(layer, rows, normed, scales, self._attended(layer, normed, scales, x, rope, window), last)
        return rows.view(x.shape)

    def _attended(
        self, layer: FusedLayer, normed: Tensor, scales: Tensor, x: Tensor, rope: Tensor, window: Window | None
    ) -> Tensor:
        """Attention's output ``[R, C]`` of tokens like ``x`` ``[B, N, C]``."""
        placed = x.new_empty(2, *normed.shape)  # queries and keys
        value = x.new_empty(normed.shape)
        for chunk in evenly(len(normed), 1, self._chunk):
            rows = (normed[chunk], scales[chunk], x.dtype)
            position(_product(layer.queries_and_keys, *rows), layer.gains, rope, placed, chunk.start, self.heads)
            _product(layer.values, *rows, out=value[chunk])
        query, key, value = (part.view(*x.shape[:2], self.heads, -1).transpose(1, 2) for part in (*placed, value))
        return self.attend(query, key, value, window).transpose(1, 2).reshape(normed.shape)

    def _finish(
        self, layer: FusedLayer, rows: Tensor, normed: Tensor, scales: Tensor, seen: Tensor, last: bool
    ) -> None:
        """Add to ``rows`` what attention saw and the MLP makes of them; ``normed`` is then of the next block."""
        for chunk in evenly(len(rows), 1, self._chunk):
            hidden = _product(layer.hidden, normed[chunk], scales[chunk], rows.dtype)  # [n, 2·inner]
            both = new_rows(hidden, rows.shape[1] + hidden.shape[1] // 2, self._precision)
            gate(seen[chunk], hidden, both, scales[chunk])
            del hidden
            update = _product(layer.last, both, scales[chunk], rows.dtype)
            if last:
                rows[chunk] += update
            else:
                residual_norm(rows[chunk], update, normed[chunk], scales[chunk])


def _scales(rows: Tensor) -> Tensor:
    """``[R, 1]``, of rows in 8-bit floats; those of the norm are not needed again once the hidden values are there."""
    return rows.new_empty(len(rows), 1, dtype=torch.float32)


def _product(layer: nn.Module, rows: Tensor, scales: Tensor, dtype: torch.dtype, out: Tensor | None = None) -> Tensor:
    if isinstance(layer, Float8Linear):
        return layer.product(rows, scales, dtype, out)
    assert isinstance(layer, nn.Linear)
    return torch.mm(rows, layer.weight.t(), out=out)
