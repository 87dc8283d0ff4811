"""The rooms of the package keep the rules of docs/architecture.md, and its picture shows them as they are."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from typing import Any

import pytest

from vitok_lib.project import ROOT

ARCHITECTURE: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "architecture.py"))
MUTUAL = {
    "measure": {"quality", "speed"},
    "report": set(),
}
"""Rooms within a room that still import each other, directly or through others; fewer is better, more is a fault."""


def test_records_import_no_other_room() -> None:
    assert ARCHITECTURE["rooms"]()["records"] == set()


@pytest.mark.parametrize("room", ["records", "report"])
def test_what_reads_records_imports_nothing_of_measure(room: str) -> None:
    graph = ARCHITECTURE["rooms"]()
    assert not {"measure", "train", "cli"} & ARCHITECTURE["reachable"](graph, room)


def test_no_two_rooms_import_each_other() -> None:
    graph = ARCHITECTURE["rooms"]()
    assert {room for room in graph if room in ARCHITECTURE["reachable"](graph, room)} == set()


@pytest.mark.parametrize("room", MUTUAL)
def test_no_more_rooms_within_a_room_import_each_other(room: str) -> None:
    graph = ARCHITECTURE["rooms"](depth=2)
    inner = {name: {to for to in graph[name] if to.startswith(f"{room}.")} for name in graph if name.startswith(room)}
    inner.pop(room, None)  # its own modules
    circular = {name.partition(".")[2] for name in inner if name in ARCHITECTURE["reachable"](inner, name)}
    assert circular <= MUTUAL[room]


def test_an_import_within_a_function_counts() -> None:
    edges = {(importer.stem, imported.stem) for importer, imported in ARCHITECTURE["imports"]()}
    assert ("pixel", "perceptual") in edges, "metrics/pixel.py imports metrics/perceptual.py in a function"


def test_rooms_that_compute_nothing_are_imported_without_torch() -> None:
    """And without diffusers, which takes seconds to import."""
    rooms = ("cost", "records", "report", "published", "check")
    files = [path for path in ARCHITECTURE["modules"]().values() if ARCHITECTURE["room"](path) in rooms]
    names = [name for name, path in ARCHITECTURE["modules"]().items() if path in files and "__main__" not in name]
    assert {name.split(".")[1] for name in names} == set(rooms)
    without = "sys.modules['torch'] = sys.modules['diffusers'] = None"
    code = f"import sys, importlib\n{without}\nfor n in {names}: importlib.import_module(n)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_picture_is_current() -> None:
    held = ARCHITECTURE["PICTURE"].read_text(encoding="utf-8")
    assert held == ARCHITECTURE["draw"](), "run `python docs/architecture.py`"


def test_the_page_links_only_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 15
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert "docs/architecture.md" in (ROOT / "README.md").read_text(encoding="utf-8")
