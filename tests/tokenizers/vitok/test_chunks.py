"""Cutting work on single tokens into chunks changes no value, no gradient, and leaves what it is given as it was."""

from __future__ import annotations

import pytest
import torch

from vitok_lib.measure.predict.meta_memory import trace_memory
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok import chunks
from vitok_lib.tokenizers.vitok.attention import attention
from vitok_lib.tokenizers.vitok.model import Decoder, Encoder, rope_table
from vitok_lib.tokenizers.vitok.variant import parse_variant

VARIANT = "w32_d2_h2/8x6"


def _load(window: int | None = None) -> Tokenizer:
    return load_tokenizer(VARIANT, weights="random", dtype="float64", window=window)


@pytest.mark.parametrize("size", [1, 3, 7, 10, 11])
@pytest.mark.parametrize("batch", [1, 3])
def test_chunks_that_do_not_divide_the_tokens_give_each_token_its_own_value(
    size: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "TOKENS", size)
    x, y = torch.rand(batch, 10, 2), torch.rand(1, 10, 2)
    with torch.no_grad():
        assert torch.equal(chunks.in_chunks(lambda x, y: x + 2 * y, x, y), x + 2 * y)


@pytest.mark.parametrize("size", [1, 5, 31, 64])
@pytest.mark.parametrize("window", [None, 4])
def test_an_image_in_chunks_is_the_image_at_once(
    size: int, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.rand(2, 3, 59, 70, dtype=torch.float64) * 2 - 1  # 8 × 9 tokens, with padding
    tokenizer = _load(window)
    latent, whole = tokenizer.encode(images), tokenizer.reconstruct(images)
    monkeypatch.setattr(chunks, "TOKENS", size)
    torch.testing.assert_close(tokenizer.encode(images).values, latent.values, atol=1e-12, rtol=0)
    torch.testing.assert_close(tokenizer.reconstruct(images), whole, atol=1e-12, rtol=0)


def test_chunks_keep_the_hidden_layer_and_the_queries_from_ever_being_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = load_tokenizer("w64_d2_h2/8x6", weights="random")
    images = torch.rand(1, 3, 512, 512)
    one_width = 64 * 64 * 64 * 4  # bytes of N × C
    _, at_once = trace_memory(lambda: tokenizer.encode(images))
    monkeypatch.setattr(chunks, "TOKENS", 128)
    _, in_chunks = trace_memory(lambda: tokenizer.encode(images))
    assert at_once.peak_bytes > 11 * one_width, "the stream, h, attention, fc1 twice 2.67 and its gated half"
    assert in_chunks.peak_bytes < 7.5 * one_width, "the stream, h, q, k, v, attention's output; angles and chunks"


def test_images_do_not_change_when_they_are_encoded_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "TOKENS", 5)
    images = torch.rand(1, 3, 40, 48, dtype=torch.float64)
    before = images.clone()
    latent = _load().encode(images)
    values = latent.values.clone()
    _load().decode(latent)
    assert torch.equal(images, before)
    assert torch.equal(latent.values, values)


@pytest.mark.parametrize("window", [None, 4])
def test_gradients_are_the_same_in_chunks(window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    variant = parse_variant(VARIANT)
    encoder, decoder = Encoder(variant).double(), Decoder(variant).double()
    images = torch.rand(1, 3, 40, 48, dtype=torch.float64)

    def gradients() -> list[torch.Tensor]:
        encoder.zero_grad(), decoder.zero_grad()
        decoder(encoder(images, window), window).square().sum().backward()
        return [parameter.grad.clone() for module in (encoder, decoder) for parameter in module.parameters()]

    whole = gradients()
    monkeypatch.setattr(chunks, "TOKENS", 7)
    assert all(gradient.abs().max() > 0 for gradient in whole)
    torch.testing.assert_close(gradients(), whole, atol=1e-10, rtol=1e-10)


def test_windowed_attention_has_the_gradient_of_the_dense_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    leaves = torch.randn(3, 1, 2, 1100, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    index = torch.arange(1100)
    hidden = (index[:, None] - index).abs() > 20
    scores = (leaves[0] @ leaves[1].transpose(-1, -2) / 2).masked_fill(hidden, -torch.inf)
    (expected,) = torch.autograd.grad((scores.softmax(-1) @ leaves[2]).square().sum(), leaves)
    (found,) = torch.autograd.grad(attention(*leaves.unbind(), 20).square().sum(), leaves)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_the_angles_of_a_position_are_its_row_and_column_times_the_frequencies() -> None:
    cos, sin = rope_table(3, 5, 8, like=torch.empty(0, dtype=torch.float64))
    frequencies = 10000.0 ** (-torch.arange(2, dtype=torch.float64) / 2)
    for row in range(3):
        for column in range(5):
            angles = torch.cat([row * frequencies, column * frequencies])
            torch.testing.assert_close(cos[5 * row + column], angles.cos(), atol=1e-15, rtol=0)
            torch.testing.assert_close(sin[5 * row + column], angles.sin(), atol=1e-15, rtol=0)
