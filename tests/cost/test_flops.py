"""Operations by formula: the arithmetic of the published architecture, brute force, and torch's own counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from vitok_lib.cost.flops import SCHEMES, attention_pairs, block_matrices, vitok_flops, vitok_traffic
from vitok_lib.errors import RequestError
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.checkpoint import empty_modules
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

# Arithmetic from the architecture, worked out apart from this code and rounded to three digits, in 10¹² operations an
# image: linear work of encoder and decoder as 2 · parameters · tokens, attention of both as 4 · width · depth · pairs,
# for full attention and windows of 64, 256, 512 and 1024 tokens.
TABLE = {
    ("5B-f16x64", 1024): (3.74, 37.2, 9.07, 0.283, 1.1, 2.13, 3.97),
    ("5B-f16x64", 2048): (14.9, 149, 145, 1.14, 4.51, 8.94, 17.6),
    ("5B-f16x64", 4096): (59.8, 595, 2322, 4.57, 18.1, 36.2, 72),
    ("5B-f16x64", 8192): (239, 2379, 37155, 18.3, 72.7, 145, 290),
    ("5B-f32x64", 1024): (0.949, 9.31, 0.567, 0.0692, 0.248, 0.425, 0.567),
    ("5B-f32x64", 4096): (15.2, 149, 145, 1.14, 4.51, 8.94, 17.6),
    ("5B-f32x64", 8192): (60.7, 596, 2322, 4.57, 18.1, 36.2, 72),
    ("350M-f16x64", 1024): (0.42, 2.48, 1.92, 0.0601, 0.233, 0.451, 0.842),
    ("350M-f16x64", 4096): (6.72, 39.7, 493, 0.969, 3.85, 7.67, 15.3),
    ("350M-f16x64", 8192): (26.9, 159, 7881, 3.88, 15.4, 30.8, 61.5),
}
WINDOWS = (None, 64, 256, 512, 1024)
ROUNDING = 0.0051  # relative, of three digits
TERA = 1e12


def _variant(name: str) -> Variant:
    return parse_variant(find(name).architecture)


@pytest.mark.parametrize(("name", "resolution"), TABLE)
def test_work_is_the_arithmetic_of_the_architecture(name: str, resolution: int) -> None:
    encoder, decoder, *attention = TABLE[name, resolution]
    for window, expected in zip(WINDOWS, attention, strict=True):
        work = vitok_flops(_variant(name), resolution, resolution, window)
        assert work.encoder.linear / TERA == pytest.approx(encoder, rel=ROUNDING)
        assert work.decoder.linear / TERA == pytest.approx(decoder, rel=ROUNDING)
        assert (work.encoder.attention + work.decoder.attention) / TERA == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize(
    ("text", "height", "width", "batch"),
    [("w32_d2_h2-w16_d3_h1/8x6", 41, 50, 1), ("w32_d2_h2/8x6", 64, 64, 3), ("Td4-T/1x16x64", 64, 96, 1)],
)
def test_work_is_what_torch_counts(text: str, height: int, width: int, batch: int) -> None:
    variant = parse_variant(text)
    modules = empty_modules(variant)
    work = vitok_flops(variant, height, width, batch=batch)
    images = torch.empty(batch, 3, height, width, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as encoding:
        latent = modules["encoder"](images)
    with torch.no_grad(), FlopCounterMode(display=False) as decoding:
        modules["decoder"](latent)
    assert work.encoder.total == encoding.get_total_flops()
    assert work.decoder.total == decoding.get_total_flops()
    assert work.total == work.encoder.total + work.decoder.total


@pytest.mark.parametrize("tokens", [1, 2, 7, 12])
def test_pairs_are_those_within_the_window(tokens: int) -> None:
    for window in range(tokens + 2):
        pairs = sum(abs(i - j) <= window for i in range(tokens) for j in range(tokens))
        assert attention_pairs(tokens, window) == pairs
    assert attention_pairs(tokens, None) == tokens**2


# In 10⁹ bytes an image, worked out apart from this code: 26 bytes for each of the N · width values of a block, and the
# 8-bit weights of all blocks once.
@pytest.mark.parametrize(
    ("name", "resolution", "gigabytes"),
    [
        ("5B-f16x64", 1024, 19.4),
        ("5B-f16x64", 8192, 926),
        ("5B-f32x64", 1024, 8.61),
        ("5B-f32x64", 8192, 235),
        ("350M-f16x64", 1024, 3.41),
        ("350M-f16x64", 8192, 196),
    ],
)
def test_passes_and_weights_in_8_bits_are_those_worked_out_apart(name: str, resolution: int, gigabytes: float) -> None:
    variant = _variant(name)
    traffic = vitok_traffic(variant, resolution, resolution, "fp8")
    weights = sum(side.depth * block_matrices(variant, side) for side in (variant.encoder, variant.decoder))
    passes = traffic.encoder.elementwise + traffic.decoder.elementwise
    assert (passes + weights) / 1e9 == pytest.approx(gigabytes, rel=ROUNDING)


class _Moved(TorchDispatchMode):
    """Bytes of matrices into and out of matrix products."""

    bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm):
            self.bytes += sum(tensor.nbytes for tensor in (*args, out) if tensor.ndim == 2)
        return out


@pytest.mark.parametrize(("height", "width", "batch"), [(41, 50, 1), (64, 64, 3)])
def test_traffic_of_matrices_is_what_their_products_read_and_write(height: int, width: int, batch: int) -> None:
    variant = parse_variant("w32_d2_h2-w16_d3_h1/8x6")
    encoder, decoder = (module.bfloat16() for module in empty_modules(variant).values())
    traffic = vitok_traffic(variant, height, width, "eager", batch)
    images = torch.empty(batch, 3, height, width, device="meta", dtype=torch.bfloat16)
    with torch.no_grad(), _Moved() as encoding:  # type: ignore[no-untyped-call]
        latent = encoder(images)
    with torch.no_grad(), _Moved() as decoding:  # type: ignore[no-untyped-call]
        decoder(latent)
    assert (traffic.encoder.linear, traffic.decoder.linear) == (encoding.bytes, decoding.bytes)
    tokens = variant.tokens(height, width)
    assert traffic.encoder.attention == 2 * 4 * 2 * batch * tokens * 32  # 2 blocks, 4 tensors, 2 bytes
    assert traffic.total == traffic.encoder.total + traffic.decoder.total


def test_a_scheme_that_fuses_more_moves_less() -> None:
    totals = [vitok_traffic(_variant("350M-f16x64"), 512, 512, scheme).total for scheme in SCHEMES]
    assert totals == sorted(totals, reverse=True)
    assert len(set(totals)) == len(SCHEMES)


def test_an_unknown_scheme_is_refused_with_the_nearest() -> None:
    with pytest.raises(RequestError, match="unknown scheme of traffic 'fp16'; did you mean fp8"):
        vitok_traffic(_variant("350M-f16x64"), 512, 512, "fp16")
