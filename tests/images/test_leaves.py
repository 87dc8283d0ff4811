"""Dead leaves against the statistics that define them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from vitok_lib.images import leaves


def test_a_seed_is_a_scene() -> None:
    np.testing.assert_array_equal(leaves.render(3, 64), leaves.render(3, 64))
    assert (leaves.render(3, 64) != leaves.render(4, 64)).mean() > 0.9


@pytest.mark.parametrize("size", [1, 2, 3, 7, 257])
def test_any_size(size: int) -> None:
    pixels = leaves.render(0, size)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("seed", [0, 1])
def test_a_larger_size_shows_the_same_scene(seed: int) -> None:
    small, large = leaves.render(seed, 256).astype(float), leaves.render(seed, 512).astype(float)
    halved = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    psnr = 10 * np.log10(255**2 / np.mean((small - halved) ** 2))
    assert psnr > 28, f"{psnr:.1f} dB"


def test_the_amplitude_spectrum_falls_as_one_over_f() -> None:
    side, seeds = 256, range(6)
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = np.zeros((side, side))
    for seed in seeds:
        grey = leaves.render(seed, side).mean(axis=-1)
        power += np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side, 1 / side), np.fft.fftfreq(side, 1 / side)))
    rings = np.rint(frequency).astype(int).ravel()
    amplitude = np.sqrt(np.bincount(rings, power.ravel()) / np.bincount(rings))
    # Evenly spaced in the logarithm, so that the many high frequencies do not decide alone.
    band = np.unique(np.geomspace(4, side / 4, 40).astype(int))
    slope = np.polyfit(np.log(band), np.log(amplitude[band]), 1)[0]
    assert slope == pytest.approx(-1, abs=0.35)


def test_radii_follow_the_inverse_cube_law() -> None:
    """p(r) ∝ r⁻³ on [a, b] has the distribution function (1 - (a / r)²) / (1 - (a / b)²)."""
    smallest, largest = leaves.SMALLEST_RADIUS, leaves.LARGEST_RADIUS
    radii = np.concatenate([leaves.make_scene(seed).radius[1:] for seed in range(4)])

    def distribution(radius: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - (smallest / radius) ** 2) / (1 - (smallest / largest) ** 2)

    assert stats.kstest(radii, distribution).pvalue > 0.01
    assert stats.kstest(radii, lambda radius: (radius - smallest) / (largest - smallest)).pvalue < 1e-6


def test_few_points_of_the_ground_stay_bare() -> None:
    ground = [np.mean(leaves._front_leaf(leaves.make_scene(seed), 256, 0, 256) == 0) for seed in range(6)]
    # A Poisson number of leaves over a point, MEAN_COVER on average, leaves exp(-MEAN_COVER) of them bare;
    # large leaves make the share vary from scene to scene.
    assert np.mean(ground) == pytest.approx(np.exp(-leaves.MEAN_COVER), abs=0.01)
