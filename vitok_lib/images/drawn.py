"""Image sets that are drawn by code, at any resolution."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from vitok_lib.errors import unknown
from vitok_lib.images import cache
from vitok_lib.images.manifest import Manifest, ManifestEntry, first
from vitok_lib.images.prepare import check_resolution
from vitok_lib.images.subset import ordered

RENDERED_RULE = "rendered at the resolution"
_MEMOISED_SIDE = 1024  # 3 MiB an image; larger renders are not kept
_MEMOISED_IMAGES = 72  # all leaves and challenge images at one resolution

Draw = Callable[[str, int], NDArray[np.uint8]]


@dataclass(frozen=True)
class TextLine:
    """A line of known text.

    ``box`` is left, top, right and bottom in pixels, ``height`` that of its capitals or Chinese characters.
    """

    text: str
    box: tuple[int, int, int, int]
    height: float


Lines = Callable[[str, int], Sequence[TextLine]]


@dataclass(frozen=True)
class DrawnSet:
    """``draw`` takes a name and a size; ``sources`` are the files whose code it is, so that a change draws anew.

    ``lines`` takes the same and gives the text on the image, where the set knows it.
    """

    name: str
    description: str
    images: tuple[str, ...]
    draw: Draw
    sources: tuple[Path, ...]
    rule: str = RENDERED_RULE
    subset_seed: int | None = None
    lines: Lines | None = None

    def names(self) -> tuple[str, ...]:
        """The images in order."""
        return ordered(self.images, self.subset_seed)

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        """Sizes and sha256 of the pixels, ``[resolution, resolution, 3]``, of the first ``samples`` images."""
        check_resolution(resolution)
        size = resolution * resolution * 3
        names = first(self.names(), samples)
        return Manifest(tuple(ManifestEntry(name, size, self._sha256(name, resolution)) for name in names))

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        """Image ``name`` drawn at ``resolution``: ``[resolution, resolution, 3]``, the caller's own copy."""
        if name not in self.images:
            raise unknown(f"image of {self.name}", name, self.images)
        check_resolution(resolution)
        if resolution <= _MEMOISED_SIDE:
            return _memoised(self, name, resolution).copy()
        return self._drawn(name, resolution)

    def _drawn(self, name: str, resolution: int) -> NDArray[np.uint8]:
        return cache.pixels(self._key(name, resolution), lambda: self.draw(name, resolution))

    def _sha256(self, name: str, resolution: int) -> str:
        def find() -> str:
            return hashlib.sha256(self.load(name, resolution).data).hexdigest()

        return cache.text(self._key(name, resolution), find)

    def _key(self, name: str, resolution: int) -> str:
        code = _digest(self.sources)
        return "\n".join(map(str, (self.name, name, resolution, code, np.__version__, PIL.__version__)))


@lru_cache(maxsize=_MEMOISED_IMAGES)
def _memoised(image_set: DrawnSet, name: str, resolution: int) -> NDArray[np.uint8]:
    return image_set._drawn(name, resolution)


@lru_cache(maxsize=16)
def _digest(sources: tuple[Path, ...]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
