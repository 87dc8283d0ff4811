"""The directives of speed, memory and work on small projects: without records they say so, and import no torch."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.machines import GPU, write_all_machines, write_machine
from tests.fakes.variations import write_variations
from tests.report.conftest import PROJECT, Site
from vitok_lib.errors import RequestError
from vitok_lib.published.study import write_published
from vitok_lib.report.sphinx.request import Request

MakeSite = Callable[..., Site]
CHAPTERS = ("sliding-window", "technical", "memory")
NOTHING = "Not measured yet."


def chapters() -> dict[str, str]:
    """The chapters as they are in the book; their links go to pages that a small project has not."""
    texts = {name: (PROJECT / "book" / f"{name}.md").read_text(encoding="utf-8") for name in CHAPTERS}
    return {name: re.sub(r"\[([^\]]+)\]\(\w+\.md\)", r"\1", text) for name, text in texts.items()}


@pytest.fixture
def predictions(results: Path) -> None:
    """The chapter on memory shows what was predicted of released models, which is arithmetic and needs no machine."""
    shutil.copytree(PROJECT / "results" / "derived", results / "derived")


@pytest.mark.usefixtures("predictions")
def test_chapters_build_without_a_measurement_and_say_how_to_measure(site: MakeSite) -> None:
    made = site(**chapters())
    build = made.build(after="assert 'torch' not in sys.modules")
    assert build.returncode == 0, build.stderr
    for name in CHAPTERS:
        assert NOTHING in made.html(name)
    assert "Full attention of 5B-f16x64 takes as many FLOPs" in made.html("technical")


@pytest.mark.usefixtures("predictions")
def test_chapters_show_every_benchmark_on_every_machine(site: MakeSite, results: Path) -> None:
    write_all_machines(results)
    for study, gpu in (("h200", GPU), ("cpu", None)):  # a line over the tokens takes three sizes
        where: dict[str, Any] = {"study": study, "gpu": gpu, "window": 1024, "dtype": "bfloat16"}
        write_machine(results, "sliding-window", 4096, "5B-f16x64", {"latency": 2400.0}, preset="reference", **where)
    write_variations(results, "window", "window-quality")
    write_published()
    made = site(**chapters())
    build = made.build(after="assert 'torch' not in sys.modules")
    assert build.returncode == 0, build.stderr
    runs = made.html("runs")
    for name in CHAPTERS:
        html = made.html(name)
        assert html.count("Study h200, Invented GPU") == html.count("Study cpu, invented processor") > 0
        anchors = re.findall(r'href="runs\.html#(record-[^"]+)"', html)
        assert anchors
        assert all(f'id="{anchor}"' in runs for anchor in set(anchors))
        images = re.findall(r'<img alt="([^"]+)" src="([^"]+)"', html)
        assert all(len(alt) > 40 and (made.folder / "_build" / source).exists() for alt, source in images)
    assert NOTHING not in made.html("sliding-window")


@pytest.mark.parametrize(
    ("page", "named"),
    [
        ("```{machine-table} speed\n:quantities: latency\n:tokenizers: flux\n```", "no record of flux for speed"),
        ("```{findings} prests\n```", "unknown findings 'prests'; did you mean presets"),
    ],
    ids=["tokenizer", "findings"],
)
def test_what_a_page_asks_for_in_vain_fails_the_build(site: MakeSite, page: str, named: str) -> None:
    build = site(index=f"# Index\n\n{page}\n").build()
    assert build.returncode != 0
    assert f"page 'index': {named}" in build.stderr


def test_options_are_read_or_refused_with_what_they_should_be() -> None:
    def asked(**options: str) -> Request:
        return Request("machine-table", ["speed"], options, [])

    assert asked(resolutions="1024, 2048").sizes() == [1024, 2048]
    assert asked().windows() == [None]
    assert asked(windows="full 64").windows() == [None, 64]
    assert asked(where="preset=dense|fast window=*").where() == {"preset": "dense|fast", "window": "*"}
    for read, message in (
        (asked().sizes, "'' is no list of sizes in pixels"),
        (asked(resolutions="big").sizes, "'big' is no list of sizes in pixels"),
        (asked(windows="all").windows, "'all' is no window"),
        (asked(where="preset").where, "has 'preset' without a value"),
        (asked(tokenizers="a").pair, "two ':tokenizers:', not 1"),
        (lambda: asked().cases, "needs the option ':cases:'"),
    ):
        with pytest.raises(RequestError, match=message):
            read()
