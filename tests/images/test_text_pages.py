"""Pages of text: what is written stands in its box, at its height, in every font and on every ground."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from vitok_lib.errors import RequestError
from vitok_lib.images import text_pages
from vitok_lib.images.scripts import HAN, LATIN, SCRIPTS, Script
from vitok_lib.images.sets import open_image_set

PLAIN = [name for name in text_pages.NAMES if not name.startswith("on-photograph")]
both = pytest.mark.parametrize("script", [LATIN, HAN], ids=lambda script: script.name)


@pytest.mark.parametrize("name", text_pages.NAMES[:3])
def test_drawn_twice_it_is_the_same(name: str) -> None:
    first = text_pages.render(name, 96)
    text_pages._laid_out.cache_clear()
    text_pages._font.cache_clear()
    np.testing.assert_array_equal(text_pages.render(name, 96), first)


@pytest.mark.parametrize("resolution", [1, 20, 33, 384])
@pytest.mark.parametrize("name", text_pages.NAMES[:3])
def test_any_resolution(name: str, resolution: int) -> None:
    pixels = text_pages.render(name, resolution)
    assert pixels.shape == (resolution, resolution, 3)
    assert pixels.dtype == np.uint8
    for line in text_pages.text_lines(name, resolution):
        left, top, right, bottom = line.box
        assert 0 <= left < right <= resolution
        assert 0 <= top < bottom <= resolution


@both
@pytest.mark.parametrize("name", PLAIN[:4])
def test_ink_is_within_the_boxes_and_in_each_of_them(name: str, script: Script) -> None:
    pixels = text_pages.render(name, 512, script)
    ink = (pixels != pixels[0, 0]).any(axis=-1)
    for line in text_pages.text_lines(name, 512, script):
        left, top, right, bottom = line.box
        assert ink[top:bottom, left:right].mean() > 0.05
        ink[top:bottom, left:right] = False
    assert not ink.any()


@pytest.mark.parametrize("name", PLAIN[:4])
def test_digits_are_as_high_as_a_line_says(name: str) -> None:
    """A digit reaches from the baseline to about the height of the capitals."""
    pixels = text_pages.render(name, 512).astype(int)
    ink = np.abs(pixels - pixels[0, 0]).sum(axis=-1) > 120
    for line in text_pages.text_lines(name, 512):
        left, top, right, bottom = line.box
        last = ink[top:bottom, right - 3 * (right - left) // 10 : right]
        rows = np.flatnonzero(last.any(axis=1))
        assert np.ptp(rows) + 1 == pytest.approx(line.height, abs=1 + 0.08 * line.height), line


@pytest.mark.parametrize("name", PLAIN[:6])
def test_chinese_lines_are_about_as_high_as_they_say(name: str) -> None:
    """Some characters reach above the one that has the height, or below it."""
    pixels = text_pages.render(name, 512, HAN).astype(int)
    ink = np.abs(pixels - pixels[0, 0]).sum(axis=-1) > 120
    for line in text_pages.text_lines(name, 512, HAN):
        left, top, right, bottom = line.box
        rows = np.flatnonzero(ink[top:bottom, left:right].any(axis=1))
        assert 0.9 * line.height - 1 <= np.ptp(rows) + 1 <= 1.2 * line.height + 2, line


def test_both_scripts_have_the_same_grounds() -> None:
    for name in text_pages.NAMES[:3]:
        bare = np.ones((2, 256, 256), bool)
        for place, script in enumerate((LATIN, HAN)):
            for line in text_pages.text_lines(name, 256, script):
                left, top, right, bottom = line.box
                bare[place, top:bottom, left:right] = False
        without = bare.all(axis=0)
        assert without.mean() > 0.3
        latin, han = (text_pages.render(name, 256, script)[without] for script in (LATIN, HAN))
        np.testing.assert_array_equal(latin, han)


@both
@pytest.mark.parametrize("name", text_pages.NAMES[:3])
def test_no_two_boxes_overlap(name: str, script: Script) -> None:
    boxes = [line.box for line in text_pages.text_lines(name, 512, script)]
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@both
def test_every_height_has_as_many_lines_as_any_other_and_a_larger_page_more(script: Script) -> None:
    for name in text_pages.NAMES:
        counts = [Counter(line.height for line in text_pages.text_lines(name, side, script)) for side in (512, 1024)]
        assert counts == [dict.fromkeys(text_pages.HEIGHTS, 3), dict.fromkeys(text_pages.HEIGHTS, 12)]


@both
def test_each_font_is_used_alike_at_each_height(script: Script) -> None:
    used = Counter(
        (placed.line.height, placed.font.getname())
        for name in text_pages.NAMES
        for placed in text_pages._laid_out(name, 512, script)
    )
    assert len(used) == len(text_pages.HEIGHTS) * len(script.fonts())
    assert set(used.values()) == {3 * len(text_pages.NAMES) // len(script.fonts())}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_set_gives_the_lines_of_its_images(name: str) -> None:
    images, page = open_image_set(name), "on-photograph-2"
    assert images.names()[:3] == ("dark-on-light-0", "light-on-dark-0", "on-photograph-0")
    assert images.lines(page, 512) == text_pages.text_lines(page, 512, SCRIPTS[name])  # type: ignore[attr-defined]


def test_without_matplotlib_the_set_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=r"needs the fonts in matplotlib.*pip install 'vitok-lib\[text\]'") as found:
        open_image_set("text")
    assert found.value.code == "images-not-found"
