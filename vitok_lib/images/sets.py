"""Image sets: named, ordered images with a manifest, opened by name or from any folder.

A set says which images, in which order, and how each gets its size; every tokenizer sees the same ones.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import unknown
from vitok_lib.images import challenge, leaves, photographs
from vitok_lib.images.folder import FileSet, open_folder
from vitok_lib.images.manifest import Manifest, ManifestEntry, first
from vitok_lib.images.prepare import ImageError, check_resolution

__all__ = ["IMAGE_SETS", "ImageError", "ImageSet", "Manifest", "ManifestEntry", "check_resolution", "open_image_set"]

LEAVES_COUNT = 64
_RENDERED_RULE = "rendered at the resolution"
_MEMOISED_SIDE = 1024  # 3 MiB an image; larger renders are not kept
_MEMOISED_IMAGES = 72  # all leaves and challenge images at one resolution


class ImageSet(Protocol):
    """What evaluation needs of a set."""

    @property
    def name(self) -> str:
        """The benchmark's name in records."""

    @property
    def description(self) -> str:
        """One sentence for titles and records."""

    @property
    def rule(self) -> str:
        """How an image gets its size."""

    def names(self) -> tuple[str, ...]:
        """The images in order."""

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        """The first ``samples`` images, all for None; RequestError for fewer than one."""

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        """Image ``name`` at ``resolution``: ``[H, W, 3]`` in 0…255; ImageError if it cannot be read."""


Draw = Callable[[str, int], NDArray[np.uint8]]


@dataclass(frozen=True)
class DrawnSet:
    """An image set that the project draws itself, at any resolution; ``draw`` takes a name and a size."""

    name: str
    description: str
    images: tuple[str, ...]
    draw: Draw
    rule: str = _RENDERED_RULE

    def names(self) -> tuple[str, ...]:
        """The images in order."""
        return self.images

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        """Sizes and sha256 of the pixels, ``[resolution, resolution, 3]``, of the first ``samples`` images."""
        check_resolution(resolution)
        size = resolution * resolution * 3
        names = first(self.images, samples)
        return Manifest(tuple(ManifestEntry(name, size, _sha256(self.draw, name, resolution)) for name in names))

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        """Image ``name`` drawn at ``resolution``: ``[resolution, resolution, 3]``, the caller's own copy."""
        if name not in self.images:
            raise unknown(f"image of {self.name}", name, self.images)
        check_resolution(resolution)
        return _drawn(self.draw, name, resolution).copy()


def _drawn(draw: Draw, name: str, resolution: int) -> NDArray[np.uint8]:
    return _memoised(draw, name, resolution) if resolution <= _MEMOISED_SIDE else draw(name, resolution)


@lru_cache(maxsize=_MEMOISED_IMAGES)
def _memoised(draw: Draw, name: str, resolution: int) -> NDArray[np.uint8]:
    return draw(name, resolution)


@lru_cache(maxsize=4096)
def _sha256(draw: Draw, name: str, resolution: int) -> str:
    return hashlib.sha256(_drawn(draw, name, resolution).tobytes()).hexdigest()


def _draw_leaves(name: str, resolution: int) -> NDArray[np.uint8]:
    return leaves.render(int(name.removeprefix("leaf-")), resolution)


def _photos() -> FileSet:
    files = {photograph.name: photograph.file() for photograph in photographs.held_out()}
    description = (
        f"{len(files)} photographs that scikit-image and scikit-learn ship, held out from this project's training."
    )
    return FileSet("photos", description, files)


def _leaves() -> DrawnSet:
    names = tuple(f"leaf-{seed:02d}" for seed in range(LEAVES_COUNT))
    description = f"{LEAVES_COUNT} dead-leaves scenes with 1/f texture, the same scenes at every resolution."
    return DrawnSet("leaves", description, names, _draw_leaves)


def _challenge() -> DrawnSet:
    description = "Five drawn images, each hard in its own way: " + ", ".join(challenge.SCENES) + "."
    return DrawnSet("challenge", description, tuple(challenge.SCENES), challenge.render)


IMAGE_SETS: Mapping[str, Callable[[], ImageSet]] = {"photos": _photos, "leaves": _leaves, "challenge": _challenge}


def open_image_set(text: str | Path) -> ImageSet:
    """The set of that name, or the images of the folder at that path.

    A name wins over a folder of the same name; ``./photos`` is the folder. Raises RequestError, with the nearest
    names, for what is neither.
    """
    if isinstance(text, str) and text in IMAGE_SETS:
        return IMAGE_SETS[text]()
    path = Path(os.path.expanduser(text))  # Path.expanduser raises for an unknown user
    if isinstance(text, Path) or "/" in text or "\\" in text or (text and os.path.exists(path)):
        return open_folder(path)
    raise unknown("image set", text, IMAGE_SETS)
