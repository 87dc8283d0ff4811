"""The viewer's folder of the site: its pages, their pictures, and Bokeh's scripts from its wheel."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import bokeh

from vitok_lib.report.viewer import layers as viewer_layers
from vitok_lib.report.viewer.cases import Shown, captions
from vitok_lib.report.viewer.layers import Layers
from vitok_lib.report.viewer.page import SCRIPTS_ROOT, Neighbours, render

SCRIPTS = ("bokeh.min.js", "bokeh-widgets.min.js")
_WHEEL = Path(bokeh.__file__).parent / "server" / "static" / "js"


def publish(pages: Sequence[Shown], folder: Path) -> set[Path]:
    """Write every page and what it loads into ``folder``; the files that are needed there.

    A page that would come out the same is left as it is: Bokeh takes half a second for each.

    Raises:
        RequestError: a picture is missing, or is not the one that was kept.
    """
    kept: set[Path] = set()
    for page in pages:
        layers = viewer_layers.publish(page, folder)
        neighbours = Neighbours(_groups(page, pages), _images(page, pages))
        target = folder / page.page
        mark = f"<!-- {_digest(page, layers, neighbours)} -->\n"
        if not (target.exists() and target.read_text(encoding="utf-8").endswith(mark)):
            target.write_text(render(page, layers, neighbours) + mark, encoding="utf-8")
        kept |= {target, *(folder / name for held in layers for name in held.files.values())}
    scripts = folder / SCRIPTS_ROOT / "static" / "js"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        kept.add(Path(shutil.copyfile(_WHEEL / name, scripts / name)))
    return kept


def _digest(page: Shown, layers: Sequence[Layers], neighbours: Neighbours) -> str:
    """Of all that a page depends on."""
    code = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("[a-z]*"))]
    parts = [page.visual.model_dump_json(), captions(page), layers, neighbours, bokeh.__version__, code]
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


def _groups(page: Shown, pages: Sequence[Shown]) -> list[tuple[str, str]]:
    """One page of each image set at a resolution: the same image where that is there, and else the first."""
    chosen: dict[str, str] = {}
    for other in pages:
        if other.group not in chosen or other.visual.image == page.visual.image:
            chosen[other.group] = other.page
    chosen[page.group] = page.page
    return [(target, group) for group, target in chosen.items()]


def _images(page: Shown, pages: Sequence[Shown]) -> list[tuple[str, str]]:
    return [(other.page, other.visual.image) for other in pages if other.group == page.group]
