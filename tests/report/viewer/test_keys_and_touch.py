"""Each key that the viewer's page names, and the same by finger on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.visuals import noise
from tests.report.viewer.stage import ORIGINAL, SIDE, Viewer, opened

pytestmark = pytest.mark.browser

PHONE = 390
Points = list[tuple[float, float]]


def number(viewer: Viewer, name: str) -> float:
    return float(viewer.at()[name])


Address = dict[str, str]
PLACE = "a=original&b=one&front=b&mode=flip&error=false&view=0&x=48&y=48&zoom=20&wipe=0.5"
KEYS: dict[str, Callable[[Address, Address], bool]] = {
    "w": lambda at, was: at["mode"] == "wipe",
    "s": lambda at, was: at["mode"] == "side",
    "e": lambda at, was: at["error"] == "true",
    "+": lambda at, was: float(at["zoom"]) == 1.25 * float(was["zoom"]),
    "-": lambda at, was: float(at["zoom"]) == float(was["zoom"]) / 1.25,
    "ArrowLeft": lambda at, was: float(at["x"]) < float(was["x"]) and at["y"] == was["y"],
    "ArrowRight": lambda at, was: float(at["x"]) > float(was["x"]) and at["y"] == was["y"],
    "ArrowUp": lambda at, was: float(at["y"]) < float(was["y"]) and at["x"] == was["x"],
    "ArrowDown": lambda at, was: float(at["y"]) > float(was["y"]) and at["x"] == was["x"],
    "r": lambda at, was: float(at["zoom"]) < float(was["zoom"]),
    " ": lambda at, was: at["front"] == "a",
    "2": lambda at, was: (at["b"], at["front"]) == ("two", "b"),
    "Shift+Digit2": lambda at, was: (at["a"], at["front"]) == ("two", "a"),
    "n": lambda at, was: (at["b"], at["front"]) == ("two", "b"),
    "p": lambda at, was: (at["b"], at["front"]) == ("original", "b"),
    "Shift+N": lambda at, was: (at["a"], at["front"]) == ("one", "a"),
    "W": lambda at, was: at["mode"] == "wipe",  # as with Caps Lock
}


def test_each_named_key_does_what_it_says(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        for key, holds in KEYS.items():
            viewer.page.evaluate(f"location.hash = '{PLACE}'")
            viewer.settle()
            was = viewer.at()
            viewer.press(key)
            assert holds(viewer.at(), was), f"{key!r} leads from {was} to {viewer.at()}"


def test_digits_of_the_number_pad_choose_too(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: '2', code: 'Numpad2'}))")
        viewer.settle()
        assert viewer.at()["b"] == "two"


def test_the_keys_are_the_pictures_again_after_a_choice_by_mouse(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("4:1")
        viewer.press(" ")
        assert viewer.shows(ORIGINAL, 4)
        viewer.page.get_by_role("button", name="8:1").focus()
        viewer.page.keyboard.press("Enter")
        assert viewer.page.evaluate("document.activeElement.id") == "zoom-8"


def test_every_tokenizer_of_a_case_can_be_chosen(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "many") as viewer:
        viewer.click("4:1")
        labels = viewer.page.locator("#b option").all_inner_texts()
        assert labels == ["0 original", *(f"{key} t{key}" for key in range(1, 10)), "t10", "t11"]
        viewer.page.locator("#b").select_option("t11")
        viewer.settle()
        assert viewer.shows(noise(SIDE, SIDE, 31), 4)
        viewer.page.locator("#stage").focus()
        viewer.press("p")
        assert viewer.shows(noise(SIDE, SIDE, 30), 4)
        viewer.press("n")
        viewer.press("n")
        assert viewer.shows(noise(SIDE, SIDE, 20), 4)


def test_a_flip_waits_for_no_picture(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "many") as viewer:
        asked: list[str] = []
        viewer.page.on("request", lambda request: asked.append(request.url))
        for key in ("f", "5", "n", "w"):
            viewer.press(key)
        assert asked == []


def swipe(viewer: Viewer, *paths: Points) -> None:
    """Move one finger along each of ``paths``, all at once."""
    session = viewer.page.context.new_cdp_session(viewer.page)
    for index, places in enumerate(zip(*paths, strict=True)):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove" if index else "touchStart", "touchPoints": points}
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    viewer.settle()


def line(start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> Points:
    return [tuple(point) for point in np.linspace(start, end, steps).tolist()]


def middle_of_stage(viewer: Viewer) -> tuple[float, float]:
    box = viewer.page.locator("#stage").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_on_a_phone_a_tap_flips_a_drag_moves_and_a_pinch_zooms(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small", width=PHONE, touch=True) as viewer:
        viewer.page.locator("#stage").tap()
        viewer.settle()
        assert viewer.at()["front"] == "a"
        viewer.page.get_by_role("button", name="8:1").tap()
        viewer.settle()
        x, y = middle_of_stage(viewer)
        before = number(viewer, "x")
        swipe(viewer, line((x, y), (x - 80, y)))
        assert number(viewer, "x") == pytest.approx(before + 10, abs=0.5)
        assert viewer.at()["front"] == "a"
        before = number(viewer, "zoom")
        swipe(viewer, line((x - 40, y), (x - 80, y)), line((x + 40, y), (x + 80, y)))
        assert number(viewer, "zoom") == pytest.approx(2 * before, rel=0.05)


def test_on_a_phone_the_line_of_the_wipe_follows_the_finger(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small", width=PHONE, touch=True) as viewer:
        viewer.page.get_by_role("button", name="wipe").tap()
        viewer.settle()
        x, y = middle_of_stage(viewer)
        swipe(viewer, line((x, y), (x + 100, y)))
        assert number(viewer, "wipe") == pytest.approx(0.5 + 100 / PHONE, abs=0.02)


def test_on_a_phone_all_that_is_tapped_is_large_enough(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small", width=PHONE, touch=True) as viewer:
        sizes = viewer.page.locator("select, button, summary, #link").evaluate_all(
            "all => all.map(one => [one.id || one.tagName, one.getBoundingClientRect().height])"
        )
        assert [name for name, height in sizes if height < 32] == []


def test_in_a_frame_a_finger_scrolls_the_page_and_drags_the_wipe(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "frame", width=PHONE, touch=True) as viewer:
        frame = viewer.page.frames[1]
        frame.wait_for_function("location.hash.includes('zoom=')")
        frame.get_by_role("button", name="wipe").tap()
        box = frame.locator("#stage").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        swipe(viewer, line((x, y), (x + 90, y)))
        wipe = float(frame.evaluate("new URLSearchParams(location.hash.slice(1)).get('wipe')"))
        assert wipe == pytest.approx(0.5 + 90 / box["width"], abs=0.02)
        swipe(viewer, line((x - 100, y), (x - 100, y - 150), steps=20))
        assert viewer.page.evaluate("window.scrollY") > 50
