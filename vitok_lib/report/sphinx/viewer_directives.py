"""The viewer on the site: a directive that shows it on a page, and the pages themselves, written after the build.

``{viewer}``: the viewer in a frame, and a link to the page of each image. Without pictures it names the command.
"""

from __future__ import annotations

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
from vitok_lib.report.sphinx.directives import records_of
from vitok_lib.report.viewer import cases
from vitok_lib.report.viewer.cases import Shown


class Viewer(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        for path in (Path(__file__), Path(cases.__file__), *_manifests()):
            self.env.note_dependency(str(path))
        try:
            pages = cases.gather([])
        except RequestError as error:
            raise ExtensionError(f"page '{self.env.docname}': {error}") from error
        if not pages:
            words = nodes.Text("No pictures have been made yet. They appear here after ")
            return [nodes.paragraph("", "", words, nodes.literal("", cases.COMMAND), nodes.Text("."))]
        up = "../" * self.env.docname.count("/") + cases.FOLDER
        frame = (
            f'<iframe class="vk-viewer" src="{up}/{pages[0].page}" loading="lazy" '
            'title="Viewer: original and reconstructions, one flip apart"></iframe>'
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
    """The viewer's pages with their pictures and script; what an earlier build left and no page needs goes."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir) / cases.FOLDER
    try:
        pages = cases.gather(records_of(app))
        kept: set[Path] = set()
        if pages:
            from vitok_lib.report.viewer.site import publish

            kept = publish(pages, folder)
    except RequestError as error:
        raise ExtensionError(f"the viewer: {error}") from error
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()


def _manifests() -> list[Path]:
    return sorted(results_root().glob(f"*/{VISUALS}/*/*/{MANIFEST}"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register everything with Sphinx."""
    app.add_directive("viewer", Viewer)
    app.connect("env-get-outdated", outdated)
    app.connect("build-finished", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
