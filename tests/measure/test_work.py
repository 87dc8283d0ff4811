"""Operations by formula: the arithmetic of the published architecture, brute force, and torch's own counter."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vitok_lib.measure.work import attention_pairs, vitok_work
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
        work = vitok_work(_variant(name), resolution, resolution, window)
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
    work = vitok_work(variant, height, width, batch=batch)
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
