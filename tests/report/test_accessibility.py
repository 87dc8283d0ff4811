"""Axe on every page, the viewer's among them, wide and narrow: no violation that it calls serious or critical.

Axe comes from npm and not with Python's packages; ``make test`` installs it where npm is.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.test_browser import SITE, browser, pytestmark  # noqa: F401  the fixture and what skips
from vitok_lib.project import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
OF_THE_THEME = ("search.html", "genindex.html")
PAGES = [
    page
    for page in sorted(SITE.rglob("*.html"))
    if page.name not in OF_THE_THEME and page.relative_to(SITE).parts[0] != "_static"
]
DARK = [SITE / name for name in ("index.html", "claims.html", "memory.html")]
CONTRAST = "color-contrast"
LATER = {"runs.html": ".vk-table:nth-of-type(n + 2), section > section:nth-of-type(n + 5)"}
LATER_ROWS = "article tbody > tr:nth-child(n + 6), article li:nth-child(n + 6)"
"""What is made as that before it is, and would take most of the time."""


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm is missing")
@pytest.mark.parametrize(
    ("width", "scheme", "pages", "options"),
    [
        (1440, "light", PAGES, "{}"),
        (390, "light", PAGES, f"{{rules: {{'{CONTRAST}': {{enabled: false}}}}}}"),
        (1440, "dark", DARK, f"{{runOnly: ['{CONTRAST}']}}"),
    ],
    ids=["wide", "narrow", "dark"],
)
def test_no_page_shuts_anyone_out(
    browser: Any,  # noqa: F811
    width: int,
    scheme: str,
    pages: list[Any],
    options: str,
) -> None:
    """Colours are the same on a narrow screen, and nothing but colours differs where it is dark."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    script = AXE.read_text(encoding="utf-8")
    found = []
    for file in pages:
        page.goto(file.as_uri())
        page.add_style_tag(content="* { transition: none !important }")  # else a colour may be seen on its way
        later = ", ".join(filter(None, (LATER_ROWS, LATER.get(file.name))))
        page.evaluate("later => document.querySelectorAll(later).forEach(one => one.remove())", later)
        page.evaluate(script)
        result = page.evaluate(f"axe.run({options})")
        found += [
            f"{file.name}: {violation['id']} at {violation['nodes'][0]['html']}"
            for violation in result["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    page.close()
    assert found == []
