"""The work of a ViTok, by formula from its variant: floating-point operations, a multiply-add counted as 2.

Only matrix products count: norms, rotations and activations are below a percent of them. Nothing here needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.tokenizers.vitok.variant import Side, Variant


@dataclass(frozen=True)
class SideWork:
    """Operations of the encoder or of the decoder: in matrices of weights, and in attention's two products."""

    linear: int
    attention: int

    @property
    def total(self) -> int:
        return self.linear + self.attention


@dataclass(frozen=True)
class Work:
    encoder: SideWork
    decoder: SideWork

    @property
    def total(self) -> int:
        return self.encoder.total + self.decoder.total


def vitok_work(variant: Variant, height: int, width: int, window: int | None = None, batch: int = 1) -> Work:
    """Operations that encode and decode ``batch`` images of ``height`` × ``width`` pixels.

    Attention is counted over the pairs that the window lets see each other, whatever more a kernel computes.
    """
    tokens = variant.tokens(height, width)
    pairs = attention_pairs(tokens, window)

    def side_work(side: Side, ends: int) -> SideWork:
        block = 4 * side.width**2 + 3 * side.width * variant.hidden(side)  # entries of a block's matrices
        return SideWork(
            linear=2 * batch * tokens * (side.depth * block + ends),
            attention=4 * batch * side.depth * side.width * pairs,
        )

    pixels, channels = variant.patch_values, variant.channels
    return Work(
        encoder=side_work(variant.encoder, variant.encoder.width * (pixels + channels)),
        decoder=side_work(variant.decoder, variant.decoder.width * (pixels + channels)),
    )


def attention_pairs(tokens: int, window: int | None) -> int:
    """Pairs (i, j) of N tokens with |i − j| ≤ r: N(2r + 1) − r(r + 1), or N² without a window."""
    if window is None or window >= tokens - 1:
        return tokens**2
    return tokens * (2 * window + 1) - window * (window + 1)
