"""The Triton kernels: each reads its rows from memory once, or again from a cache, and writes what the next step reads.

A program takes one row, which is one token. A row's number counts in 64 bits, since a row times its stride passes 2³¹
in a large image. Arithmetic is float32; a value is rounded once, to the dtype of the tensor that it is written to.
With ``FP8`` a row is divided by its largest magnitude over 448 (E4M3, Micikevicius et al. 2022), which is its scale. No
value is clamped: none is above 448 by more than a rounding, and a NaN must stay one.
"""

from __future__ import annotations

import triton
import triton.language as tl

LARGEST = tl.constexpr(448.0)
LEAST_SCALE = tl.constexpr(1e-12)  # of a row of zeros


@triton.jit
def residual_norm(
    x: tl.tensor,
    update: tl.tensor,
    out: tl.tensor,
    scales: tl.tensor,
    x_stride: tl.tensor,
    update_stride: tl.tensor,
    out_stride: tl.tensor,
    epsilon: tl.tensor,
    WIDTH: tl.constexpr,
    UPDATED: tl.constexpr,
    FP8: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """x += update where ``UPDATED``; out = x / rms(x), whose gain is in the matrix that follows. BLOCK ≥ WIDTH."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < WIDTH
    values = tl.load(x + row * x_stride + columns, mask=inside, other=0.0).to(tl.float32)
    if UPDATED:
        values += tl.load(update + row * update_stride + columns, mask=inside, other=0.0).to(tl.float32)
        kept = values.to(x.dtype.element_ty)
        tl.store(x + row * x_stride + columns, kept, mask=inside)
        values = kept.to(tl.float32)
    values = values * tl.rsqrt(tl.sum(values * values, axis=0) / WIDTH + epsilon)
    if FP8:
        scale = tl.maximum(tl.max(tl.abs(values), axis=0) / LARGEST, LEAST_SCALE)
        tl.store(scales + row, scale)
        values = values / scale
    tl.store(out + row * out_stride + columns, values.to(out.dtype.element_ty), mask=inside)


@triton.jit
def position(
    packed: tl.tensor,
    gains: tl.tensor,
    cosines: tl.tensor,
    sines: tl.tensor,
    out: tl.tensor,
    first: tl.tensor,
    tokens: tl.tensor,
    packed_stride: tl.tensor,
    part_stride: tl.tensor,
    epsilon: tl.tensor,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    HEADS_BLOCK: tl.constexpr,
    SIZE_BLOCK: tl.constexpr,
) -> None:
    """Queries (part 0) and keys (part 1) of a row: RMS norm of each head with its gain, then the rotation of its pairs.

    ``packed`` ``[rows, 2·HEADS·SIZE]``, ``gains`` ``[2, SIZE]``, ``cosines`` and ``sines`` ``[tokens, SIZE/2]``,
    ``out`` ``[2, all rows, HEADS·SIZE]``: row 0 of ``packed`` is its row ``first``. Blocks are powers of two.
    """
    row = tl.program_id(0).to(tl.int64)
    part = tl.program_id(1)
    lanes = tl.arange(0, SIZE_BLOCK)
    within = tl.arange(0, HEADS_BLOCK)[:, None] * SIZE + lanes[None, :]
    inside = (tl.arange(0, HEADS_BLOCK)[:, None] < HEADS) & (lanes[None, :] < SIZE)
    values = tl.load(packed + row * packed_stride + part * HEADS * SIZE + within, mask=inside, other=0.0)
    values = values.to(tl.float32)
    gain = tl.load(gains + part * SIZE + lanes, mask=lanes < SIZE, other=0.0).to(tl.float32)
    values = values * tl.rsqrt(tl.sum(values * values, axis=1) / SIZE + epsilon)[:, None] * gain[None, :]

    pairs = tl.arange(0, SIZE_BLOCK // 2)
    angle = ((first + row) % tokens) * (SIZE // 2) + pairs
    cos = tl.load(cosines + angle, mask=pairs < SIZE // 2, other=0.0)[None, :]
    sin = tl.load(sines + angle, mask=pairs < SIZE // 2, other=0.0)[None, :]
    even, odd = tl.split(tl.reshape(values, (HEADS_BLOCK, SIZE_BLOCK // 2, 2)))
    turned = tl.reshape(tl.join(even * cos - odd * sin, even * sin + odd * cos), (HEADS_BLOCK, SIZE_BLOCK))
    place = part * part_stride + (first + row) * HEADS * SIZE
    tl.store(out + place + within, turned.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _gated(content: tl.tensor, gate: tl.tensor) -> tl.tensor:
    gate = gate.to(tl.float32)
    return content.to(tl.float32) * gate / (1.0 + tl.exp(-gate))


@triton.jit
def gate(
    seen: tl.tensor,
    hidden: tl.tensor,
    out: tl.tensor,
    scales: tl.tensor,
    seen_stride: tl.tensor,
    hidden_stride: tl.tensor,
    out_stride: tl.tensor,
    WIDTH: tl.constexpr,
    INNER: tl.constexpr,
    FP8: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """out = [seen ‖ content · SiLU(gate)], with one scale for both: what one matrix product then takes.

    ``seen`` ``[rows, WIDTH]`` is attention's output, ``hidden`` ``[rows, 2·INNER]`` the content and then the gate.
    With ``FP8`` the row is read twice, for its scale and for its values.
    """
    row = tl.program_id(0).to(tl.int64)
    seen += row * seen_stride
    hidden += row * hidden_stride
    out += row * out_stride
    columns = tl.arange(0, BLOCK)
    scale = 1.0
    if FP8:
        largest = tl.zeros([BLOCK], tl.float32)
        for start in range(0, WIDTH, BLOCK):
            inside = start + columns < WIDTH
            values = tl.load(seen + start + columns, mask=inside, other=0.0).to(tl.float32)
            largest = tl.maximum(largest, tl.abs(values))
        for start in range(0, INNER, BLOCK):
            inside = start + columns < INNER
            content = tl.load(hidden + start + columns, mask=inside, other=0.0)
            values = _gated(content, tl.load(hidden + INNER + start + columns, mask=inside, other=0.0))
            largest = tl.maximum(largest, tl.abs(values))
        scale = tl.maximum(tl.max(largest, axis=0) / LARGEST, LEAST_SCALE)
        tl.store(scales + row, scale)
    for start in range(0, WIDTH, BLOCK):
        inside = start + columns < WIDTH
        values = tl.load(seen + start + columns, mask=inside, other=0.0).to(tl.float32) / scale
        tl.store(out + start + columns, values.to(out.dtype.element_ty), mask=inside)
    for start in range(0, INNER, BLOCK):
        inside = start + columns < INNER
        content = tl.load(hidden + start + columns, mask=inside, other=0.0)
        values = _gated(content, tl.load(hidden + INNER + start + columns, mask=inside, other=0.0)) / scale
        tl.store(out + WIDTH + start + columns, values.to(out.dtype.element_ty), mask=inside)
