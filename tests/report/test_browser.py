"""The built book in a browser, opened from disk, on a wide and on a narrow screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).resolve().parents[2] / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PAGES = ("index", "div8k", "coco", "challenge", "methods", "runs")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the book is not built: run `make book` first"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_open_from_disk(browser: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    errors: list[str] = []
    outside: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else outside.append(asked.url))
    for name in PAGES:
        page.goto((SITE / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} overflows"
        assert page.locator(".vk-legend").is_visible(), f"{name} shows no legend"
        assert page.locator("article h1").is_visible()
    assert errors == []
    assert outside == []
    page.close()


def test_a_number_leads_to_its_record(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((SITE / "index.html").as_uri())
    page.locator("a.vk-measured").first.click()
    page.wait_for_url(f"{(SITE / 'runs.html').as_uri()}#record-*")
    row = page.locator(f"#{page.url.partition('#')[2]}")
    row.wait_for(state="visible")
    assert "vitok eval" in row.inner_text()
    page.close()
