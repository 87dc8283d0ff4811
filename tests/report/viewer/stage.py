"""A page of the viewer in a browser, and the pixels that it should show."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fakes.visuals import Pixels, noise

SIDE = 96
GROUND = (0xD8, 0xD8, 0xD8)
BAD = '<img src=x onerror="alert(1)">'
ORIGINAL = noise(SIDE, SIDE, 0)
MADE = {name: noise(SIDE, SIDE, seed) for seed, name in enumerate(("one", "two", f"{BAD}$$x$$</script>"), start=1)}
LATENT = noise(SIDE // 8, SIDE // 8, 6)
LARGE = noise(1300, 1100, 5)
BROKEN = (700, 200)  # row and column of the largest error
FRAME = """<!DOCTYPE html><body style="margin: 0">
<iframe src="{page}" style="width: min(900px, 100vw); height: 600px"></iframe><div style="height: 3000px">"""


@dataclass
class Viewer:
    """A page of the viewer, and what went wrong on it."""

    page: Any
    wrong: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until what was done is on the screen and in the address."""
        self.page.wait_for_timeout(250)

    def stage(self) -> Pixels:
        self.page.evaluate("document.getElementById('name').style.visibility = 'hidden'")
        shot = Image.open(io.BytesIO(self.page.locator("#stage").screenshot())).convert("RGB")
        return np.asarray(shot)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.settle()

    def click(self, label: str) -> None:
        self.page.get_by_role("button", name=label, exact=True).click()
        self.settle()

    def at(self) -> dict[str, str]:
        return dict(part.split("=") for part in self.page.url.partition("#")[2].split("&"))

    def shows(self, pixels: Pixels, factor: int) -> bool:
        """Whether the stage shows ``pixels`` where the address says, each as a square of ``factor`` screen pixels."""
        return np.array_equal(self.stage(), self.expected(pixels, factor))

    def expected(self, pixels: Pixels, factor: int) -> Pixels:
        size = self.stage().shape
        place, canvas = self.at(), np.full(size, GROUND, np.uint8)
        left = round(size[1] / 2 - float(place["x"]) * factor)
        top = round(size[0] / 2 - float(place["y"]) * factor)
        large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
        rows, columns = slice(max(top, 0), top + len(large)), slice(max(left, 0), left + large.shape[1])
        part = large[max(-top, 0) :, max(-left, 0) :]
        height, width = canvas[rows, columns].shape[:2]
        canvas[rows, columns] = part[:height, :width]
        return canvas


@contextmanager
def opened(
    browser: Any, site: Path, image: str, after: str = "", width: int = 1440, touch: bool = False
) -> Iterator[Viewer]:
    """The page of ``image``, which must send no request out of its folder and write no error to the console."""
    (file,) = site.glob(f"*{image}*.html")
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, has_touch=touch)
    viewer = Viewer(context.new_page())
    page, wrong = viewer.page, viewer.wrong
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append("a dialog"), dialog.dismiss()))
    inside = (site.as_uri(), "data:", "blob:")
    page.on("request", lambda asked: None if asked.url.startswith(inside) else wrong.append(asked.url))
    page.on("requestfailed", lambda failed: wrong.append(failed.url))
    page.goto(file.as_uri() + after)
    if image != "frame":
        page.wait_for_function("location.hash.includes('zoom=')")
    viewer.settle()
    yield viewer
    context.close()
    assert wrong == []
