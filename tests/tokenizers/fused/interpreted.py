"""The kernels in Triton's interpreter against float64, and whole models that run by them.

``test_fused.py`` runs this file in a process of its own, since TRITON_INTERPRET is read when a kernel is defined.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from triton.runtime import interpreter

from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok.fused import launch
from vitok_lib.tokenizers.vitok.model import EPSILON, rope_table, rotate
from vitok_lib.tokenizers.vitok.precision import FLOAT8

ROWS, WIDTH, INNER = 3, 37, 45
HEADS, SIZE, TOKENS = 3, 12, 5
STEP = 2.0**-4  # half of the distance between neighbours, over the value: 3 bits of mantissa
ROUNDING = {torch.float32: 1e-6, torch.bfloat16: 2.0**-8, FLOAT8: STEP}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp8e4nv": FLOAT8}
_BITS = {1: (np.uint8, torch.uint8), 2: (np.uint16, torch.uint16), 4: (np.uint32, torch.uint32)}


@pytest.fixture(autouse=True)
def _rounded_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter of Triton 3.6 to 3.9 loses the carry of a mantissa that rounds up; a GPU rounds as torch does."""

    def convert(values: np.ndarray, given: Any, wanted: Any, mode: object) -> np.ndarray:
        source, target = _DTYPES[str(given)], _DTYPES[str(wanted)]
        bits = torch.from_numpy(np.ascontiguousarray(values).view(_BITS[source.itemsize][0]))
        return bits.view(source).to(target).view(_BITS[target.itemsize][1]).numpy()

    monkeypatch.setattr(interpreter, "_convert_float", convert)


def _random(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def _agree(found: Tensor, exact: Tensor, scales: Tensor) -> None:
    """``found`` is ``exact`` rounded to its dtype, and in 8 bits over a scale that makes the largest of a row 448."""
    scale = torch.ones(len(exact), 1, dtype=torch.float64)
    if found.dtype == FLOAT8:
        scale = exact.abs().amax(1, keepdim=True) / 448
        torch.testing.assert_close(scales.double(), scale, rtol=1e-6, atol=0)
    least = 2.0**-10 if found.dtype == FLOAT8 else 1e-7  # half of the smallest 8-bit float
    wrong = (found.double() * scale - exact).abs() - exact.abs() * ROUNDING[found.dtype] * 1.001 - least * scale
    assert wrong.max() <= 0, f"off by {float(wrong.max()):.3g} more than rounding"


def _normed(x: Tensor) -> Tensor:
    return F.rms_norm(x.double(), x.shape[-1:], eps=EPSILON)


@pytest.mark.parametrize("updated", [False, True])
@pytest.mark.parametrize(
    ("dtype", "into"), [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.bfloat16, FLOAT8)]
)
def test_residual_and_norm(dtype: torch.dtype, into: torch.dtype, updated: bool) -> None:
    x = _random(ROWS, WIDTH + 3, dtype=dtype)[:, :WIDTH]  # rows that lie apart
    x[0, 5] = 300.0
    update = _random(ROWS, WIDTH, dtype=dtype, seed=1) if updated else None
    summed = x if update is None else (x.float() + update.float()).to(dtype)
    out, scales = torch.empty(ROWS, WIDTH, dtype=into), torch.empty(ROWS, 1)
    launch.residual_norm(x, update, out, scales)
    torch.testing.assert_close(x, summed, rtol=0, atol=0)
    _agree(out, _normed(summed), scales)


