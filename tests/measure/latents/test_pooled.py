"""The values of all latents together: shift and scale of known latents, and what a configuration says next to them."""

from __future__ import annotations

import numpy as np
import pytest

from vitok_lib.measure.latents.moments import Moments
from vitok_lib.measure.latents.pooled import STATISTICS, Scaling, arrays_of, pooled_values
from vitok_lib.records.schema import Value

SCALING = Scaling(np.array([1.0, -2.0, 0.5]), np.array([0.5, 0.25, 2.0]))


def latents(images: int = 8) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal([3, -1, 0], [2, 1, 0.5], size=(500, 3)) for _ in range(images)]


def values_of(vectors: list[np.ndarray], scaling: Scaling | None = None) -> dict[str, Value]:
    return {value.quantity: value for value in pooled_values([Moments.of(part) for part in vectors], 8, scaling)}


def test_without_a_configuration_the_inverse_deviation_and_the_mean_are_scale_and_shift() -> None:
    held, whole = values_of(latents()), np.concatenate(latents())
    assert held["implied_shift"].value == pytest.approx(whole.mean())
    assert held["implied_scale"].value == pytest.approx(1 / whole.std())
    assert held["std_spread"].value == pytest.approx(whole.std(axis=0).max() / whole.std(axis=0).min())
    assert "config_scale" not in held


def test_what_encode_has_scaled_is_scaled_back_before() -> None:
    """(raw − shift) · scale is what encode gives, so that the raw latent implies the same with and without it."""
    raw = latents()
    scaled = [(part - SCALING.shift) * SCALING.scale for part in raw]
    held, whole = values_of(scaled, SCALING), np.concatenate(raw)
    assert held["implied_shift"].value == pytest.approx(whole.mean())
    assert held["implied_scale"].value == pytest.approx(1 / whole.std())
    assert "config_scale" not in held, "one number does not say what three channels have"
    arrays = arrays_of(Moments.of(np.concatenate(scaled)), SCALING)
    assert arrays["implied_shift"] == pytest.approx(whole.mean(axis=0), rel=1e-4)
    assert arrays["implied_scale"] == pytest.approx(1 / whole.std(axis=0), rel=1e-4)
    assert arrays["config_scale"] == (0.5, 0.25, 2.0)


def test_one_scale_for_all_channels_is_a_value() -> None:
    held = values_of(latents(), Scaling(np.full(3, 0.0), np.full(3, 0.18215)))
    assert (held["config_shift"].value, held["config_scale"].value) == (0, 0.18215)


def test_every_statistic_has_an_interval_that_is_positive_where_the_value_must_be() -> None:
    held = values_of([part * size for part, size in zip(latents(3), (1, 5, 30), strict=True)])
    for quantity in STATISTICS:
        interval = held[quantity].interval
        assert interval is not None
        assert interval.low <= held[quantity].value <= interval.high
    assert held["latent_std"].interval.low > 0


def test_one_image_has_values_and_no_interval() -> None:
    assert all(value.interval is None for value in values_of(latents(1)).values())


def test_a_latent_that_never_varies_has_no_live_channel() -> None:
    held = values_of([np.ones((10, 3))] * 2)
    assert held["dead_channels"].value == 3
    assert held["effective_rank"].value == 0
    assert "implied_scale" not in held
