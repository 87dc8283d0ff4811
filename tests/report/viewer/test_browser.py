"""The viewer in a browser, opened from disk with the network cut: what one sees is compared with the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.viewer.stage import BAD, BROKEN, GROUND, LARGE, LATENT, MADE, ORIGINAL, opened
from vitok_lib.measure.pictures.crops import CROP
from vitok_lib.report.viewer.layers import error_map

pytestmark = pytest.mark.browser


def test_space_and_click_flip_between_a_and_b_pixel_by_pixel(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("4:1")
        assert viewer.shows(MADE["one"], 4)
        viewer.page.locator("#stage").focus()
        viewer.press(" ")
        assert viewer.shows(ORIGINAL, 4)
        viewer.page.locator("#stage").click()
        viewer.settle()
        assert viewer.shows(MADE["one"], 4)


def test_digits_choose_b_and_with_shift_a(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("2:1")
        names = ["original", *MADE]
        pictures = [ORIGINAL, *MADE.values()]
        for key, pixels in enumerate(pictures):
            viewer.press(f"{key}")
            assert viewer.shows(pixels, 2)
            assert viewer.page.locator("#b").input_value() == names[key]
        viewer.press("9")
        assert viewer.shows(pictures[-1], 2)
        viewer.press("Shift+Digit2")
        assert viewer.page.locator("#a").input_value() == "two"
        assert viewer.shows(MADE["two"], 2)


def test_the_error_map_is_of_the_one_in_front(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("4:1")
        viewer.press("e")
        assert viewer.shows(error_map(ORIGINAL, MADE["one"]), 4)
        viewer.press(" ")
        assert viewer.shows(ORIGINAL, 4)  # which has no error


def test_the_latent_takes_the_place_of_the_error_map_and_only_where_there_is_one(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("4:1")
        viewer.press("e")
        viewer.click("latent")
        assert viewer.shows(LATENT.repeat(8, axis=0).repeat(8, axis=1), 4)
        viewer.press("2")
        assert viewer.shows(MADE["two"], 4)
        viewer.press("1")
        viewer.press("l")
        assert viewer.shows(MADE["one"], 4)
    with opened(browser, pages, "large") as viewer:
        viewer.press("l")
        assert viewer.page.get_by_role("button", name="latent", exact=True).count() == 0


def test_the_wipe_shows_a_to_the_left_of_its_line_and_b_to_the_right(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("8:1")
        viewer.click("wipe")
        box = viewer.page.locator("#stage").bounding_box()
        middle = box["x"] + box["width"] / 2
        viewer.page.mouse.move(middle, box["y"] + 200)
        viewer.page.mouse.down()
        viewer.page.mouse.move(middle - 120, box["y"] + 220, steps=4)
        viewer.page.mouse.up()
        viewer.settle()
        seen, line = viewer.stage(), round(box["width"] / 2 - 120)
        assert np.array_equal(seen[:, : line - 2], viewer.expected(ORIGINAL, 8)[:, : line - 2])
        assert np.array_equal(seen[:, line + 2 :], viewer.expected(MADE["one"], 8)[:, line + 2 :])


def test_side_by_side_shows_the_same_place_twice(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("side by side")
        viewer.click("8:1")
        seen = viewer.stage()
        half = seen.shape[1] // 2
        a, b = viewer.expected(ORIGINAL, 8), viewer.expected(MADE["one"], 8)
        quarter = half // 2
        assert np.array_equal(seen[:, : half - 1], a[:, quarter : quarter + half - 1])
        assert np.array_equal(seen[:, half + 1 :], b[:, quarter + 1 : quarter + 1 + len(seen[0]) - half - 1])


def test_one_notch_of_the_wheel_zooms_by_a_quarter_at_most_and_keeps_the_point_under_it(
    browser: Any, pages: Path
) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("8:1")
        box, before = viewer.page.locator("#stage").bounding_box(), viewer.at()
        x, y = box["width"] / 2 + 160, box["height"] / 2 - 80
        viewer.page.mouse.move(box["x"] + x, box["y"] + y)
        viewer.page.mouse.wheel(0, -5000)
        viewer.settle()
        after = viewer.at()
        zoom, wider = float(before["zoom"]), float(after["zoom"])
        assert zoom < wider <= zoom * 1.25 + 1e-3
        for axis, offset in (("x", 160), ("y", -80)):
            assert float(after[axis]) + offset / wider == pytest.approx(float(before[axis]) + offset / zoom, abs=0.01)
        viewer.page.mouse.wheel(0, 120)
        viewer.settle()
        assert wider / 1.25 - 1e-3 <= float(viewer.at()["zoom"]) < wider


def test_enlarged_pixels_are_never_mixed(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small", "#zoom=7.3&x=41.7&y=50.2&a=original&b=one&front=a") as viewer:
        colours = {tuple(colour) for colour in ORIGINAL.reshape(-1, 3)} | {GROUND}
        seen = np.unique(viewer.stage().reshape(-1, 3), axis=0)
        assert len(seen) > 100
        assert {tuple(colour) for colour in seen} <= colours


def test_dragging_moves_and_does_not_flip(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small") as viewer:
        viewer.click("4:1")
        before, box = viewer.at(), viewer.page.locator("#stage").bounding_box()
        viewer.page.mouse.move(box["x"] + 500, box["y"] + 300)
        viewer.page.mouse.down()
        viewer.page.mouse.move(box["x"] + 460, box["y"] + 320, steps=5)
        viewer.page.mouse.up()
        viewer.settle()
        after = viewer.at()
        assert after["front"] == before["front"]
        assert float(after["x"]) == pytest.approx(float(before["x"]) + 10, abs=0.3)
        assert float(after["y"]) == pytest.approx(float(before["y"]) - 5, abs=0.3)


def test_a_page_opens_on_the_crop_of_the_largest_error(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "large") as viewer:
        assert viewer.page.locator("#view option:checked").inner_text() == "largest error"
        viewer.click("1:1")
        text = viewer.page.locator("#caption-b").inner_text()
        assert "crop: 21.50 dB, SSIM 0.500" in text
        text = viewer.page.locator("#caption-a").inner_text()
        column, row = int(text.split("column ")[1].split(",")[0]), int(text.split("row ")[1])
        assert column <= BROKEN[1] < column + CROP
        assert row <= BROKEN[0] < row + CROP
        viewer.page.locator("#stage").focus()
        viewer.press("0")
        assert viewer.shows(LARGE[row : row + CROP, column : column + CROP], 1)


def test_the_link_opens_the_same_view_again(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "large") as viewer:
        viewer.page.locator("#view").select_option(label="centre")
        viewer.click("4:1")
        viewer.click("wipe")
        viewer.page.locator("#b").select_option("two")
        viewer.settle()
        link = viewer.page.locator("#link").get_attribute("href")
        seen, place = viewer.stage(), viewer.at()
    with opened(browser, pages, "large", "#" + link.partition("#")[2]) as viewer:
        assert viewer.at() == place
        assert np.array_equal(viewer.stage(), seen)


def test_in_a_frame_the_wheel_scrolls_the_page_and_zooms_with_control(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "frame") as viewer:
        zoom = "new URLSearchParams(location.hash.slice(1)).get('zoom')"
        frame = viewer.page.frames[1]
        frame.wait_for_function("location.hash.includes('zoom=')")
        before = frame.evaluate(zoom)
        viewer.page.mouse.move(450, 300)
        viewer.page.mouse.wheel(0, 200)
        viewer.settle()
        assert viewer.page.evaluate("window.scrollY") > 0
        assert frame.evaluate(zoom) == before
        viewer.page.keyboard.down("Control")
        viewer.page.mouse.wheel(0, -200)
        viewer.page.keyboard.up("Control")
        viewer.settle()
        assert float(frame.evaluate(zoom)) > float(before)


def test_a_name_that_is_markup_stays_text(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "img_src") as viewer:
        assert viewer.page.locator("h1").inner_text() == f"{BAD}.png"
        assert viewer.page.title().startswith(f"{BAD}.png")
        viewer.page.locator("summary").click()
        assert BAD in viewer.page.locator("details").inner_text()
        assert viewer.page.locator("img").count() == 0
        options = viewer.page.locator("#image option").all_inner_texts()
        assert sorted(options) == [f"{BAD}.png", "many", "small"]
    with opened(browser, pages, "small") as viewer:
        viewer.press("3")
        assert viewer.page.locator("#caption-b b").inner_text() == list(MADE)[2]
        assert viewer.page.locator("#name").inner_text() == list(MADE)[2]
        assert viewer.page.locator("img").count() == 0


def test_another_image_is_chosen_with_the_tokenizers_kept(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "large", "#b=two&mode=wipe") as viewer:
        viewer.page.locator("#group").select_option(label="photos at 256 px")
        viewer.page.wait_for_url("**/photos-256-*")
        viewer.page.wait_for_function("location.hash.includes('zoom=')")
        assert (viewer.at()["b"], viewer.at()["mode"]) == ("two", "wipe")


@pytest.mark.parametrize("width", [1440, 850, 390])
def test_the_picture_has_most_of_the_window_and_nothing_is_cut(browser: Any, pages: Path, width: int) -> None:
    with opened(browser, pages, "small", width=width) as viewer:
        assert viewer.page.evaluate("document.documentElement.scrollWidth") <= width
        assert viewer.page.evaluate("document.documentElement.scrollHeight") <= 900
        box = viewer.page.locator("#stage").bounding_box()
        assert box["width"] == width
        assert box["height"] >= (700 if width == 1440 else 500)


def test_the_view_stays_when_the_window_is_resized(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small", "#zoom=4&x=30&y=40") as viewer:
        viewer.page.set_viewport_size({"width": 900, "height": 800})
        viewer.settle()
        place = viewer.at()
        assert (place["x"], place["y"], place["zoom"]) == ("30", "40", "4")


def test_an_address_that_makes_no_sense_opens_the_page_all_the_same(browser: Any, pages: Path) -> None:
    with opened(browser, pages, "small", "#a=nobody&mode=7&view=99&zoom=-1&wipe=x&x=nan") as viewer:
        assert (viewer.at()["a"], viewer.at()["mode"], viewer.at()["view"]) == ("original", "flip", "0")