@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")  # of numpy, which interprets
def test_a_row_of_zeros_stays_zero_and_no_nan_is_lost() -> None:
    x = torch.zeros(2, WIDTH)
    x[1, 3] = torch.nan
    out, scales = torch.empty(2, WIDTH, dtype=FLOAT8), torch.empty(2, 1)
    launch.residual_norm(x, None, out, scales)
    assert (out[0].float() == 0).all()
    assert out[1].float().isnan().all()
    hidden = torch.ones(2, 2 * INNER)
    hidden[1, 2] = torch.nan
    out = torch.empty(2, WIDTH + INNER, dtype=FLOAT8)
    launch.gate(torch.ones(2, WIDTH), hidden, out, scales)
    assert out.float().isnan().nonzero().tolist() == [[1, WIDTH + 2]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_queries_and_keys_are_normed_and_rotated_where_attention_reads_them(dtype: torch.dtype) -> None:
    first, width = 3, HEADS * SIZE  # rows 3 to 5 of two images of five tokens
    packed, gains = _random(ROWS, 2 * width, dtype=dtype), _random(2, SIZE, dtype=dtype, seed=1)
    rope = rope_table(1, TOKENS, SIZE, like=packed)
    out = torch.full((2, 2 * TOKENS, width), 7.0, dtype=dtype)
    launch.position(packed, gains, rope, out, first, HEADS)
    exact_rope = rope_table(1, TOKENS, SIZE, like=packed.double())[:, [3, 4, 0]]
    for part, gain in enumerate(gains.double()):
        heads = packed[:, part * width : (part + 1) * width].unflatten(1, (HEADS, SIZE))
        exact = rotate((_normed(heads) * gain)[None], exact_rope)[0].flatten(1)
        _agree(out[part, first : first + ROWS], exact, torch.ones(ROWS, 1))
        out[part, first : first + ROWS] = 7
    assert (out == 7).all(), "no other row is touched"


@pytest.mark.parametrize("block", [16, 2048])
@pytest.mark.parametrize("into", [torch.bfloat16, FLOAT8])
def test_gate_beside_what_attention_saw(into: torch.dtype, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_GATE_BLOCK", block)
    seen = _random(ROWS, WIDTH, dtype=torch.bfloat16)
    hidden = 4 * _random(ROWS, 2 * INNER, dtype=torch.bfloat16, seed=1)
    seen[1] *= 1000  # the larger of both decides the scale
    out, scales = torch.empty(ROWS, WIDTH + INNER, dtype=into), torch.empty(ROWS, 1)
    launch.gate(seen, hidden, out, scales)
    content, gate = hidden.double().chunk(2, dim=1)
    _agree(out, torch.cat([seen.double(), F.silu(gate) * content], dim=1), scales)


@pytest.fixture
def apart(tmp_path: Path) -> Tensor:
    """More than 2³¹ values on disk, of which only what is written takes space."""
    return torch.from_file(str(tmp_path / "values"), shared=True, size=2**31 + 4096, dtype=torch.bfloat16)


def test_offsets_beyond_32_bits(apart: Tensor) -> None:
    stride, scales = 2**30, torch.empty(ROWS, 1)  # row 2 starts at 2³¹

    def rows(start: int, width: int) -> Tensor:
        return apart[start:].as_strided((ROWS, width), (stride, 1))

    x, update, out = rows(0, WIDTH), rows(100, WIDTH), rows(200, WIDTH)
    x.copy_(_random(ROWS, WIDTH))
    update.copy_(_random(ROWS, WIDTH, seed=1))
    exact = _normed((x.float() + update.float()).bfloat16())
    launch.residual_norm(x, update, out, scales)
    _agree(out, exact, scales)

    hidden, both = rows(300, 2 * INNER), rows(500, WIDTH + INNER)
    hidden.copy_(_random(ROWS, 2 * INNER, seed=2))
    launch.gate(out, hidden, both, scales)
    content, gate = hidden.double().chunk(2, dim=1)
    _agree(both, torch.cat([out.double(), F.silu(gate) * content], dim=1), scales)

    width = HEADS * SIZE
    packed = apart[700:].as_strided((ROWS, 2 * width), (stride, 1))
    packed.copy_(_random(ROWS, 2 * width, seed=3))
    rope, gains = rope_table(1, TOKENS, SIZE, like=out), torch.ones(2, SIZE)
    expected = torch.empty(2, ROWS, width, dtype=torch.bfloat16)
    launch.position(packed.clone(), gains, rope, expected, 0, HEADS)
    keys_far = apart[900:].as_strided((2, ROWS, width), (2**31, width, 1))
    launch.position(packed, gains, rope, keys_far, 0, HEADS)
    torch.testing.assert_close(keys_far, expected, rtol=0, atol=0)
    first = (2**31 // (width * TOKENS) + 1) * TOKENS  # of the first token of an image
    tokens_far = apart.as_strided((2, first + ROWS, width), (ROWS * width, width, 1))
    launch.position(packed, gains, rope, tokens_far, first, HEADS)
    torch.testing.assert_close(tokens_far[:, first:], expected, rtol=0, atol=0)


VARIANT = "w32_d1_h2-w32_d2_h2/8x16"
IMAGES = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
"""Two images of 2 × 2 tokens."""


def _error(**settings: Any) -> float:
    """The relative root mean square error of a reconstruction against the published maths in float64."""
    exact = load_tokenizer(VARIANT, weights="random", dtype="float64", window=2).reconstruct(IMAGES)
    found = load_tokenizer(VARIANT, weights="random", window=2, **settings).reconstruct(IMAGES)
    return float((found.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        ({"chunk": 3}, 2e-6),
        ({"dtype": "bfloat16"}, 2e-2),
        ({"dtype": "bfloat16", "precision": "fp8", "chunk": 3}, 6e-2),
    ],
    ids=str,
)
def test_a_model_of_fused_blocks_gives_the_same_to_its_rounding(settings: dict[str, Any], tolerance: float) -> None:
    error = _error(fused=True, **settings)
    assert error < tolerance, f"relative error {error:.3g}"
