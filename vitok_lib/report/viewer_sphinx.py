"""The viewer on the site: a directive that shows it on a page, and the pages themselves, written after the build.

``{viewer}``: the viewer in a frame, and a link to the page of each image. Without pictures it names the command.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from vitok_lib.errors import RequestError
from vitok_lib.records.store import results_root
from vitok_lib.records.visuals import FOLDER as VISUALS
from vitok_lib.records.visuals import MANIFEST
from vitok_lib.report import viewer
from vitok_lib.report.entries import load
from vitok_lib.report.viewer import Shown

SCRIPTS = ("bokeh.min.js", "bokeh-widgets.min.js")


class Viewer(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        for path in (Path(__file__), Path(viewer.__file__), *_manifests()):
            self.env.note_dependency(str(path))
        try:
            pages = viewer.gather([])
        except RequestError as error:
            raise ExtensionError(f"page '{self.env.docname}': {error}") from error
        if not pages:
            words = nodes.Text("No pictures have been made yet. They appear here after ")
            return [nodes.paragraph("", "", words, nodes.literal("", viewer.COMMAND), nodes.Text("."))]
        up = "../" * self.env.docname.count("/") + viewer.FOLDER
        frame = (
            f'<iframe class="vk-viewer" src="{up}/{pages[0].page}" loading="lazy" '
            'title="Viewer: original, reconstructions and maps of their errors"></iframe>'
        )
        full = nodes.reference("", "The viewer on a page of its own", refuri=f"{up}/{pages[0].page}", internal=True)
        return [nodes.raw("", frame, format="html"), nodes.paragraph("", "", full), self._list(pages, up)]

    @staticmethod
    def _list(pages: Sequence[Shown], up: str) -> nodes.Node:
        """A link to the page of each image, an item for each image set at a resolution."""
        listed = nodes.bullet_list()
        for group, held in groupby(pages, lambda page: page.group):
            line = nodes.paragraph("", f"{group}: ")
            for index, page in enumerate(held):
                line += [nodes.Text(", ")] if index else []
                line += nodes.reference("", page.visual.image, refuri=f"{up}/{page.page}", internal=True)
            listed += nodes.list_item("", line)
        return listed


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> Iterable[str]:
    """Every page with the viewer, when pictures have come or gone since the last build."""
    names = sorted(map(str, _manifests()))
    before = getattr(env, "vitok_visuals", None)
    env.vitok_visuals = names  # type: ignore[attr-defined]
    return [] if before == names else [page for page, files in env.dependencies.items() if __file__ in files]


def write_pages(app: Sphinx, exception: Exception | None) -> None:
    """The viewer's pages with their pictures and Bokeh's scripts; what an earlier build left and no page needs goes."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / viewer.FOLDER
    try:
        kept = publish(viewer.gather(load()), folder)
    except RequestError as error:
        raise ExtensionError(f"the viewer: {error}") from error
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def publish(pages: Sequence[Shown], folder: Path) -> set[Path]:
    """Write every page and what it loads into ``folder``; the files that are needed there."""
    if not pages:
        return set()
    import bokeh

    from vitok_lib.report import viewer_layers
    from vitok_lib.report.viewer_page import Neighbours, render

    kept: set[Path] = set()
    for page in pages:
        layers = viewer_layers.publish(page, folder)
        target = folder / page.page
        neighbours = Neighbours(_groups(page, pages), _images(page, pages))
        target.write_text(render(page, layers, neighbours), encoding="utf-8")
        kept |= {target, *(folder / name for held in layers for name in held.files.values())}
    scripts = folder / "bk" / "static" / "js"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        shutil.copyfile(Path(bokeh.__file__).parent / "server" / "static" / "js" / name, scripts / name)
        kept.add(scripts / name)
    return kept


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


def _manifests() -> list[Path]:
    return sorted(results_root().glob(f"*/{VISUALS}/*/*/{MANIFEST}"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything with Sphinx."""
    app.add_directive("viewer", Viewer)
    app.connect("env-get-outdated", outdated)
    app.connect("build-finished", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
