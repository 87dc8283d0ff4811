"""The viewer's folder of the site: its pages, their pictures, and the script that draws them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from vitok_lib.report.viewer import layers
from vitok_lib.report.viewer.cases import Shown
from vitok_lib.report.viewer.page import SCRIPT, Neighbours, render


def publish(pages: Sequence[Shown], folder: Path) -> set[Path]:
    """Write every page and what it loads into ``folder``; the files that are needed there.

    Raises:
        RequestError: a picture is missing, or is not the one that was kept.
    """
    kept: set[Path] = set()
    for page in pages:
        views, start = layers.publish(page, folder)
        target = folder / page.page
        neighbours = Neighbours(_groups(page, pages), _images(page, pages))
        target.write_text(render(page, views, start, neighbours), encoding="utf-8")
        kept |= {target, *(folder / name for view in views for name in view.every_file)}
    if pages:
        kept.add(Path(shutil.copyfile(SCRIPT, folder / SCRIPT.name)))
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
