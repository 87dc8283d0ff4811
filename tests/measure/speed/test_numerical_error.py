"""Numerical error: its closed form, and what exact arithmetic is."""

from __future__ import annotations

import math

import pytest
import torch

from vitok_lib.measure.speed.numerical_error import (
    exact_config,
    exact_reconstruction,
    last_row,
    relative_error,
    small_image,
    small_size,
)
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.load import load, load_tokenizer
from vitok_lib.tokenizers.vitok.variant import parse_variant

NAME = "w32_d2_h2/8x6"
CONFIG = RunConfig(name=NAME, weights="random", dtype="bfloat16", window=20, seed=3, folded=True)


def test_the_error_is_relative_to_what_is_exact() -> None:
    exact = torch.full((1, 3, 4, 5), 2.0)
    assert relative_error(exact, exact) == 0
    assert relative_error(exact * 1.25, exact) == pytest.approx(0.25)
    found = exact.clone()
    found[0, 0, 0, 0] += 6
    assert relative_error(found, exact) == pytest.approx(6 / (2 * math.sqrt(60)))


def test_the_error_keeps_what_float32_would_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = torch.randn(1000, dtype=torch.float64)
    assert relative_error(exact * (1 + 1e-12), exact) == pytest.approx(1e-12, rel=1e-3)


def test_the_error_is_the_same_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    found, exact = torch.randn(2, 3, 17, 11)
    whole = relative_error(found, exact)
    monkeypatch.setattr("vitok_lib.measure.speed.numerical_error._STRIP_VALUES", 7)
    assert relative_error(found, exact) == pytest.approx(whole, rel=1e-12)


def test_an_error_from_nothing() -> None:
    zeros = torch.zeros(4)
    assert relative_error(zeros, zeros) == 0
    assert relative_error(zeros + 1, zeros) == 1


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_the_small_image_is_ragged(device: str, stride: int) -> None:
    height, width = small_size(stride, device)
    tokens = parse_variant(f"w32_d1_h2/{stride}x6").tokens(height, width)
    assert height != width
    assert height % stride
    assert width % stride
    assert all(tokens % chunk for chunk in range(2, 13))
    if device == "cuda":
        assert tokens > 2 * 1024  # so that a window of 1024 tokens leaves something out


def test_the_last_row_is_what_the_last_tokens_hold() -> None:
    images = torch.arange(20.0).reshape(1, 1, 20, 1)
    assert last_row(images, 8).flatten().tolist() == [16, 17, 18, 19]
    assert last_row(images[:, :, :16], 8).flatten().tolist() == list(range(8, 16))


def test_exact_arithmetic_is_in_float64_with_the_same_weights() -> None:
    image = small_image(8, "cpu")
    exact = exact_reconstruction(exact_config(CONFIG, "cpu"), image)
    assert exact.dtype == torch.float64
    assert exact.shape == image.shape
    other = load_tokenizer(NAME, weights="random", window=20, seed=3, dtype="float32")
    assert 0 < relative_error(other.reconstruct(image), exact) < 2e-6
    rounded = load(CONFIG)
    assert 1e-3 < relative_error(rounded.reconstruct(image), exact) < 0.1


def test_exact_arithmetic_keeps_window_and_seed() -> None:
    image = small_image(8, "cpu")
    exact = exact_reconstruction(exact_config(CONFIG, "cpu"), image)
    for change in ({"window": None}, {"seed": 4}):
        other = exact_reconstruction(exact_config(CONFIG.replace(**change), "cpu"), image)
        assert relative_error(other, exact) > 1e-3


def test_exact_arithmetic_of_an_autoencoder() -> None:
    image = small_image(8, "cpu")
    exact = exact_reconstruction(exact_config(RunConfig(name="nano-kl-f8x16", dtype="bfloat16"), "cpu"), image)
    expected = load_tokenizer("nano-kl-f8x16", dtype="float64").reconstruct(image.double())
    assert relative_error(exact, expected) < 1e-12


def test_exact_arithmetic_leaves_the_precision_of_products_as_it_was() -> None:
    torch.set_float32_matmul_precision("high")
    try:
        exact_reconstruction(exact_config(CONFIG, "cpu"), small_image(8, "cpu"))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_exact_arithmetic_depends_on_weights_and_maths_alone() -> None:
    exact = exact_config(CONFIG, "cpu")
    assert exact == exact_config(CONFIG.replace(folded=False, dtype="float32", compile="default", chunk=3), "cpu")
    assert exact.options == {"weights": "random", "window": 20, "seed": 3, "preset": "reference"}
