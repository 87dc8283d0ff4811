"""Each challenge image is the same each time, and hard in the way it says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from vitok_lib.images import challenge
from vitok_lib.images.challenge import gradients, zone_plate
from vitok_lib.images.challenge.text import WORDS, text_lines

_render = cache(challenge.render)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    grey: NDArray[np.float64] = pixels.mean(axis=-1)
    return grey


def _detail(pixels: NDArray[np.uint8]) -> float:
    """Share of the variance that 8 × 8 averages lose."""
    grey = _grey(pixels)
    blocks = grey.reshape(grey.shape[0] // 8, 8, grey.shape[1] // 8, 8)
    return float(blocks.var(axis=(1, 3)).mean() / grey.var())


@pytest.mark.parametrize("name", challenge.SCENES)
def test_drawn_twice_it_is_the_same(name: str) -> None:
    np.testing.assert_array_equal(challenge.render(name, 96), _render(name, 96))


@pytest.mark.parametrize("resolution", [1, 33, 96])
@pytest.mark.parametrize("name", challenge.SCENES)
def test_any_resolution_in_colour(name: str, resolution: int) -> None:
    pixels = _render(name, resolution)
    assert pixels.shape == (resolution, resolution, 3)
    assert pixels.dtype == np.uint8
    assert resolution < 33 or np.ptp(pixels.astype(int), axis=-1).max() > 40


@pytest.mark.parametrize("name", challenge.SCENES)
def test_rows_do_not_depend_on_how_they_are_divided(name: str) -> None:
    paint = challenge.SCENES[name]
    whole = paint(96, 10, 50)
    parts = np.concatenate([paint(96, 10, 23), paint(96, 23, 50)])
    np.testing.assert_allclose(parts, whole, atol=1e-3)


@pytest.mark.parametrize("name", ["text", "foliage", "weave", "gradients"])
def test_a_larger_size_shows_the_same_scene(name: str) -> None:
    small, large = _render(name, 192).astype(float), _render(name, 384).astype(float)
    halved = large.reshape(192, 2, 192, 2, 3).mean(axis=(1, 3))
    psnr = 10 * np.log10(255**2 / np.mean((small - halved) ** 2))
    assert psnr > 40, f"{psnr:.1f} dB"


@pytest.mark.parametrize(("name", "least"), [("foliage", 0.3), ("weave", 0.5), ("zone-plate", 0.9)])
def test_detail_is_finer_than_blocks_of_eight(name: str, least: float) -> None:
    assert _detail(_render(name, 384)) > least > 100 * _detail(_render("gradients", 384))


@pytest.mark.parametrize("resolution", [1536])
def test_the_known_lines_of_text_are_where_their_ink_is(resolution: int) -> None:
    """The text's own words stand in the boxes, and nearly all of the edges of the page are in them."""
    pixels, lines = _grey(_render("text", resolution)), text_lines("text", resolution)
    words = " ".join(line.text for line in lines).split()
    assert set(words) == set(WORDS)
    edges = np.abs(np.diff(pixels, axis=1)) > 40
    within = np.zeros_like(edges)
    for line in lines:
        left, top, right, bottom = line.box
        assert 0 <= left < right <= resolution
        assert edges[top:bottom, left:right].any() or np.ptp(pixels[top:bottom, left:right]) < 60
        within[top:bottom, left:right] = True
    assert (edges & within).sum() > 0.9 * edges.sum()
    assert text_lines("weave", resolution) == ()


def test_text_holds_strong_and_faint_contrasts() -> None:
    pixels = _grey(_render("text", 384))
    tiles = pixels.reshape(24, 16, 24, 16).transpose(0, 2, 1, 3).reshape(576, 256)
    contrast = np.ptp(tiles, axis=1)
    assert (contrast > 150).mean() > 0.1
    assert ((contrast > 5) & (contrast < 40)).mean() > 0.1


def test_the_weave_repeats_at_its_threads_pitch() -> None:
    pixels = _grey(_render("weave", 384))
    spectrum = np.abs(np.fft.rfft(pixels - pixels.mean(axis=1, keepdims=True), axis=1)).mean(axis=0)
    threads = 112
    around = np.r_[spectrum[threads - 25 : threads - 10], spectrum[threads + 10 : threads + 25]]
    assert spectrum[threads - 4 : threads + 5].max() > 1.5 * np.median(around)


@pytest.mark.parametrize("resolution", [384, 768])
def test_the_noise_on_the_gradients_is_one_level(resolution: int) -> None:
    smooth = gradients.smooth_rows(resolution, 0, resolution)
    noise = _render("gradients", resolution) - smooth
    assert 0.8 < noise.std() < 1.3
    assert abs(noise.mean()) < 0.02
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_gradients_are_smooth_beneath_and_use_the_whole_range() -> None:
    smooth = gradients.smooth_rows(384, 0, 384)
    steps = np.abs(np.diff(smooth, axis=0)).max(axis=-1)
    assert steps.max() < 4
    assert np.median(steps) < 1
    assert smooth.min() >= 0
    assert smooth.max() <= 255
    assert np.ptp(smooth) > 200


@pytest.mark.parametrize("resolution", [384, 768])
def test_the_zone_plates_local_frequency_grows_to_its_share_of_nyquist(resolution: int) -> None:
    """f(x) = 2 · 0.9 · Nyquist · x from the centre, read from the spectrum of a window of the middle row."""
    middle = _grey(_render("zone-plate", resolution))[resolution // 2]
    width = resolution // 12
    for position in (0.2, 0.3, 0.45):
        start = int((0.5 + position) * resolution) - width // 2
        piece = middle[start : start + width]
        spectrum = np.abs(np.fft.rfft((piece - piece.mean()) * np.hanning(width), 1024))
        peak = np.argmax(spectrum) / 512  # in units of the Nyquist frequency
        assert peak == pytest.approx(2 * zone_plate.NYQUIST_SHARE * position, abs=0.03)


def test_an_unknown_scene_is_no_scene() -> None:
    with pytest.raises(KeyError):
        challenge.render("ocean", 64)
