"""The built book in a browser, from disk and served, with no way out to the network, on wide and narrow screens."""

from __future__ import annotations

import csv
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

import pytest
import yaml

from vitok_lib.project import ROOT

SITE = ROOT / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CONTENTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = (CONTENTS["root"], *(chapter["file"] for chapter in CONTENTS["chapters"] if "file" in chapter))
SORTED = "div8k"
"""A page whose first table has numbers, gaps and several evidence levels."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="the book is not built: run `make book` first"),
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """A test prints what failed and no requests."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        # Every name but that of the test's own server leads nowhere.
        rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", rules])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(params=["disk", "served"])
def base(request: pytest.FixtureRequest) -> str:
    return SITE.as_uri() if request.param == "disk" else request.getfixturevalue("served")


@pytest.fixture
def page(browser: Any, base: str) -> Iterator[Any]:
    """A page that fails its test for an error in the console, and for a request that leaves the site."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request", lambda asked: None if asked.url.startswith((base, "data:", "blob:")) else wrong.append(asked.url)
    )
    yield opened
    opened.close()
    assert wrong == []


def test_every_chapter_opens(page: Any, base: str) -> None:
    for name in PAGES:
        page.goto(f"{base}/{name}.html")
        for width, scheme in ((1280, "light"), (390, "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} overflows at {width} px"
            assert page.locator("article h1").first.is_visible(), f"{name} has no heading at {width} px"


BUILT = sorted(file.stem for file in SITE.glob("*.html") if file.stem not in ("genindex", "search"))
"""Every page that holds tables or figures."""
ROOM = """() => {
    const article = document.querySelector('article'), style = getComputedStyle(article);
    return article.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
}"""
CUT = """() => [...document.querySelectorAll('article table')].filter(table => {
    const box = table.closest('.vk-table') || table.closest('.pst-scrollable-table-container');
    return table.getBoundingClientRect().right > box.getBoundingClientRect().right + 1;
}).map(table => table.innerText.slice(0, 60))"""
HIDDEN_MORE = """() => [...document.querySelectorAll('article table')].filter(table => {
    const box = table.closest('.vk-table') || table.closest('.pst-scrollable-table-container');
    const edge = box.getBoundingClientRect();
    if (edge.right > innerWidth) return true;
    if (table.getBoundingClientRect().right <= edge.right + 1) return false;
    box.scrollLeft = box.scrollWidth;
    const first = table.tBodies[0].rows[0].cells[0].getBoundingClientRect();
    const inside = table.getBoundingClientRect().right <= edge.right + 1 && Math.abs(first.left - edge.left) < 2;
    box.scrollLeft = 0;
    return !(inside && box.classList.contains('vk-scrolls') && getComputedStyle(box).maskImage !== 'none');
}).map(table => table.innerText.slice(0, 60))"""


def test_a_wide_screen_is_used_and_shows_every_table_whole(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    for name in BUILT:
        page.goto(f"{SITE.as_uri()}/{name}.html")
        assert page.evaluate(ROOM) >= 1100, name
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440, name
        assert page.evaluate(CUT) == [], name
    page.close()


def test_on_a_narrow_screen_a_table_is_seen_to_scroll_and_keeps_its_first_column(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    for name in BUILT:
        page.goto(f"{SITE.as_uri()}/{name}.html")
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.evaluate(HIDDEN_MORE) == [], name
    page.close()


def test_one_legend_follows_and_opens_by_key(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    legend, meanings = page.locator(".vk-legend"), page.locator(".vk-legend dd")
    assert legend.count() == 1
    assert not meanings.first.is_visible()
    page.evaluate("scrollTo(0, 3000)")
    assert legend.locator("summary").bounding_box()["y"] < 60, "it stays in sight"
    legend.locator("summary").focus()
    page.keyboard.press("Enter")
    assert meanings.first.is_visible()
    page.keyboard.press("Escape")
    assert not meanings.first.is_visible()


def test_the_contents_of_a_page_open_on_demand(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    entry = page.locator(".bd-sidebar-secondary a").first
    assert not entry.is_visible()
    page.get_by_role("button", name="Contents of this page").click()
    entry.click()
    assert "#" in page.url
    assert not entry.is_visible()


def test_the_facts_of_a_number_are_shown_to_keys_and_to_the_mouse(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    number, tip = page.locator("td a.vk-published").first, page.locator("#vk-tip")
    assert number.get_attribute("title") is None
    number.focus()
    assert tip.is_visible()
    assert number.get_attribute("aria-describedby") == "vk-tip"
    assert "published" in tip.inner_text()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    number.hover()
    tip.hover()
    page.wait_for_timeout(400)
    assert tip.is_visible(), "the pointer may move onto it"
    assert page.locator("td span.vk[data-tip]:not([tabindex])").count() == 0, "one without a link has the focus too"


TOO_SMALL = """els => els.filter(e => e.checkVisibility()).map(e => [e.outerHTML, e.getBoundingClientRect()])
    .filter(([_, box]) => Math.min(box.width, box.height) < 24).map(([text]) => text)"""
"""What a fingertip misses (WCAG 2.5.8); links in a sentence are exempt."""


def test_the_first_tap_shows_the_facts_and_the_second_follows_the_link(browser: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{SITE.as_uri()}/{SORTED}.html")
    tapped = (
        ".vk-table a, .vk-table .vk[data-tip], .vk-download a, .vk-filter :is(input, select), article button, summary"
    )
    assert page.eval_on_selector_all(tapped, TOO_SMALL) == []
    number, tip = page.locator("td a.vk").first, page.locator("#vk-tip")
    number.tap()
    assert tip.is_visible()
    assert tip.bounding_box()["x"] >= 0
    assert tip.bounding_box()["x"] + tip.bounding_box()["width"] <= 390
    assert page.url.endswith(f"{SORTED}.html")
    number.tap()
    page.wait_for_url("**/runs.html#record-*")
    context.close()


def test_every_internal_link_resolves(browser: Any) -> None:
    page = browser.new_page(java_script_enabled=False)
    found = "els => els.map(e => e.getAttribute('href') || e.getAttribute('src') || e.getAttribute('data'))"
    targets: dict[str, set[str]] = {}
    anchors: dict[str, set[str]] = {}
    files = [file for file in sorted(SITE.rglob("*.html")) if "_static" not in file.parts]
    for file in files:
        page.goto(file.as_uri())
        anchors[file.as_uri()] = set(page.eval_on_selector_all("[id]", "els => els.map(e => e.id)")) | {""}
        for link in page.eval_on_selector_all("a[href], img[src], script[src], link[href], iframe[src]", found):
            if link and not link.startswith(("http:", "https:", "mailto:", "data:", "javascript:")):
                targets.setdefault(urljoin(file.as_uri(), link), set()).add(file.name)
    page.close()
    missing = []
    for target, sources in targets.items():
        address, anchor = urldefrag(target)
        address = address.partition("?")[0]
        exists = Path(unquote(address.removeprefix("file://"))).exists()
        if not exists or (address in anchors and unquote(anchor) not in anchors[address]):
            missing.append(f"{target} on {', '.join(sorted(sources))}")
    assert len(targets) > len(files)
    assert missing == []


def test_a_number_leads_to_its_record(page: Any, base: str) -> None:
    page.goto(f"{base}/index.html")
    page.locator("a.vk-measured").first.click()
    page.wait_for_url(f"{base}/runs.html#record-*")
    row = page.locator(f"#{page.url.partition('#')[2]}")
    row.wait_for(state="visible")
    assert "vitok" in row.inner_text(), "the record names its command"


def _column(table: Any, column: int) -> list[dict[str, Any]]:
    """The amount and the text of the cells of a column that are in sight."""
    script = """(rows, column) => rows.filter(row => !row.hidden).map(row => {
        const cell = row.cells[column], number = cell.querySelector('[data-amount]');
        return {amount: number ? Number(number.dataset.amount) : null, text: cell.textContent.trim()};
    })"""
    found: list[dict[str, Any]] = table.locator("tbody tr").evaluate_all(script, column)
    return found


def test_a_heading_sorts_by_mouse_and_by_key(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    table = page.locator(".vk-table table").first
    heads = table.locator("thead tr").last.locator("th")
    column = 2
    head, button = heads.nth(column), heads.nth(column).locator("button")
    before = _column(table, column)
    amounts = [cell["amount"] for cell in before if cell["amount"] is not None]
    assert 1 < len(amounts) < len(before), "the test needs a column with numbers and gaps"
    gaps = [None] * (len(before) - len(amounts))

    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [cell["amount"] for cell in _column(table, column)] == sorted(amounts) + gaps
    button.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert [cell["amount"] for cell in _column(table, column)] == sorted(amounts, reverse=True) + gaps
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") is None
    assert _column(table, column) == before


def test_rows_are_filtered_by_words_and_by_evidence_level(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    table, bar = page.locator(".vk-table table").first, page.locator("form.vk-filter").first
    names = [cell["text"] for cell in _column(table, 0)]
    bar.locator("input").fill("5b F32")
    wanted = [name for name in names if "5B-f32" in name]
    assert [cell["text"] for cell in _column(table, 0)] == wanted
    assert bar.locator("output").inner_text() == f"{len(wanted)} of {len(names)} rows"
    bar.locator("input").fill("")
    bar.locator("select").select_option("estimated")
    shown = table.locator("tbody tr:not([hidden])")
    assert 0 < shown.count() < len(names)
    assert all(shown.nth(index).locator(".vk-estimated").count() for index in range(shown.count()))
    bar.locator("select").select_option("any evidence level")
    assert [cell["text"] for cell in _column(table, 0)] == names


def test_a_table_downloads_as_csv_with_its_rows(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    link = page.locator(".vk-download a").first
    file = SITE / unquote(urljoin(f"{SORTED}.html", link.get_attribute("href")))
    rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    assert [row[0] for row in rows[1:]] == [cell["text"] for cell in _column(page.locator(".vk-table table").first, 0)]


def test_print_shows_whole_tables_and_no_controls(page: Any, base: str) -> None:
    page.goto(f"{base}/{SORTED}.html")
    page.emulate_media(media="print")
    assert not page.locator("form.vk-filter").first.is_visible()
    assert page.locator(".vk-table").first.evaluate("box => getComputedStyle(box).overflowX") == "visible"
