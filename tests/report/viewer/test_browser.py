"""The viewer in a browser, opened from disk with the network cut: what one sees is compared with the pictures."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fakes.visuals import Pixels, noise, write_visual
from vitok_lib.measure.quality.crops import CROP, OVERVIEW
from vitok_lib.report.viewer.cases import gather
from vitok_lib.report.viewer.layers import difference_map, error_map
from vitok_lib.report.viewer.site import publish

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")

SIDE = 96
BAD = '<img src=x onerror="alert(1)">'
ORIGINAL = noise(SIDE, SIDE, 0)
MADE = {name: noise(SIDE, SIDE, seed) for seed, name in enumerate(("one", "two", f"{BAD}$$x$$</script>"), start=1)}
LARGE = noise(1300, 1100, 5)
PANELS = ("original", "difference", "A", "error of A", "B", "error of B", "C", "error of C")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The viewer's pages over three invented images: a small one, one of a bad name, and one with crops."""
    root = tmp_path_factory.mktemp("viewer")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(root / "results"))
        write_visual("small", ORIGINAL, MADE)
        pair = {"one": noise(60, SIDE, 8), "two": noise(60, SIDE, 9)}
        write_visual(f"{BAD}.png", noise(60, SIDE, 7), pair, left_out={BAD: BAD})
        write_visual("large", LARGE, {"one": noise(1300, 1100, 6), "two": LARGE}, case="photos-2048")
        publish(gather([]), root / "site")
    return root / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Viewer:
    """A page of the viewer, and what went wrong on it."""

    page: Any
    wrong: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until what was done is on the screen and in the address."""
        self.page.wait_for_timeout(500)

    def panel(self, name: str) -> Pixels:
        box = self.page.locator(".panel").nth(PANELS.index(name))
        shot = Image.open(io.BytesIO(box.screenshot())).convert("RGB")
        return np.asarray(shot)

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label, exact=True).or_(
            self.page.get_by_text(label, exact=True)
        ).first.click()
        self.settle()


@contextmanager
def opened(browser: Any, site: Path, image: str, after: str = "", width: int = 1440) -> Iterator[Viewer]:
    (file,) = site.glob(f"*{image}*.html")
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    viewer = Viewer(context.new_page())
    page, wrong = viewer.page, viewer.wrong
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append("a dialog"), dialog.dismiss()))
    inside = (site.as_uri(), "data:", "blob:")
    page.on("request", lambda asked: None if asked.url.startswith(inside) else wrong.append(asked.url))
    page.on("requestfailed", lambda failed: wrong.append(failed.url))
    page.goto(file.as_uri() + after)
    page.wait_for_function("location.hash.includes('width=')")
    viewer.settle()
    yield viewer
    context.close()
    assert wrong == []


def enlarged(pixels: Pixels, left: int, top: int, span: int, factor: int) -> Pixels:
    """A square of ``pixels``, each of which is a square of ``factor`` screen pixels."""
    return pixels[top : top + span, left : left + span].repeat(factor, axis=0).repeat(factor, axis=1)


def at(viewer: Viewer) -> dict[str, str]:
    return dict(part.split("=") for part in viewer.page.url.partition("#")[2].split("&"))


def test_each_panel_shows_its_picture_pixel_by_pixel(browser: Any, site: Path) -> None:
    with opened(browser, site, "small") as viewer:
        viewer.press("4:1")
        place = at(viewer)
        left, top = int(place["left"]), int(place["top"])
        names = list(MADE)
        expected = {"original": ORIGINAL, "difference": difference_map(ORIGINAL, MADE[names[0]], MADE[names[1]])}
        for slot, name in zip("ABC", names, strict=True):
            expected |= {slot: MADE[name], f"error of {slot}": error_map(ORIGINAL, MADE[name])}
        for panel, pixels in expected.items():
            seen = viewer.panel(panel)
            span = len(seen) // 4
            assert span < SIDE
            assert np.array_equal(seen[: span * 4, : span * 4], enlarged(pixels, left, top, span, 4)), panel


def test_the_wheel_zooms_all_panels_together_and_mixes_no_pixels(browser: Any, site: Path) -> None:
    with opened(browser, site, "small") as viewer:
        before = float(at(viewer)["width"])
        viewer.page.keyboard.press("0")
        box = viewer.page.locator(".panel").nth(PANELS.index("error of B")).bounding_box()
        viewer.page.mouse.move(box["x"] + 60, box["y"] + 90)
        for _ in range(3):
            viewer.page.mouse.wheel(0, -200)
        viewer.page.mouse.move(box["x"] + 100, box["y"] + 100)
        viewer.page.mouse.down()
        viewer.page.mouse.move(box["x"] + 80, box["y"] + 130, steps=4)
        viewer.page.mouse.up()
        viewer.settle()
        assert float(at(viewer)["width"]) < before * 0.8
        # A shows the original now: it is the same square of the same picture, and no colour is new.
        seen = viewer.panel("original")
        assert np.array_equal(seen, viewer.panel("A"))
        known = {tuple(colour) for colour in ORIGINAL.reshape(-1, 3)}
        inner = seen[2:-2, 2:-2].reshape(-1, 3)
        assert len(np.unique(inner, axis=0)) > 100
        assert {tuple(colour) for colour in np.unique(inner, axis=0)} <= known | {(216, 216, 216)}


def test_keys_flip_between_tokenizers_and_back_to_the_original(browser: Any, site: Path) -> None:
    with opened(browser, site, "small") as viewer:
        viewer.press("2:1")
        shown = {}
        for key in "0123":
            viewer.page.keyboard.press(key)
            viewer.settle()
            shown[key] = viewer.panel("A")
        assert np.array_equal(shown["0"], viewer.panel("original"))
        assert np.array_equal(shown["2"], viewer.panel("B"))
        assert np.array_equal(shown["3"], viewer.panel("C"))
        assert len({pixels.tobytes() for pixels in shown.values()}) == 4
        viewer.page.keyboard.press("9")
        viewer.settle()
        assert np.array_equal(viewer.panel("A"), shown["3"])


def test_the_link_opens_the_same_view_again(browser: Any, site: Path) -> None:
    with opened(browser, site, "large") as viewer:
        viewer.press("largest gain")
        viewer.press("4:1")
        viewer.page.keyboard.press("2")
        viewer.settle()
        link = viewer.page.locator("#link").get_attribute("href")
        seen = {name: viewer.panel(name) for name in PANELS[:6]}
        place = at(viewer)
    with opened(browser, site, "large", "#" + link.partition("#")[2]) as viewer:
        assert at(viewer) == place
        for name, pixels in seen.items():
            assert np.array_equal(viewer.panel(name), pixels), name


def test_a_crop_is_at_native_size_and_the_overview_shows_its_box(browser: Any, site: Path) -> None:
    with opened(browser, site, "large") as viewer:
        plain = viewer.panel("B")
        assert not np.array_equal(viewer.panel("original"), plain)  # B is the original without the boxes
        viewer.press("centre")
        viewer.press("1:1")
        place = at(viewer)
        seen = viewer.panel("original")
        left, top = int(place["left"]) + (1100 - CROP) // 2, int(place["top"]) + (1300 - CROP) // 2
        assert np.array_equal(seen, LARGE[top : top + len(seen), left : left + len(seen)])
        assert np.array_equal(seen, viewer.panel("B"))
        assert (
            "crop: 23.50 dB, SSIM 0.500" in viewer.page.locator(".caption").nth(2).locator(".bk-clearfix").inner_text()
        )


def test_a_click_on_a_box_opens_its_crop(browser: Any, site: Path) -> None:
    with opened(browser, site, "large") as viewer:
        box = viewer.page.locator(".panel").first.bounding_box()
        viewer.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        viewer.settle()
        assert at(viewer)["view"] != "0"
        assert float(at(viewer)["width"]) == CROP != OVERVIEW * 1300 / 1100


def test_a_name_that_is_markup_stays_text(browser: Any, site: Path) -> None:
    with opened(browser, site, "img_src") as viewer:
        assert viewer.page.locator("h1").inner_text() == f"{BAD}.png"
        assert viewer.page.title().startswith(f"{BAD}.png")
        assert BAD in viewer.page.locator("footer").inner_text()
        assert viewer.page.locator("img").count() == 0
        options = viewer.page.locator("select").nth(1).locator("option").all_inner_texts()
        assert sorted(options) == [f"{BAD}.png", "small"]
    with opened(browser, site, "small") as viewer:
        assert viewer.page.locator(".caption").nth(6).locator("b").inner_text() == list(MADE)[2]
        assert viewer.page.locator("img").count() == 0


def test_another_image_is_chosen_with_the_tokenizers_kept(browser: Any, site: Path) -> None:
    with opened(browser, site, "large", "#a=two") as viewer:
        viewer.page.locator("select").first.select_option(label="photos at 256 px")
        viewer.page.wait_for_url("**/photos-256-*")
        viewer.page.wait_for_function("location.hash.includes('width=')")
        assert at(viewer)["a"] == "two"


@pytest.mark.parametrize("width", [1440, 850, 390])
def test_panels_are_square_and_the_page_is_no_wider_than_the_screen(browser: Any, site: Path, width: int) -> None:
    with opened(browser, site, "small", width=width) as viewer:
        assert viewer.page.evaluate("document.documentElement.scrollWidth") <= width
        for index in range(len(PANELS)):
            box = viewer.page.locator(".panel").nth(index).bounding_box()
            assert box["width"] == box["height"] >= 120


def test_the_view_stays_when_the_window_is_resized(browser: Any, site: Path) -> None:
    with opened(browser, site, "small", "#view=0&left=10&top=20&width=40") as viewer:
        viewer.page.set_viewport_size({"width": 900, "height": 800})
        viewer.page.wait_for_timeout(1000)
        place = at(viewer)
        assert (place["left"], place["top"], place["width"]) == ("10", "20", "40")
