"""The power of blocks by diagonal against SciPy's DCT and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn

from vitok_lib.measure.latents.frequencies import high_frequency_share, power_by_diagonal


def test_power_is_that_of_scipys_transform_of_each_block() -> None:
    grid = np.random.default_rng(0).normal(size=(17, 26, 2))  # with rows and columns that fill no block
    expected = np.zeros(15)
    counts = np.zeros(15)
    for top in (0, 8):
        for left in (0, 8, 16):
            for channel in range(2):
                squares = dctn(grid[top : top + 8, left : left + 8, channel], norm="ortho") ** 2
                for (u, v), square in np.ndenumerate(squares):
                    expected[u + v] += square
                    counts[u + v] += 1
    assert power_by_diagonal(grid) == pytest.approx(expected / counts)


def test_white_noise_has_its_variance_on_every_diagonal_and_28_of_63_parts_are_high() -> None:
    power = power_by_diagonal(np.random.default_rng(0).normal(0, 3, size=(512, 512, 2)))
    assert power == pytest.approx(np.full(15, 9.0), rel=0.05)
    assert high_frequency_share(power) == pytest.approx(28 / 63, rel=0.02)


def test_a_chequerboard_is_all_high_and_a_constant_has_no_share() -> None:
    board = (np.indices((16, 16)).sum(axis=0) % 2)[..., None].astype(float)
    assert high_frequency_share(power_by_diagonal(board)) > 0.8
    assert np.isnan(high_frequency_share(power_by_diagonal(np.ones((16, 16, 1)))))


def test_a_grid_smaller_than_a_block_has_none() -> None:
    assert np.isnan(power_by_diagonal(np.ones((7, 64, 3)))).all()
    assert np.isnan(high_frequency_share(power_by_diagonal(np.ones((7, 64, 3)))))
