"""What the tests of the report share: a results folder of invented records, and small Sphinx projects over it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.sphinx import build_pages

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results folder that the library reads."""
    root = tmp_path / "results"
    root.mkdir()
    monkeypatch.setenv("VITOK_RESULTS", str(root))
    return root


@dataclass
class Site:
    """A Sphinx project with MyST and the report's extension; ``build`` runs in a process of its own."""

    folder: Path
    results: Path

    def write(self, page: str, text: str) -> None:
        (self.folder / f"{page}.md").write_text(text, encoding="utf-8")

    def build(self, after: str = "") -> subprocess.CompletedProcess[str]:
        """Build with warnings as errors; ``after`` is Python to run after the build, in the same process."""
        return build_pages(self.folder, self.folder / "_build", self.results, after)

    def html(self, page: str) -> str:
        return (self.folder / "_build" / f"{page}.html").read_text(encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, results: Path) -> Callable[..., Site]:
    """A project of the given pages; ``runs`` is there unless given."""

    def make(**pages: str) -> Site:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "conf.py").write_text(
            'extensions = ["myst_parser", "vitok_lib.report.sphinx.extension"]\nhtml_theme = "basic"\n'
        )
        made = Site(folder, results)
        pages = {"runs": "# Runs\n\n```{run-list}\n```\n", **pages}
        others = "\n".join(page for page in pages if page != "index")
        pages["index"] = pages.get("index", "# Index\n") + f"\n```{{toctree}}\n{others}\n```\n"
        for page, text in pages.items():
            made.write(page, text)
        return made

    return make
