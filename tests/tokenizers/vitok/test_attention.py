"""Windowed attention against an explicit softmax over a dense mask."""

from __future__ import annotations

import math
import weakref

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.predict.meta_memory import trace_memory
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.vitok import attention as module
from vitok_lib.tokenizers.vitok.attention import MASK_LIMIT, Masked, attention
from vitok_lib.tokenizers.vitok.kernel_choice import FixedKernel


def _dense(query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    index = torch.arange(query.shape[2])
    if window is not None:
        scores = scores.masked_fill((index[:, None] - index).abs() > window, -math.inf)
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return weights @ value


def _random(tokens: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(tokens)
    query, key, value = torch.randn(3, 2, 2, tokens, 8, generator=generator, dtype=torch.float64).to(dtype)
    return query, key, value


@pytest.mark.parametrize(
    ("tokens", "window"),
    [
        (1, 0),
        (5, 0),
        (12, 3),
        (12, 10),
        (12, 11),
        (12, 12),
        (12, 500),
        (511, 7),
        (512, 7),
        (513, 0),
        (513, 7),
        (700, 600),
        (1024, 511),
        (1100, 513),
        (1100, None),
    ],
)
def test_windowed_attention_equals_the_dense_mask(tokens: int, window: int | None) -> None:
    query, key, value = _random(tokens)
    difference = (attention(query, key, value, window) - _dense(query, key, value, window)).abs().max().item()
    assert difference < 1e-12, f"maximum difference {difference:.3g}"


def test_windowed_attention_in_float32_is_within_its_rounding() -> None:
    query, key, value = _random(700, torch.float32)
    expected = _dense(query.double(), key.double(), value.double(), 20)
    difference = (attention(query, key, value, 20) - expected).abs().max().item()
    assert difference < 1e-5, f"maximum difference {difference:.3g}"


def test_window_0_gives_each_token_its_own_value() -> None:
    query, key, value = _random(600)
    torch.testing.assert_close(attention(query, key, value, 0), value, atol=1e-14, rtol=0)


@pytest.mark.parametrize("border", [511, 512, 1023, 1024])
def test_a_token_at_the_border_of_a_block_sees_as_far_as_any_other(border: int) -> None:
    query, key, value = _random(1100)
    before = attention(query, key, value, 5)
    value[:, :, border] += 1
    changed = (attention(query, key, value, 5) - before).abs().amax((0, 1, 3)) > 1e-9
    assert changed.nonzero().flatten().tolist() == list(range(border - 5, border + 6))


def test_a_window_as_wide_as_the_image_is_full_attention() -> None:
    image = torch.rand(1, 3, 40, 48, dtype=torch.float64)
    full = load_tokenizer("w32_d2_h2/8x6", weights="random", dtype="float64")
    wide = load_tokenizer("w32_d2_h2/8x6", weights="random", dtype="float64", window=29)
    narrow = load_tokenizer("w32_d2_h2/8x6", weights="random", dtype="float64", window=28)
    assert torch.equal(full.reconstruct(image), wide.reconstruct(image))
    assert not torch.equal(full.reconstruct(image), narrow.reconstruct(image))


@pytest.mark.parametrize("windowed", ["mask", "flex"])
def test_every_kernel_for_a_window_equals_the_dense_mask(windowed: str) -> None:
    query, key, value = _random(700, torch.float32)
    expected = _dense(query.double(), key.double(), value.double(), 200)
    difference = (attention(query, key, value, 200, windowed=windowed) - expected).abs().max().item()
    assert difference < 1e-5, f"maximum difference {difference:.3g}"


def test_a_dense_mask_beyond_what_torch_reads_is_refused() -> None:
    query = torch.empty(1, 2, MASK_LIMIT, 8, dtype=torch.bfloat16, device="meta")
    assert attention(query, query, query, 64, windowed="mask").shape == query.shape
    query = torch.empty(1, 2, MASK_LIMIT + 1, 8, dtype=torch.bfloat16, device="meta")
    with pytest.raises(UnsupportedError, match=r"'mask' takes up to 65,536 tokens.* and these are 65,537"):
        attention(query, query, query, 64, windowed="mask")


def test_a_dense_mask_takes_little_more_memory_than_itself() -> None:
    query = torch.zeros(1, 1, 4096, 8)
    _, cost = trace_memory(lambda: attention(query, query, query, 64, windowed="mask"))
    assert 4096**2 * 4 <= cost.peak_bytes < 1.2 * 4096**2 * 4


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Tokens and window of each dense mask that is made."""
    masks: list[tuple[int, int]] = []
    dense_mask = module._dense_mask

    def counted(tokens: int, window: int, like: Tensor) -> Tensor:
        masks.append((tokens, window))
        return dense_mask(tokens, window, like)

    monkeypatch.setattr(module, "_dense_mask", counted)
    return masks


def test_a_dense_mask_is_made_once_for_all_blocks_and_only_the_last_is_kept(made: list[tuple[int, int]]) -> None:
    kernel = FixedKernel("mask")
    for tokens, window in [(300, 7), (300, 7), (300, 8), (200, 8), (200, 8), (300, 7)]:
        query, key, value = _random(tokens)
        difference = (kernel(query, key, value, window) - _dense(query, key, value, window)).abs().max().item()
        assert difference < 1e-12, f"maximum difference {difference:.3g}"
    assert made == [(300, 7), (300, 8), (200, 8), (300, 7)]
    query, key, value = _random(300, torch.float32)
    kernel(query, key, value, 7)
    assert len(made) == 5


def test_a_dense_mask_goes_with_its_model() -> None:
    kernel = FixedKernel("mask")
    query, key, value = _random(300)
    kernel(query, key, value, 7)
    assert isinstance(kernel._windowed, Masked)
    assert kernel._windowed._mask is not None
    mask = weakref.ref(kernel._windowed._mask)
    del kernel
    assert mask() is None


def test_a_recorded_graph_makes_a_dense_mask_of_its_own(
    made: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = FixedKernel("mask")
    query, key, value = _random(300)
    kernel(query, key, value, 7)
    monkeypatch.setattr(module, "_is_recorded", lambda like: True)
    kernel(query, key, value, 7)
    monkeypatch.setattr(module, "_is_recorded", lambda like: False)
    kernel(query, key, value, 7)
    assert len(made) == 2


def test_a_plan_counts_the_dense_mask_in_encoder_and_decoder() -> None:
    kernel = FixedKernel("mask")
    query = torch.empty(1, 2, 1000, 8, device="meta")
    for _ in range(2):
        _, cost = trace_memory(lambda: kernel(query, query, query, 7))
        assert cost.peak_bytes >= 1000**2 * 4


def test_memory_of_windowed_attention_grows_evenly_with_the_tokens() -> None:
    largest = []
    for tokens in (2048, 4096, 8192):
        query = torch.zeros(1, 1, tokens, 8)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            attention(query, query, query, 64)
        largest.append(sum(max(0, event.self_cpu_memory_usage) for event in profiled.events()))
    assert largest[2] < 2.2 * largest[1] < 2.2 * 2.2 * largest[0]
    assert largest[2] < 8192**2, "bytes of a mask of all pairs, at one byte each"


def test_a_negative_window_is_refused() -> None:
    with pytest.raises(RequestError, match=r"window \(=-1\) must be 0 or more"):
        load_tokenizer("w32_d2_h2/8x6", weights="random", window=-1)
