"""The viewer of the built book, opened from disk: every tokenizer of every case, and where a page opens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.report.test_browser import SITE, browser, pytestmark  # noqa: F401  the fixture and what skips
from vitok_lib.records.store import read_record
from vitok_lib.report.page.docutils_nodes import RECORDS_FOLDER

CASES = sorted((SITE / "viewer").glob("*.html"))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:  # noqa: F811
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("requestfailed", lambda failed: wrong.append(failed.url))
    yield opened
    opened.close()
    assert wrong == []


def show(page: Any, case: Any) -> list[str]:
    """Open a case; the names that its list for B offers."""
    page.goto(case.as_uri())
    page.wait_for_function("location.hash.includes('zoom=')")
    names: list[str] = page.locator("#b option").evaluate_all("all => all.map(one => one.value)")
    return names


def test_every_tokenizer_of_every_case_is_shown(page: Any) -> None:
    assert CASES
    for case in CASES:
        names = show(page, case)
        for name in [*names[2:], *names[:2]]:
            page.keyboard.press("n")
            assert page.locator("#name").inner_text() == name
        page.wait_for_function("[...images.values()].every(image => image.complete)")
        widths = page.evaluate("[...images.values()].map(image => image.naturalWidth)")
        assert len(widths) == len(names), f"two tokenizers of {case.name} share a picture"
        assert all(widths)


def test_a_committed_case_offers_every_tokenizer_that_its_images_were_measured_with(page: Any) -> None:
    measured: dict[str, set[str]] = {}
    for path in (SITE / RECORDS_FOLDER / "cpu").glob("*/*.json"):
        record = read_record(path)
        if record.value("psnr") is not None:
            measured.setdefault(path.parent.name, set()).add(record.tokenizer.name)
    committed = [(case, names) for case in CASES for group, names in measured.items() if f"{group}-" in case.name]
    assert committed
    for case, names in committed:
        assert names <= set(show(page, case)), case.name


def test_a_case_with_crops_opens_on_that_of_the_largest_error(page: Any) -> None:
    cropped = 0
    for case in CASES:
        show(page, case)
        if page.locator("#view option").count() > 1:
            assert page.locator("#view option:checked").inner_text() == "largest error"
            cropped += 1
    assert cropped
