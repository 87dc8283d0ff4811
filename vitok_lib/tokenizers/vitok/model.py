"""The ViTok-v2 encoder and decoder.

Shapes: B images, H × W pixels, p patch, N = rows·columns tokens, C width, h heads, d = C/h head_dim,
c latent channels. Module names are the released checkpoints' state-dict keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitok_lib.tokenizers.vitok.attention import Window, attention, on_grid
from vitok_lib.tokenizers.vitok.chunks import assemble, in_chunks, rows_at_once
from vitok_lib.tokenizers.vitok.variant import IMAGE_CHANNELS, Side, Variant

Attend = Callable[[Tensor, Tensor, Tensor, Window | None], Tensor]
"""Queries, keys and values ``[B, h, N, d]`` and the window to ``[B, h, N, d]``."""

EPSILON = 1e-6
ROPE_THETA = 10000.0


def patchify(images: Tensor, patch: int) -> tuple[Tensor, int, int]:
    """Cut images into tokens in raster order, padding right and below with 0.

    Args:
        images: ``[B, 3, H, W]`` in [-1, 1].

    Returns:
        tokens ``[B, N, 3·p²]``, channel-major inside a token, and the grid's rows and columns.
    """
    batch, channels, height, width = images.shape
    images = F.pad(images, (0, -width % patch, 0, -height % patch))
    rows, columns = images.shape[2] // patch, images.shape[3] // patch
    tokens = images.reshape(batch, channels, rows, patch, columns, patch)
    tokens = tokens.permute(0, 2, 4, 1, 3, 5)  # [B, rows, columns, 3, p, p]
    return tokens.reshape(batch, rows * columns, channels * patch**2), rows, columns


def unpatchify(tokens: Tensor, rows: int, columns: int, patch: int) -> Tensor:
    """The inverse of :func:`patchify` before its cut: ``[B, N, 3·p²]`` to ``[B, 3, rows·p, columns·p]``."""
    images = tokens.reshape(-1, rows, columns, IMAGE_CHANNELS, patch, patch)
    images = images.permute(0, 3, 1, 4, 2, 5)  # [B, 3, rows, p, columns, p]
    return images.reshape(-1, IMAGE_CHANNELS, rows * patch, columns * patch)


def rope_table(rows: int, columns: int, head_dim: int, like: Tensor) -> Tensor:
    """Cosines and sines of 2-D rotary position embedding (Su et al. 2021, on two axes).

    The first half of the rotated pairs turns by row·frequency, the second by column·frequency, with
    frequencies θ^(-2i/(head_dim/2)), i < head_dim/4.

    Returns:
        ``[2, N, head_dim/2]``: cos and sin, in at least float32, on the device of ``like``.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    exponents = torch.arange(head_dim // 4, device=like.device, dtype=torch.float64) * (-4 / head_dim)
    frequencies = ROPE_THETA**exponents  # [head_dim/4]

    def turns(count: int) -> Tensor:
        angles = torch.arange(count, device=like.device)[:, None] * frequencies
        return torch.stack([angles.cos(), angles.sin()]).to(dtype)  # [2, count, head_dim/4]

    by_row, by_column = turns(rows)[:, :, None], turns(columns)[:, None]
    grid = (2, rows, columns, head_dim // 4)
    return torch.cat([by_row.expand(grid), by_column.expand(grid)], dim=-1).flatten(1, 2)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn consecutive pairs (2j, 2j+1) of ``x`` ``[B, N, h, d]`` by the angles of :func:`rope_table`."""
    cos, sin = table[:, :, None]  # each [N, 1, d/2]
    pairs = x.to(table.dtype).unflatten(-1, (-1, 2))  # [B, N, h, d/2, 2]
    even, odd = pairs[..., 0], pairs[..., 1]
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2).to(x.dtype)


class RMSNorm(nn.Module):
    """Root-mean-square norm (Zhang & Sennrich 2019) over the last axis, computed in at least float32."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        dtype = torch.promote_types(x.dtype, torch.float32)
        return F.rms_norm(x.to(dtype), self.weight.shape, self.weight.to(dtype), EPSILON).to(x.dtype)


class Attention(nn.Module):
    """``attend`` is the kernel, ``chunk`` the tokens that go through the matrices at a time (None: automatic)."""

    attend: Attend = staticmethod(attention)
    chunk: int | None = None

    def __init__(self, side: Side) -> None:
        super().__init__()
        self.heads = side.heads
        self.qkv_proj = nn.Linear(side.width, 3 * side.width, bias=False)
        self.out_proj = nn.Linear(side.width, side.width, bias=False)
        self.norm_q = RMSNorm(side.head_dim)
        self.norm_k = RMSNorm(side.head_dim)

    def forward(self, x: Tensor, rope: Tensor, window: Window | None) -> Tensor:
        qkv = in_chunks(self.qkv_proj, x, chunk=self.chunk).unflatten(-1, (3, self.heads, -1))  # [B, N, 3, h, d]
        query, key, value = qkv.unbind(2)  # each [B, N, h, d]
        query = self._positioned(query, self.norm_q, rope)
        key = self._positioned(key, self.norm_k, rope)
        del qkv
        query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        seen = self.attend(query, key, value, window)  # [B, h, N, d]
        del query, key, value
        return in_chunks(self.out_proj, seen.transpose(1, 2).flatten(-2), chunk=self.chunk)  # [B, N, C]

    def _positioned(self, part: Tensor, norm: RMSNorm, rope: Tensor) -> Tensor:
        """Queries or keys normalised and rotated; of a large image, in the place of what is not needed again."""
        return in_chunks(lambda part, rope: rotate(norm(part), rope), part, rope, chunk=self.chunk, out=part)


class SwiGLU(nn.Module):
    """Gated MLP (Shazeer 2020); fc1's first half is the value, its second half the gate."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * hidden, bias=False)
        self.fc2 = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.fc1(x).chunk(2, dim=-1)
        out: Tensor = self.fc2(F.silu(gate) * value)
        return out


class LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-4))

    def forward(self, x: Tensor) -> Tensor:
        return self.gamma * x


class Block(nn.Module):
    """Parallel block: x + γ·(attention(h) + mlp(h)) with h = RMSNorm(x)."""

    def __init__(self, side: Side, hidden: int) -> None:
        super().__init__()
        self.norm1 = RMSNorm(side.width)
        self.attn = Attention(side)
        self.ffn = SwiGLU(side.width, hidden)
        self.layer_scale = LayerScale(side.width)

    def forward(self, x: Tensor, rope: Tensor, window: Window | None) -> Tensor:
        chunk = self.attn.chunk
        h = in_chunks(self.norm1, x, chunk=chunk)
        seen = self.attn(h, rope, window)
        return in_chunks(lambda x, h, seen: x + self.layer_scale(seen + self.ffn(h)), x, h, seen, chunk=chunk)


class Encoder(nn.Module):
    """Pixels to latent."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        side = variant.encoder
        self.patch_embed = nn.Linear(variant.patch_values, side.width)
        self.encoder_blocks = nn.ModuleList(Block(side, variant.hidden(side)) for _ in range(side.depth))
        self.to_code = nn.Linear(side.width, variant.channels)

    def forward(self, images: Tensor, window: int | str | None = None) -> Tensor:
        """``[B, 3, H, W]`` in [-1, 1] to the latent ``[B, rows, columns, c]``, normalised over c."""
        rows, columns = (-(-size // self.variant.patch) for size in images.shape[2:])
        x = assemble(self._embedded(images, columns), dim=1, size=rows * columns)
        rope = rope_table(rows, columns, self.variant.encoder.head_dim, like=x)
        seen = on_grid(window, rows, columns)
        for block in self.encoder_blocks:
            x = block(x, rope, seen)
        code = F.layer_norm(self.to_code(x), (self.variant.channels,), eps=EPSILON)
        return code.reshape(-1, rows, columns, self.variant.channels)

    def _embedded(self, images: Tensor, columns: int) -> Iterator[Tensor]:
        """The tokens after the first matrix, strip by strip of whole rows."""
        height = self.variant.patch * rows_at_once(columns, len(images))
        for top in range(0, images.shape[2], height):
            yield self.patch_embed(patchify(images[:, :, top : top + height], self.variant.patch)[0])


class Decoder(nn.Module):
    """Latent to pixels."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        side = variant.decoder
        self.decoder_embed = nn.Linear(variant.channels, side.width)
        self.decoder_blocks = nn.ModuleList(Block(side, variant.hidden(side)) for _ in range(side.depth))
        self.to_pixels = nn.Linear(side.width, variant.patch_values)

    def forward(self, latent: Tensor, window: int | str | None = None) -> Tensor:
        """Latent ``[B, rows, columns, c]`` to ``[B, 3, rows·p, columns·p]``, not clamped."""
        rows, columns = latent.shape[1:3]
        x = self.decoder_embed(latent.flatten(1, 2))
        rope = rope_table(rows, columns, self.variant.decoder.head_dim, like=x)
        seen = on_grid(window, rows, columns)
        for block in self.decoder_blocks:
            x = block(x, rope, seen)
        return assemble(self._pixels(x, columns), dim=2, size=rows * self.variant.patch)

    def _pixels(self, x: Tensor, columns: int) -> Iterator[Tensor]:
        """The image, strip by strip of whole rows of tokens."""
        for tokens in x.split(columns * rows_at_once(columns, len(x)), dim=1):
            rows = tokens.shape[1] // columns
            yield unpatchify(self.to_pixels(tokens), rows, columns, self.variant.patch)
