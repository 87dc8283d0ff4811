"""An image set of encoded images: files, members of archives, cells of tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import PIL
from numpy.typing import NDArray

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images import cache, prepare
from vitok_lib.images.files.content import Content
from vitok_lib.images.formats.pillow import MAX_RESOLUTION
from vitok_lib.images.manifest import Manifest, ManifestEntry, first
from vitok_lib.images.prepare import ImageError, Rule
from vitok_lib.images.subset import ordered

_LONGEST_STEM = 100  # letters; a record's folder is named after the set and may have 255 bytes


@dataclass(frozen=True)
class FileSet:
    """``files`` maps each image's name to its content, in the set's own order; ``sizing`` is how it gets its size.

    ``opened_as`` and ``chosen_rule``, where the rule is not the set's default, are for the command that opens the
    set again. ``left_out`` counts the files that were passed over, by the reason.
    """

    name: str
    description: str
    files: Mapping[str, Content]
    sizing: Rule = prepare.CAP
    subset_seed: int | None = None
    chosen_rule: str | None = None
    opened_as: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """How an image gets its size."""
        return self.sizing.sentence

    def names(self) -> tuple[str, ...]:
        """The images in order."""
        return ordered(self.files, self.subset_seed)

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        """Sizes and sha256 of the first ``samples`` files; the same at every ``resolution``.

        Raises RequestError if one cannot be read: without its bytes nothing can say what was measured.
        """
        prepare.check_resolution(resolution)
        return Manifest(tuple(_entry(name, self.files[name]) for name in first(self.names(), samples)))

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        """Image ``name`` prepared at ``resolution``: ``[H, W, 3]``; raises ImageError if it cannot be read."""
        if name not in self.files:
            raise unknown(f"image of {self.name}", name, self.files)
        prepare.check_resolution(resolution)
        content = self.files[name]
        try:
            source = content.digest().sha256
        except OSError as error:
            raise ImageError(f"cannot read image '{name}': {error.strerror or error}") from error
        words = (source, self.sizing.name, prepare.VERSION, resolution, PIL.__version__)
        return cache.pixels("\n".join(map(str, words)), lambda: prepare.read(content, resolution, name, self.sizing))

    @cached_property
    def longest_side(self) -> int:
        """Pixels of the longest side of all images.

        Raises:
            RequestError: no image can be read, or one is longer than any resolution.
        """
        sides = {name: side for name, file in self.files.items() if (side := prepare.longest_side(file)) is not None}
        if not sides:
            raise RequestError(f"no image of '{self.name}' can be read, so that it has no native size")
        longest = max(sides, key=lambda name: sides[name])
        if sides[longest] > MAX_RESOLUTION:
            raise RequestError(
                f"image '{longest}' of '{self.name}' is {sides[longest]} px long, and the most is {MAX_RESOLUTION}; "
                "leave it out, or give a resolution in pixels"
            )
        return sides[longest]

    def sized_by(self, rule: Rule) -> FileSet:
        """This set sized by ``rule``; another rule is another benchmark, whose name ends with the rule's."""
        if rule is self.sizing:
            return self
        stem = self.name.removesuffix(f"-{self.sizing.name}")
        return replace(self, name=benchmark_name(stem, rule), sizing=rule, chosen_rule=rule.name)


def benchmark_name(stem: str, rule: Rule) -> str:
    """The name in records: that of the images alone where they are capped, and with the rule's name where not."""
    return stem if rule is prepare.CAP else f"{stem}-{rule.name}"


def named_by_content(title: str, description: str, files: Mapping[str, Content]) -> FileSet:
    """A set whose name is ``title`` and the first 8 digits of its manifest: changed images are another benchmark."""
    manifest = Manifest(tuple(_entry(name, content) for name, content in files.items()))
    stem = re.sub(r"[^\w.-]+", "-", title)[:_LONGEST_STEM].strip("-.") or "images"
    return FileSet(f"{stem}-{manifest.sha256[:8]}", description, files)


def count_of(files: Mapping[str, Content]) -> str:
    """Such as ``1 image`` or ``24 images``."""
    return f"{len(files)} image" + ("s" if len(files) != 1 else "")


def _entry(name: str, content: Content) -> ManifestEntry:
    try:
        return ManifestEntry(name, *content.digest())
    except OSError as error:
        raise RequestError(f"cannot read image '{content.place}': {error.strerror or error}") from error
