"""CIELAB and CIEDE2000 against the published pairs, scikit-image and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor

from vitok_lib.metrics import colour
from vitok_lib.metrics.colour import COLOUR_METRICS, ciede2000, colour_differences, lab_of_srgb

SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""
"""Sharma, Wu & Dalal 2005, Table 1: L*, a*, b* of two colours and their CIEDE2000."""

SHIFTS = ("delta-l", "delta-a", "delta-b")


def _all(original: Tensor, other: Tensor) -> dict[str, float]:
    return colour_differences(original, other, COLOUR_METRICS)


def _noise(height: int, width: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8))


def _lab(image: Tensor) -> np.ndarray:
    return rgb2lab(image.movedim(0, -1).numpy())


def _plain(*rgb: int) -> Tensor:
    return torch.tensor(rgb, dtype=torch.uint8)[:, None, None].expand(3, 5, 7)


def test_ciede2000_gives_the_34_published_pairs() -> None:
    rows = np.array([line.split() for line in SHARMA.split("\n") if line], float)
    assert len(rows) == 34
    first, second = (torch.from_numpy(rows[:, columns].T) for columns in (slice(0, 3), slice(3, 6)))
    for pair in ((first, second), (second, first)):
        np.testing.assert_allclose(ciede2000(*pair), rows[:, 6], atol=5e-5)


def test_colours_equal_those_of_scikit_image() -> None:
    image = _noise(64, 64, 0)
    np.testing.assert_allclose(lab_of_srgb(image).movedim(0, -1), _lab(image), atol=0.02)  # whose matrix is rounded


def test_the_mean_difference_equals_that_of_scikit_image() -> None:
    original, other = _noise(64, 64, 1), _noise(64, 64, 2)
    expected = deltaE_ciede2000(_lab(original), _lab(other)).mean()
    assert _all(original, other)["ciede2000"] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("level", [0, 1, 10, 11, 128, 255])
def test_greys_have_no_colour(level: int) -> None:
    lightness, *chroma = lab_of_srgb(torch.full((3, 1, 1), level, dtype=torch.uint8)).flatten().tolist()
    assert chroma == pytest.approx([0, 0], abs=1e-4)
    assert -1e-4 < lightness < 100.0001
    assert (lightness == pytest.approx(100, abs=1e-4)) == (level == 255)


@pytest.mark.parametrize(("rgb", "axis", "sign"), [((90, 80, 80), 1, 1), ((80, 90, 80), 1, -1), ((80, 80, 70), 2, 1)])
def test_a_shift_has_the_sign_of_its_colour(rgb: tuple[int, int, int], axis: int, sign: int) -> None:
    assert _all(_plain(80, 80, 80), _plain(*rgb))[SHIFTS[axis]] * sign > 2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shifts_are_means_of_the_reconstruction_less_the_original(axis: int) -> None:
    original, other = _noise(20, 30, 3), _noise(20, 30, 4) // 2
    expected = (_lab(other) - _lab(original))[..., axis].mean()
    assert _all(original, other)[SHIFTS[axis]] == pytest.approx(expected, abs=2e-3)


def test_a_shift_that_goes_both_ways_has_no_mean_and_still_a_difference() -> None:
    dark_first = torch.cat((_plain(80, 80, 80), _plain(90, 90, 90)), 1)
    light_first = torch.cat((_plain(90, 90, 90), _plain(80, 80, 80)), 1)
    found = _all(dark_first, light_first)
    assert found["delta-l"] == pytest.approx(0, abs=1e-6)
    assert found["ciede2000"] > 3


def test_equal_images_differ_by_nothing() -> None:
    image = _noise(16, 16, 5)
    assert _all(image, image) == dict.fromkeys(COLOUR_METRICS, 0)


def test_the_strips_that_bound_the_memory_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    original, other = _noise(13, 9, 6), _noise(13, 9, 7)
    whole = _all(original, other)
    monkeypatch.setattr(colour, "_STRIP_PIXELS", 20)
    assert _all(original, other) == pytest.approx(whole, abs=1e-6)


def test_one_metric_alone_is_what_it_is_beside_the_others() -> None:
    original, other = _noise(12, 12, 8), _noise(12, 12, 9)
    together = _all(original, other)
    for name in COLOUR_METRICS:
        assert colour_differences(original, other, [name]) == {name: together[name]}
