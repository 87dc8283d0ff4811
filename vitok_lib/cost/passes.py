"""Bytes that a block of a ViTok moves between its matrix products and attention, pass by pass, by formula.

What a product or attention reads and writes by itself is not counted here, nor scales of rows and angles of rotations:
some bytes a token. A pass reads each tensor once and writes it once; a compiled loop that reads one twice moves more.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.tokenizers.vitok.variant import Side, Variant


@dataclass(frozen=True)
class Pass:
    """One pass and the bytes it moves in an image, in 8-bit matrix products of 16-bit activations.

    ``fp8``: as the preset of this name cuts the work, each of its compiled regions at its best; ``fused``: as the
    preset ``fused-fp8`` does; ``least``: what must move.
    """

    name: str
    fp8: int
    fused: int
    least: int


def passes(variant: Variant, height: int, width: int, batch: int = 1) -> list[Pass]:
    """The passes of all blocks of encoder and decoder for ``batch`` images of ``height`` × ``width`` pixels.

    For each of C values of a token, in bytes: the residual with its norm must read a product (2) and the residual (2),
    and write the residual (2) and the quantised norm (1): 7. ``fp8`` adds two products (8) and takes the norm twice,
    for attention and for the MLP (2 · 3). Queries and keys are read and written (2 · 4); values are copied out of the
    packed product (4) or written where attention reads them (0). Attention's output is read and quantised (3). For each
    of H hidden values the gate reads two and writes one (5), or one less where it ends its product (3).
    """
    tokens = batch * variant.tokens(height, width)

    def over_sides(by_width: int, by_hidden: int = 0) -> int:
        def of(side: Side) -> int:
            return side.depth * (by_width * side.width + by_hidden * variant.hidden(side))

        return tokens * (of(variant.encoder) + of(variant.decoder))

    return [
        Pass("Residual, norm, quantisation", over_sides(14), over_sides(7), over_sides(7)),
        Pass("Norm and rotation of queries and keys", over_sides(8), over_sides(8), over_sides(8)),
        Pass("Copy of values", over_sides(4), 0, 0),
        Pass("Quantisation of attention's output", over_sides(3), over_sides(3), over_sides(3)),
        Pass("Gate and its quantisation", over_sides(0, 5), over_sides(0, 5), over_sides(0, 3)),
    ]
