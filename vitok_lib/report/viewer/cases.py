"""What the viewer shows: pictures that a run has kept, each beside the record that measured its image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from vitok_lib.records.schema import Settings
from vitok_lib.records.visuals import Reconstruction, Rule, Visual, iterate_visuals
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.page.labels import digits, name_of

FOLDER = "viewer"
"""The folder of the site that holds the viewer's pages."""
ORIGINAL = "original"
COMMAND = "vitok run viewer"
LINK = "#005a9c"

Measured = tuple[Mapping[str, float], Entry | None]
"""Values of the whole image, and the record that they stand in."""


@dataclass(frozen=True)
class Shown:
    """One page of the viewer: one image through several tokenizers; ``measured`` holds each one's values."""

    path: Path
    visual: Visual
    measured: Mapping[str, Measured]

    @property
    def folder(self) -> Path:
        """Where the pictures lie."""
        return self.path.parent

    @property
    def page(self) -> str:
        """The page's file name, which holds nothing but letters, digits, dot, dash and underscore."""
        return f"{self.folder.parent.name}-{self.folder.name}.html"

    @property
    def group(self) -> str:
        """The image set and the resolution, as the page names them."""
        return f"{self.visual.benchmark} at {self.visual.resolution} px"

    @property
    def tokenizers(self) -> list[str]:
        return [made.tokenizer.name for made in self.visual.reconstructions]


def gather(entries: Sequence[Entry]) -> list[Shown]:
    """One page for each image: the pictures of the study that takes precedence.

    Raises:
        RequestError: a manifest is not valid.
    """
    chosen: dict[tuple[str, str], Shown] = {}
    for path, visual in iterate_visuals():
        measured = {made.tokenizer.name: _measured(made, visual, entries) for made in visual.reconstructions}
        chosen.setdefault((visual.case, visual.sha256), Shown(path, visual, measured))
    return sorted(chosen.values(), key=lambda shown: natural(shown.page))


def _measured(made: Reconstruction, visual: Visual, entries: Iterable[Entry]) -> Measured:
    """The record's own values of the image; where no record has them, those that were measured with the pictures."""
    for entry in entries:
        record = entry.record
        same = entry.case == visual.case and record.tokenizer == made.tokenizer
        if not same or entry.samples_path is None or _alike(record.settings) != _alike(made.settings):
            continue
        rows = entry.per_image
        found = rows[rows["sha256"] == visual.sha256] if "sha256" in rows else rows[:0]
        values = {name: float(found[name].iloc[0]) for name in made.values if len(found) and name in found}
        if values:
            return values, entry
    return made.values, None


def _alike(settings: Settings) -> Settings:
    """How many images went through together does not change what they look like."""
    return settings.model_copy(update={"batch": None})


def captions(shown: Shown) -> list[dict[str, str]]:
    """Of each view: HTML by name, which says what is seen; names in it are escaped."""
    held = []
    for index, view in enumerate(shown.visual.views):
        size = f"{view.width} × {view.height} px"
        where = {Rule.WHOLE: size, Rule.OVERVIEW: f"{size}, fitted"}.get(
            view.rule, f"{size} from column {view.left}, row {view.top}"
        )
        by_name = {ORIGINAL: f"<b>{ORIGINAL}</b> {where}"}
        for made in shown.visual.reconstructions:
            name = made.tokenizer.name
            crop = made.pictures[index].values
            parts = [f"<b>{escape(name)}</b> {_whole(*shown.measured[name])}"]
            parts += [f"crop: {_words(crop)}"] if crop else []
            by_name[name] = "; ".join(parts)
        held.append(by_name)
    return held


def _whole(values: Mapping[str, float], entry: Entry | None) -> str:
    words = _words(values)
    if entry is None:
        return f'<span title="measured with these pictures; no record holds this image">image: {words}</span>'
    return f'image: <a style="color: {LINK}" href="../runs.html#{entry.anchor}" target="_top">{words}</a>'


def _words(values: Mapping[str, float]) -> str:
    return ", ".join(
        f"{digits(name, value)} dB" if name == "psnr" else f"{name_of(name)} {digits(name, value)}"
        for name, value in values.items()
    )
