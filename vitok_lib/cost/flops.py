"""FLOPs and memory traffic of a ViTok, by formula from its variant; a multiply-add counts as 2 FLOPs.

Only matrix products count: norms, rotations and activations are below a percent of them. Nothing here
needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from vitok_lib.errors import unknown
from vitok_lib.records.config import square_radius
from vitok_lib.tokenizers.vitok.variant import Side, Variant


@dataclass(frozen=True)
class SideFlops:
    """FLOPs of the encoder or of the decoder: in matrices of weights, and in attention's two products."""

    linear: int
    attention: int

    @property
    def total(self) -> int:
        return self.linear + self.attention


@dataclass(frozen=True)
class Flops:
    encoder: SideFlops
    decoder: SideFlops

    @property
    def total(self) -> int:
        return self.encoder.total + self.decoder.total


@dataclass(frozen=True)
class SideTraffic:
    """Bytes of the encoder or of the decoder that go through memory.

    ``linear``: each matrix once, what goes into it and what comes out; ``attention``: queries, keys and values read
    once and the output written; ``elementwise``: the passes between these.
    """

    linear: int
    attention: int
    elementwise: int

    @property
    def total(self) -> int:
        return self.linear + self.attention + self.elementwise


@dataclass(frozen=True)
class Traffic:
    encoder: SideTraffic
    decoder: SideTraffic

    @property
    def total(self) -> int:
        return self.encoder.total + self.decoder.total


@dataclass(frozen=True)
class Scheme:
    """How a block runs: bytes of each value in and into its matrices (all else has 16 bits), how many of the two
    halves of the gated MLP's hidden values are written, and bytes of the passes between for each of N·width values.
    """

    input: int
    halves: int
    passes: int


SCHEMES = {"eager": Scheme(2, 2, 144), "compiled": Scheme(2, 2, 36), "fp8": Scheme(1, 1, 26)}
"""Ways to run a block, in 16 bits where not said otherwise.

``eager``: each operation of the published block reads and writes by itself, but RMS norms are one kernel;
``compiled``: residual and norm, norm and rotation of queries and keys, and the gate are one loop each; ``fp8``:
residual, norm and quantisation (7), norm and rotation of queries and keys (8), quantisation of attention's output (3)
and of the gated hidden values (8), with the gate computed where its matrix product ends.
"""


def vitok_flops(variant: Variant, height: int, width: int, window: int | str | None = None, batch: int = 1) -> Flops:
    """FLOPs that encode and decode ``batch`` images of ``height`` × ``width`` pixels.

    Attention is counted over the pairs that the window lets see each other, whatever more a kernel computes.
    """
    tokens = variant.tokens(height, width)
    pairs = window_pairs(-(-height // variant.patch), -(-width // variant.patch), window)

    def side_flops(side: Side, ends: int) -> SideFlops:
        return SideFlops(
            linear=2 * batch * tokens * (side.depth * block_matrices(variant, side) + ends),
            attention=4 * batch * side.depth * side.width * pairs,
        )

    return Flops(
        encoder=side_flops(variant.encoder, _end_matrices(variant, variant.encoder)),
        decoder=side_flops(variant.decoder, _end_matrices(variant, variant.decoder)),
    )


def vitok_traffic(variant: Variant, height: int, width: int, scheme: str, batch: int = 1) -> Traffic:
    """Least bytes through memory of encoding and decoding ``batch`` images, as ``scheme`` of :data:`SCHEMES` has it.

    A window takes nothing off: every query, key and value is read.

    Raises:
        RequestError: the scheme is none.
    """
    if scheme not in SCHEMES:
        raise unknown("scheme of traffic", scheme, SCHEMES)
    each, values = SCHEMES[scheme], batch * variant.tokens(height, width)

    def side_traffic(side: Side) -> SideTraffic:
        hidden = variant.hidden(side)
        inputs = 3 * side.width + hidden  # of a token: the norm twice, attention's output, the gated hidden values
        outputs = 5 * side.width + each.halves * hidden
        block = block_matrices(variant, side) * each.input + values * (inputs * each.input + outputs * 2)
        ends = _end_matrices(variant, side) + values * (2 * side.width + variant.patch_values + variant.channels)
        return SideTraffic(
            linear=side.depth * block + 2 * ends,
            attention=side.depth * 4 * values * side.width * 2,
            elementwise=side.depth * values * side.width * each.passes,
        )

    return Traffic(side_traffic(variant.encoder), side_traffic(variant.decoder))


def block_matrices(variant: Variant, side: Side) -> int:
    """Entries of a block's matrices: four of attention, three of the gated MLP."""
    return 4 * side.width**2 + 3 * side.width * variant.hidden(side)


def attention_pairs(tokens: int, window: int | None) -> int:
    """Pairs (i, j) of N tokens with |i − j| ≤ r: N(2r + 1) − r(r + 1), or N² without a window."""
    if window is None or window >= tokens - 1:
        return tokens**2
    return tokens * (2 * window + 1) - window * (window + 1)


def window_pairs(rows: int, columns: int, window: int | str | None) -> int:
    """Pairs of a grid's tokens within a window; of a square, those of the rows times those of the columns."""
    radius = square_radius(window)
    if radius is not None:
        return attention_pairs(rows, radius) * attention_pairs(columns, radius)
    assert not isinstance(window, str)
    return attention_pairs(rows * columns, window)


def raster_radius(window: int | str) -> int:
    """The radius in raster order at which a token sees as many others: (2r + 1)² = 2R + 1, so that R = 2r(r + 1)."""
    radius = square_radius(window)
    if radius is not None:
        return 2 * radius * (radius + 1)
    assert not isinstance(window, str)
    return window


def _end_matrices(variant: Variant, side: Side) -> int:
    """Entries of the matrices between pixels, blocks and latent."""
    return side.width * (variant.patch_values + variant.channels)
