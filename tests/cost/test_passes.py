"""Bytes of the passes: closed forms, the roofline's own count, and the tensors that the kernels are given."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vitok_lib.cost.flops import vitok_traffic
from vitok_lib.cost.passes import passes
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.fused import blocks
from vitok_lib.tokenizers.vitok.model import Decoder
from vitok_lib.tokenizers.vitok.running import Running, set_up
from vitok_lib.tokenizers.vitok.variant import parse_variant

LARGEST = parse_variant(find("5B-f16x64").architecture)


def test_the_passes_of_the_largest_model_are_those_worked_out_by_hand() -> None:
    # 2¹⁸ tokens of 3,072 values in 44 blocks, 8,208 hidden values: 35.4 · 10⁹ values, 94.7 · 10⁹ hidden ones
    values, hidden = 2**18 * 3072 * 44, 2**18 * 8208 * 44
    found = passes(LARGEST, 8192, 8192)
    assert sum(each.fp8 for each in found) == 29 * values + 5 * hidden
    assert sum(each.fused for each in found) == 18 * values + 5 * hidden
    assert sum(each.least for each in found) == 18 * values + 3 * hidden
    assert all(each.least <= each.fused <= each.fp8 for each in found)


def test_what_must_move_is_what_the_roofline_counts() -> None:
    traffic = vitok_traffic(LARGEST, 8192, 8192, "fp8")
    counted = traffic.encoder.elementwise + traffic.decoder.elementwise
    assert sum(each.least for each in passes(LARGEST, 8192, 8192)) == pytest.approx(counted, rel=1e-3)


def test_the_kernels_are_given_the_tensors_that_the_formula_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device; the first norm of a side adds nothing, and its last residual is not normed."""
    moved: list[int] = []

    def count(*tensors: Tensor | None) -> None:
        moved.append(sum(tensor.numel() * tensor.itemsize for tensor in tensors if tensor is not None))

    monkeypatch.setattr(
        blocks, "residual_norm", lambda x, update, out, scales: count(x, out, *(() if update is None else (update, x)))
    )
    monkeypatch.setattr(blocks, "position", lambda packed, gains, rope, out, first, heads: count(packed, packed))
    monkeypatch.setattr(blocks, "gate", lambda seen, hidden, out, scales: count(seen, hidden, out))
    monkeypatch.setattr("vitok_lib.tokenizers.vitok.running.check_fused", lambda device, dtype: None)
    variant = parse_variant("w64_d3_h2/8x16").truncated("0/3")
    with torch.device("meta"):
        decoder = Decoder(variant).to(torch.bfloat16)
    set_up([decoder], Running("cpu", "bfloat16", precision="fp8", fused=True, chunk=5))
    with torch.no_grad():
        decoder(torch.empty(1, 3, 5, 16, device="meta", dtype=torch.bfloat16))
    ends = 15 * 64 * (7 - 3)  # of 15 tokens; the sum after the last block is torch's own
    assert sum(moved) == sum(each.fused for each in passes(variant, 24, 40)) - ends
