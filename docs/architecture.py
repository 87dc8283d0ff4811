"""Draw the rooms of ``vitok_lib`` and what imports what as ``architecture.svg``.

``python docs/architecture.py`` writes the picture next to this file; a test holds that it is current. An arrow points
from a room to one that it imports, inside functions too. An arrow that follows from two others is left out, and so are
the modules at the top, such as ``errors`` and ``project``, which any room may import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "vitok_lib"
PICTURE = ROOT / "docs" / "architecture.svg"

Graph = Mapping[str, set[str]]
Box = tuple[float, float, float]
"""Left and upper edge and height."""

WIDTH, BOX, GAP, ROW_GAP, LINE, MARGIN = 760, 216, 28, 44, 17, 16
LETTERS = 30
"""Of a line of a box."""
STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;font-size:12px;fill:#24292f}"
    ".name{font-size:15px;font-weight:bold}.inner{fill:#0550ae}"
    ".room{fill:#f6f8fa;stroke:#57606a}.arrow{fill:none;stroke:#8c959f;stroke-width:1.4;marker-end:url(#head)}"
)


def modules() -> dict[str, Path]:
    """Every module of the package with its file."""
    files = sorted((ROOT / PACKAGE).rglob("*.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)
    return {name.removesuffix(".__init__"): path for name, path in zip(names, files, strict=True)}


def imports() -> Iterator[tuple[Path, Path]]:
    """Each import of one file by another, read from the sources, so that those inside functions count too."""
    known = modules()
    for path in known.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in known else node.module for name in full]
            yield from ((path, known[name]) for name in names if name in known)


def room(path: Path, depth: int = 1) -> str:
    """The folder of a file, at most ``depth`` folders below the package, such as ``report`` or ``report.data``."""
    return ".".join(path.relative_to(ROOT / PACKAGE).parts[:-1][:depth])


def rooms(depth: int = 1) -> dict[str, set[str]]:
    """What each room imports; modules at the top of the package are no room."""
    graph: dict[str, set[str]] = {}
    for importer, imported in imports():
        one, other = room(importer, depth), room(imported, depth)
        for name in filter(None, (one, other)):
            graph.setdefault(name, set())
        if one and other and one != other and not one.startswith(f"{other}."):
            graph[one].add(other)
    return graph


def reachable(graph: Graph, start: str) -> set[str]:
    """Every room that ``start`` imports, directly or by way of others; ``start`` itself where there is a circle."""
    found: set[str] = set()
    left = [start]
    while left:
        new = graph[left.pop()] - found
        found |= new
        left += new
    return found


def direct(graph: Graph) -> dict[str, set[str]]:
    """``graph`` without what follows from two other imports."""
    return {
        name: {to for to in targets if not any(to in reachable(graph, via) for via in targets - {to})}
        for name, targets in graph.items()
    }


def rows(graph: Graph) -> list[list[str]]:
    """Rooms in rows, each above all that it imports; within a row, near to what imports them."""
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = 1 + max((level(to) for to in graph[name]), default=-1)
        return levels[name]

    by_level: dict[int, list[str]] = {}
    for name in sorted(graph):
        by_level.setdefault(level(name), []).append(name)
    ordered: list[list[str]] = []
    places: dict[str, float] = {}
    for number in sorted(by_level, reverse=True):
        above = {name: [places[by] for by in places if name in graph[by]] for name in by_level[number]}
        row = sorted(by_level[number], key=lambda name: sum(above[name]) / len(above[name]) if above[name] else 0.5)
        places |= {name: (place + 0.5) / len(row) for place, name in enumerate(row)}
        ordered.append(row)
    return ordered


def answer(folder: Path) -> str:
    """The first sentence of a room's docstring."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("``", "").replace("\n", " ")


def lines(name: str) -> list[tuple[str, str]]:
    """What a room's box holds, a style and a text for each line: its name, its answer and the rooms within."""
    folder = ROOT / PACKAGE / name
    inner = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    return [
        ("name", name),
        *(("", line) for line in wrap(answer(folder), LETTERS)),
        *(("inner", line) for line in wrap(" · ".join(inner), LETTERS)),
    ]


def draw() -> str:
    """The picture as SVG."""
    graph = direct(rooms())
    boxes: dict[str, Box] = {}
    shapes: list[str] = []
    top = float(MARGIN)
    number_of: dict[str, int] = {}
    for level, row in enumerate(rows(graph)):
        number_of |= dict.fromkeys(row, level)
        left = (WIDTH - len(row) * BOX - (len(row) - 1) * GAP) / 2
        height = max(len(lines(name)) for name in row) * LINE + LINE
        for place, name in enumerate(row):
            x = left + place * (BOX + GAP)
            boxes[name] = (x, top, height)
            shapes.append(f'<rect class="room" x="{x:g}" y="{top:g}" width="{BOX}" height="{height:g}" rx="6"/>')
            for number, (style, text) in enumerate(lines(name)):
                y = top + LINE * (number + 1.2)
                shapes.append(f'<text class="{style}" x="{x + 10:g}" y="{y:g}">{escape(text)}</text>')
        top += height + ROW_GAP
    arrows = [
        _arrow(boxes[one], boxes[other], number_of[other] == number_of[one] + 1)
        for one in sorted(graph)
        for other in sorted(graph[one])
    ]
    height = top - ROW_GAP + MARGIN
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#8c959f"/></marker>'
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img">',
            "<title>The rooms of vitok_lib: an arrow points from a room to one that it imports</title>",
            f"<style>{STYLE}</style><defs>{head}</defs>",
            f'<rect width="{WIDTH}" height="{height:g}" fill="#ffffff"/>',
            *arrows,
            *shapes,
            "</svg>",
            "",
        )
    )


def _arrow(start: Box, end: Box, next_row: bool) -> str:
    """A curve from one box down to another; to a row further down it leaves by the side where that is free."""
    x, y = start[0] + BOX / 2, start[1] + start[2]
    to_x, to_y = end[0] + BOX / 2, end[1]
    half = (to_y - y) / 2
    curve = f"M{x:g},{y:g} C{x:g},{y + half:g} {to_x:g},{to_y - half:g} {to_x:g},{to_y:g}"
    aside = end[0] + BOX / 5
    if not next_row and aside < start[0]:
        y = start[1] + start[2] / 2
        curve = f"M{start[0]:g},{y:g} C{aside:g},{y:g} {aside:g},{y:g} {aside:g},{to_y:g}"
    return f'<path class="arrow" d="{curve}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
