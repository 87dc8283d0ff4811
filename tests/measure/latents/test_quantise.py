"""The quantiser against what uniform quantisation must be: levels, errors, ends, channels without spread."""

from __future__ import annotations

import numpy as np
import pytest

from vitok_lib.errors import RequestError
from vitok_lib.measure.latents.quantise import dequantise, fit_grid, parse_quantiser, quantise

VALUES = np.random.default_rng(1).normal([0, 5, -2], [1, 3, 0.1], (4000, 3)).astype(np.float32)


@pytest.mark.parametrize(("text", "levels"), [("bits=8", 256), ("bits=6", 64), ("bits=4", 16), ("bits=3", 8)])
def test_levels_of_bits_span_the_range_of_each_channel(text: str, levels: int) -> None:
    grid = fit_grid(parse_quantiser(text), VALUES)
    symbols = quantise(VALUES, grid)
    assert symbols.min(0).tolist() == [0] * 3
    assert symbols.max(0).tolist() == [levels - 1] * 3
    np.testing.assert_allclose(dequantise(symbols, grid).min(0), VALUES.min(0), rtol=1e-6)
    np.testing.assert_allclose(dequantise(symbols, grid).max(0), VALUES.max(0), rtol=1e-6)


@pytest.mark.parametrize("sigmas", [0.25, 0.5, 1])
def test_the_error_of_fine_steps_is_a_twelfth_of_the_squared_step(sigmas: float) -> None:
    grid = fit_grid(parse_quantiser(f"step={sigmas}"), VALUES)
    error = VALUES.astype(np.float64) - dequantise(quantise(VALUES, grid), grid)
    expected = (sigmas * VALUES.std(0, dtype=np.float64)) ** 2 / 12
    np.testing.assert_allclose((error**2).mean(0), expected, rtol=0.06)
    assert (np.abs(error) <= sigmas * VALUES.std(0, dtype=np.float64) / 2 + 1e-6).all()


def test_a_common_step_errs_alike_in_every_channel() -> None:
    grid = fit_grid(parse_quantiser("common=0.05"), VALUES)
    error = VALUES.astype(np.float64) - dequantise(quantise(VALUES, grid), grid)
    expected = 0.05**2 * VALUES.var(0, dtype=np.float64).mean() / 12
    np.testing.assert_allclose((error**2).mean(0), expected, rtol=0.06)


@pytest.mark.parametrize("text", ["bits=3", "step=2", "common=2"])
def test_what_lies_beyond_the_grid_takes_its_ends(text: str) -> None:
    grid = fit_grid(parse_quantiser(text), VALUES)
    far = np.array([[1e30] * 3, [-1e30] * 3], np.float32)
    assert quantise(far, grid).tolist() == [(grid.levels - 1).tolist(), [0] * 3]


@pytest.mark.parametrize("text", ["bits=4", "step=0.5", "common=0.5"])
def test_a_channel_without_spread_keeps_its_value(text: str) -> None:
    constant = np.full((7, 1), 3.25, np.float32)
    grid = fit_grid(parse_quantiser(text), constant)
    np.testing.assert_array_equal(dequantise(quantise(constant, grid), grid), constant)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bits",
        "bits=0",
        "bits=17",
        "bits=4.5",
        "bits=²",
        "step=0",
        "step=-1",
        "step=inf",
        "step=1e39",
        "step=1e-50",
        "step=x",
        "q=3",
    ],
)
def test_other_quantisers_are_refused_by_name(text: str) -> None:
    with pytest.raises(RequestError, match=r"must read bits=BITS .* step=SIGMAS or common=SIGMAS"):
        parse_quantiser(text)


def test_steps_that_need_too_many_levels_are_refused() -> None:
    with pytest.raises(RequestError, match=r"step=1e-05.*larger steps"):
        fit_grid(parse_quantiser("step=1e-5"), VALUES)


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="no finite numbers"):
        fit_grid(parse_quantiser("bits=4"), np.array([[np.nan]], np.float32))
