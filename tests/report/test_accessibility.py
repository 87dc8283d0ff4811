"""Axe on every page, the viewer's among them, wide and narrow: no violation that it calls serious or critical.

Axe comes from npm and not with Python's packages; ``make test`` installs it where npm is. Two things keep a page to a
second. Contrast, three quarters of axe's time, is measured once for each look that a text has on the page. A narrow
screen is asked for all that axe knows on one page of each kind, and on the others for what depends on the layout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.report.test_browser import SITE, browser, pytestmark  # noqa: F401  the fixture and what skips
from vitok_lib.project import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
with_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm is missing")
OF_THE_THEME = ("search.html", "genindex.html")
PAGES = [
    page
    for page in sorted(SITE.rglob("*.html"))
    if page.name not in OF_THE_THEME and page.relative_to(SITE).parts[0] != "_static"
]
EACH_KIND = {*{page.parent: page for page in PAGES}.values(), SITE / "index.html", SITE / "viewer.html"}
"""A page of each folder, which hold chapters, runs and the viewer's, and two chapters unlike the others."""
DARK = [SITE / name for name in ("index.html", "claims.html", "memory.html")]
LATER = {"runs.html": ".vk-table:nth-of-type(n + 2), section > section:nth-of-type(n + 5)"}
LATER_ROWS = "article tbody > tr:nth-child(n + 6), article li:nth-child(n + 6)"
"""What is made as that before it is, and would take most of the time."""
CONTRAST = "color-contrast"
FULL = "{resultTypes: ['violations']}"
WITHOUT_CONTRAST = f"{{resultTypes: ['violations'], rules: {{'{CONTRAST}': {{enabled: false}}}}}}"
ONLY_CONTRAST = f"{{resultTypes: ['violations'], runOnly: ['{CONTRAST}']}}"
OF_THE_WIDTH = ("scrollable-region-focusable", "aria-hidden-focus", "button-name", "link-name", "label", "select-name")
"""Rules about what a width lets scroll, shows or hides."""
ONLY_THE_WIDTH = f"{{resultTypes: ['violations'], runOnly: {list(OF_THE_WIDTH)}}}"
ONE_TEXT_OF_EACH_LOOK = """() => {
    const grounds = new Map(), seen = new Set();
    const ground = element => {  // what lies behind: of each ancestor that changes it, how
        if (element === null) return '';
        if (!grounds.has(element)) {
            const style = getComputedStyle(element);
            const own = `${style.backgroundColor} ${style.backgroundImage} ${style.opacity} ${style.position};`;
            const changes = own !== 'rgba(0, 0, 0, 0) none 1 static;';
            grounds.set(element, ground(element.parentElement) + (changes ? own : ''));
        }
        return grounds.get(element);
    };
    for (const element of document.body.querySelectorAll('*')) {
        const text = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!text && !element.matches('input, select, textarea') || !element.checkVisibility()) continue;
        const style = getComputedStyle(element);
        const look = [style.color, style.fontSize, style.fontWeight, style.textShadow, ground(element),
                      element.closest('label, [disabled], [aria-disabled]') !== null].join('|');
        if (!seen.has(look)) element.setAttribute('data-first-of-its-look', '');
        seen.add(look);
    }
    axe.configure({rules: [{id: 'color-contrast', selector: '[data-first-of-its-look]'}]});
}"""
FAULTS = {
    "color-contrast": "<p style='color: #aaa; background: #bbb'>pale</p>",
    "image-alt": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
    "link-name": "<a href='index.html'></a>",
    "button-name": "<button></button>",
    "label": "<input type='text'>",
    "select-name": "<select><option>one</option></select>",
    "aria-hidden-focus": "<div aria-hidden='true'><a href='index.html'>hidden</a></div>",
    "aria-valid-attr": "<p aria-labeled='x'>misspelt</p>",
    "td-headers-attr": "<table><tr><td id='one'>1</td><td headers='none'>2</td></tr></table>",
    "list": "<ul><p>no entry</p></ul>",
    "scrollable-region-focusable": "<div style='width: 100px; height: 50px; overflow: scroll'>"
    "<div style='width: 900px; height: 900px'>text</div></div>",
}


def _open(page: Any, file: Path, faults: str = "") -> None:
    """Go to a page, plant faults in it, and make axe ready in it."""
    page.goto(file.as_uri())
    page.add_style_tag(content="* { transition: none !important }")  # else a colour may be seen on its way
    later = ", ".join(filter(None, (LATER_ROWS, LATER.get(file.name))))
    page.evaluate("later => document.querySelectorAll(later).forEach(one => one.remove())", later)
    if faults:
        page.evaluate("faults => document.querySelector('article').insertAdjacentHTML('beforeend', faults)", faults)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(ONE_TEXT_OF_EACH_LOOK)


def _violations(page: Any, options: str) -> dict[str, str]:
    """Of each rule that is broken, the first place."""
    result = page.evaluate(f"axe.run({options})")
    return {
        violation["id"]: violation["nodes"][0]["html"]
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    }


@with_axe
def test_no_page_shuts_anyone_out(browser: Any) -> None:  # noqa: F811
    """Colours are the same on a narrow screen."""
    page = browser.new_page()
    found = []
    for file in PAGES:
        page.set_viewport_size({"width": 390, "height": 900})  # first: the theme finds what scrolls as it loads
        _open(page, file)
        options = WITHOUT_CONTRAST if file in EACH_KIND else ONLY_THE_WIDTH
        found += [(file.name, "narrow", *broken) for broken in _violations(page, options).items()]
        page.set_viewport_size({"width": 1440, "height": 900})
        found += [(file.name, "wide", *broken) for broken in _violations(page, FULL).items()]
    page.close()
    assert found == []


@with_axe
def test_nothing_is_too_pale_in_the_dark(browser: Any) -> None:  # noqa: F811
    """Nothing but colours differs there."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    found = []
    for file in DARK:
        _open(page, file)
        found += [(file.name, *broken) for broken in _violations(page, ONLY_CONTRAST).items()]
    page.close()
    assert found == []


@with_axe
def test_a_fault_that_is_planted_is_seen(browser: Any) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    _open(page, SITE / "index.html", "".join(FAULTS.values()))
    assert _violations(page, FULL).keys() == FAULTS.keys()
    page.set_viewport_size({"width": 390, "height": 900})
    assert _violations(page, WITHOUT_CONTRAST).keys() == FAULTS.keys() - {CONTRAST}
    assert _violations(page, ONLY_THE_WIDTH).keys() == set(OF_THE_WIDTH)
    page.close()
