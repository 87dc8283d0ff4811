"""Axes and effective rank of latents whose covariance is known, and the colours of a picture."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vitok_lib.measure.latents.moments import Moments
from vitok_lib.measure.latents.spectrum import effective_rank, leading_components, principal_axes

ROTATION = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]


def test_the_axes_of_a_rotated_diagonal_are_the_rotation_up_to_sign() -> None:
    variances = np.array([9.0, 4.0, 1.0, 0.25])
    found, axes = principal_axes(ROTATION @ np.diag(variances) @ ROTATION.T)
    assert found == pytest.approx(variances)
    assert np.abs(axes @ ROTATION) == pytest.approx(np.eye(4), abs=1e-9)
    assert (np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_the_sign_is_the_same_whichever_way_the_solver_turns_an_axis() -> None:
    """Elements of equal size and other sign leave the choice to rounding, unless the first of them decides."""
    one = np.array([[2.0, -1.0], [-1.0, 2.0]])
    _, axes = principal_axes(one)
    _, moved = principal_axes(one + np.array([[0, 1e-13], [1e-13, 0]]))
    assert axes == pytest.approx(moved)
    assert axes[0] == pytest.approx(np.array([1, -1]) / math.sqrt(2))


@pytest.mark.parametrize(
    ("eigenvalues", "expected"),
    [([1, 1, 1, 1], 4), ([1, 0, 0], 1), ([0, 0], 0), ([0.5, 0.25, 0.25], 2**1.5)],  # entropy 1.5 bits
)
def test_effective_rank_is_the_exponential_of_the_entropy(eigenvalues: list[float], expected: float) -> None:
    assert effective_rank(np.array(eigenvalues, float)) == pytest.approx(expected)


def test_a_picture_is_grey_at_the_mean_and_a_colour_a_component() -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(0, [4, 2, 1, 0.1], size=(5000, 4)) @ ROTATION.T + 5
    moments = Moments.of(vectors)
    deviations = np.sqrt(principal_axes(moments.covariance)[0])
    _, axes = principal_axes(moments.covariance)
    grid = np.stack(
        [moments.mean, moments.mean + 3 * deviations[0] * axes[0], moments.mean - 9 * deviations[1] * axes[1]]
    )
    assert leading_components(grid[None], moments).tolist() == [[[128, 128, 128], [255, 128, 128], [128, 0, 128]]]


def test_a_latent_of_two_channels_has_a_picture_too() -> None:
    moments = Moments.of(np.random.default_rng(0).normal(size=(100, 2)))
    assert leading_components(np.zeros((2, 3, 2)), moments)[..., 2].tolist() == [[128] * 3] * 2
