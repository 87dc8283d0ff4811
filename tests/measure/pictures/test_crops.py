"""Which parts of an image the viewer shows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vitok_lib.measure.pictures.crops import CROP, OVERVIEW, SHOWN_WHOLE, choose_views, seen
from vitok_lib.records.visuals import Rule, View

Pixels = NDArray[np.uint8]
SIDE = 1500


def grey(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 100, np.uint8)


def with_error(left: int, top: int, size: int, by: int) -> Pixels:
    """A grey image with one square that is too light."""
    pixels = grey(SIDE, SIDE)
    pixels[top : top + size, left : left + size] += by
    return pixels


def of_rule(views: tuple[View, ...], rule: Rule) -> View:
    (found,) = [view for view in views if view.rule is rule]
    return found


def test_an_image_of_the_limit_is_shown_whole() -> None:
    (view,) = choose_views(grey(SHOWN_WHOLE, 30), [grey(SHOWN_WHOLE, 30)])
    assert (view.rule, view.left, view.top, view.width, view.height) == (Rule.WHOLE, 0, 0, 30, SHOWN_WHOLE)


def test_a_larger_one_gets_an_overview_and_squares_by_rule() -> None:
    original = grey(SIDE, SIDE)
    # Both err at the left, alike and most; the second one errs at the right, where the first one does not.
    first = with_error(64, 640, 128, 60)
    second = first.copy()
    second[900:1000, 1300:1400] += 50
    views = choose_views(original, [first, second])
    assert [view.rule for view in views] == [Rule.OVERVIEW, Rule.LARGEST_ERROR, Rule.LARGEST_GAIN, Rule.CENTRE]
    worst, gain, centre = views[1:]
    assert worst.left <= 64 < 192 <= worst.left + CROP
    assert worst.top <= 640 < 768 <= worst.top + CROP
    assert gain.left <= 1300 < 1400 <= gain.left + CROP
    assert gain.top <= 900 < 1000 <= gain.top + CROP
    assert (centre.left, centre.top) == ((SIDE - CROP) // 2, (SIDE - CROP) // 2)


def test_the_square_of_the_largest_error_is_the_largest_of_all_on_its_grid() -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (1200, 1100, 3), np.uint8)
    made = [rng.integers(0, 256, original.shape, np.uint8) for _ in range(2)]
    total = sum(np.square(original.astype(np.int64) - pixels).sum(axis=2) for pixels in made)
    step = CROP // 8
    corners = [(top, left) for top in range(0, 1200 - CROP + 1, step) for left in range(0, 1100 - CROP + 1, step)]
    expected = max(corners, key=lambda corner: total[corner[0] : corner[0] + CROP, corner[1] : corner[1] + CROP].sum())
    view = of_rule(choose_views(original, made), Rule.LARGEST_ERROR)
    assert (view.top, view.left) == expected


def test_a_single_tokenizer_has_no_largest_gain() -> None:
    views = choose_views(grey(SIDE, SIDE), [with_error(0, 0, 9, 9)])
    assert Rule.LARGEST_GAIN not in [view.rule for view in views]


@pytest.mark.parametrize(("height", "width"), [(1300, 5), (3, 1100), (1025, 301), (1, 1025)])
def test_squares_of_a_narrow_image_lie_within_it(height: int, width: int) -> None:
    made = grey(height, width)
    made[-1, -1] += 100
    for view in choose_views(grey(height, width), [made, grey(height, width)]):
        assert view.left + view.width <= width
        assert view.top + view.height <= height
        shown = seen(made, view)
        assert shown.shape[:2] == (view.height, view.width) if view.native else max(shown.shape) == OVERVIEW


def test_an_overview_keeps_the_proportions() -> None:
    view = View(rule=Rule.OVERVIEW, left=0, top=0, width=2048, height=1024)
    assert seen(grey(1024, 2048), view).shape == (OVERVIEW // 2, OVERVIEW, 3)
