"""Axe on every chapter, light and dark: no violation that it calls serious or critical.

Axe comes from npm and not with Python's packages; ``make test`` installs it where npm is.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.test_browser import PAGES, SITE, browser, pytestmark  # noqa: F401  the fixture and what skips
from vitok_lib.project import ROOT

RULES = {"light": "resultTypes: ['violations']", "dark": "resultTypes: ['violations'], runOnly: ['color-contrast']"}
"""What is dark differs in its colours alone."""
CHAPTERS = {"light": [page for page in PAGES if page != "runs"], "dark": ["index", "claims", "memory"]}
"""Axe takes minutes over the thousands of links of the page of runs, whose tables are made as all others are."""
LATER_ROWS = "tbody > tr:nth-child(n + 6)"
"""Rows that are made as those before them are, and would take most of the time."""
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm is missing")
@pytest.mark.parametrize("scheme", RULES)
def test_no_chapter_shuts_anyone_out(browser: Any, scheme: str) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    script = AXE.read_text(encoding="utf-8")
    found = []
    for name in CHAPTERS[scheme]:
        page.goto(f"{SITE.as_uri()}/{name}.html")
        page.add_style_tag(content="* { transition: none !important }")  # else a colour may be seen on its way
        page.evaluate(script)
        result = page.evaluate(f"axe.run({{exclude: ['{LATER_ROWS}']}}, {{{RULES[scheme]}}})")
        found += [
            f"{name}: {violation['id']} at {violation['nodes'][0]['html']}"
            for violation in result["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    page.close()
    assert found == []
