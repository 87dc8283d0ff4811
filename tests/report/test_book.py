"""The book itself: a whole build over invented records, its pages and their links, and a missing record."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.fakes.latents import write_latents
from tests.fakes.machines import write_h100
from tests.fakes.records import write_all, write_colours, write_curve

PROJECT = Path(__file__).resolve().parents[2]
CONTENTS = yaml.safe_load((PROJECT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = (CONTENTS["root"], *(chapter["file"] for chapter in CONTENTS["chapters"] if "file" in chapter))
WITHOUT_RECORDS = ("methods", "faq", "viewer", "depth")
"""Pages that show no record, or none of those that are invented here."""
NOTEBOOK = """{"cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# A run"]},
 {"cell_type": "code", "execution_count": 1, "id": "b", "metadata": {}, "source": ["print('done')"],
  "outputs": [{"name": "stdout", "output_type": "stream", "text": ["done"]}]}],
 "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
 "nbformat": 4, "nbformat_minor": 5}"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the book, built; every record in it but the published and the predicted ones is invented."""
    root = tmp_path_factory.mktemp("project")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(PROJECT / name, root / name)
    ignored = shutil.ignore_patterns("runs", "generated", "_build")
    shutil.copytree(PROJECT / "book", root / "book", symlinks=True, ignore=ignored)
    shutil.copytree(PROJECT / "docs" / "examples", root / "docs" / "examples")
    for study in ("published", "derived"):
        shutil.copytree(PROJECT / "results" / study, root / "results" / study)
    write_all(root / "results")
    write_curve(root / "results", "cpu", "avif", 0.6)  # the page of rates compares with it
    write_colours(root / "results")
    write_latents(root / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITOK_RESULTS", str(root / "results"))
        write_h100(root / "results")
    build = build_book(root)
    assert build.returncode == 0, build.stdout[-3000:] + build.stderr[-3000:]
    return root


def build_book(root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VITOK_RESULTS": str(root / "results"), "PYTHONPATH": str(PROJECT)}
    script = "from jupyter_book.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, "build", "book/", "-W", "--keep-going"],
        cwd=root,
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_methods_show_the_example_that_a_test_runs(book: Path) -> None:
    shown = parse_text(book / "_build" / "html" / "methods.html")
    for line in filter(str.strip, (PROJECT / "docs" / "examples" / "block_dct.py").read_text().splitlines()):
        assert line in shown


def test_table_of_contents_is_linked_into_the_book() -> None:
    link = PROJECT / "book" / "_toc.yml"
    assert link.is_symlink()
    assert os.readlink(link) == "../_toc.yml"


def test_site_lands_at_the_top(book: Path) -> None:
    assert "Which image tokenizer?" in (book / "_build" / "html" / "index.html").read_text()


def test_every_page_has_the_legend(book: Path) -> None:
    for page in PAGES:
        html = (book / "_build" / "html" / f"{page}.html").read_text()
        assert html.count('class="vk-legend"') == 1
        for kind in ("measured", "derived", "published", "estimated"):
            assert f"vk-{kind}" in html


class Text(HTMLParser):
    """What a page says, without markup."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def parse_text(page: Path) -> str:
    text = Text()
    text.feed(page.read_text(encoding="utf-8"))
    return "".join(text.parts)


class Links(HTMLParser):
    """What a page loads, and what it links to within the site."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        if tag in ("script", "img", "iframe", "source") and found.get("src"):
            self.loaded.append(found["src"] or "")
        if tag == "link" and found.get("rel") not in ("canonical", "author"):
            self.loaded.append(found.get("href") or "")
        if tag == "a" and found.get("href"):
            self.linked.append(found["href"] or "")


def parse(page: Path) -> Links:
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


def test_no_page_loads_anything_from_another_host(book: Path) -> None:
    for page in (book / "_build" / "html").glob("*.html"):
        outside = [url for url in parse(page).loaded if re.match(r"(https?:)?//", url)]
        assert outside == [], page.name


def test_every_number_links_to_an_entry_of_the_runs(book: Path) -> None:
    site = book / "_build" / "html"
    ids = parse(site / "runs.html").ids
    for page in PAGES:
        linked = [url.partition("#") for url in parse(site / f"{page}.html").linked]
        here = "" if page == "runs" else "runs.html"  # other pages have headings of such names
        targets = [target for file, _, target in linked if file == here and target.startswith("record-")]
        assert set(targets) <= ids
        assert targets or page in WITHOUT_RECORDS, page


def test_executed_notebooks_join_and_a_rebuild_is_quick(book: Path) -> None:
    runs = book / "book" / "runs"
    runs.mkdir()
    (runs / "photos.ipynb").write_text(NOTEBOOK)
    before = (book / "_build" / "html" / "index.html").stat().st_mtime_ns
    build = build_book(book)
    assert build.returncode == 0, build.stdout[-3000:] + build.stderr[-3000:]
    assert "A run" in (book / "_build" / "html" / "runs" / "photos.html").read_text()
    assert "runs/photos.html" in (book / "_build" / "html" / "runs.html").read_text()
    assert before <= (book / "_build" / "html" / "index.html").stat().st_mtime_ns


def test_a_missing_record_fails_the_bare_build(book: Path) -> None:
    """Of one page: on what a whole book does, each page of which reads the records, this says no more."""
    page = book / "book" / "small-tokenizers.md"
    page.write_text(re.sub(r"\[([^\]]+)\]\([\w-]+\.md\)", r"\1", page.read_text()))  # there are no other pages
    (book / "_toc.yml").write_text("format: jb-book\nroot: small-tokenizers\nchapters:\n  - file: runs\n")
    shutil.rmtree(book / "_build")
    (book / "results" / "cpu" / "leaves-512" / "nano-f32x128.json").unlink()
    build = build_book(book)
    assert build.returncode != 0
    assert "no record of nano-f32x128 for 'leaves-512'" in build.stdout + build.stderr
