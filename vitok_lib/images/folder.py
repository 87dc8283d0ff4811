"""Images that are files: any folder of a user's, and the base of the set of photographs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images import prepare
from vitok_lib.images.manifest import Manifest, file_entry, first

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif"})


@dataclass(frozen=True)
class FileSet:
    """An image set of files: ``files`` maps each image's name to its path, in order."""

    name: str
    description: str
    files: Mapping[str, Path]
    rule: str = prepare.RULE

    def names(self) -> tuple[str, ...]:
        """The images in order."""
        return tuple(self.files)

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        """Sizes and sha256 of the first ``samples`` files; the same at every ``resolution``."""
        prepare.check_resolution(resolution)
        return Manifest(tuple(file_entry(name, self.files[name]) for name in first(self.names(), samples)))

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        """Image ``name`` prepared at ``resolution``: ``[H, W, 3]``; raises ImageError if it cannot be read."""
        if name not in self.files:
            raise unknown(f"image of {self.name}", name, self.files)
        prepare.check_resolution(resolution)
        return prepare.read(self.files[name], resolution, name)


def open_folder(path: Path) -> FileSet:
    """All images below ``path``, by suffix, in the order of their relative POSIX paths, which are their names.

    Hidden files and folders are left out and links to folders are not followed. The set's name ends with the
    first 8 digits of its manifest, so that a changed folder is another benchmark. Raises RequestError if the
    path is missing, is no folder, or holds no image.
    """
    if not os.path.exists(path):  # unlike Path.exists, False where a parent may not be entered
        raise RequestError(f"there is no folder '{path}'")
    if not path.is_dir():
        raise RequestError(f"'{path}' is a file; an image set is a folder of images")
    files = _image_files(path)
    if not files:
        suffixes = " ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise RequestError(f"folder '{path}' holds no image (looked for {suffixes})")
    title = path.resolve().name
    manifest = Manifest(tuple(file_entry(name, file) for name, file in files.items()))
    stem = re.sub(r"[^\w.-]+", "-", title).strip("-.") or "folder"
    images = "image" if len(files) == 1 else "images"
    return FileSet(f"{stem}-{manifest.sha256[:8]}", f"The folder '{title}' of {len(files)} {images}.", files)


def _image_files(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}

    def refuse(error: OSError) -> None:
        raise RequestError(f"cannot list folder '{error.filename}': {error.strerror}") from error

    for folder, subfolders, files in os.walk(root, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for file in files:
            path = Path(folder, file)
            if not file.startswith(".") and path.suffix.lower() in SUFFIXES and path.is_file():
                found[path.relative_to(root).as_posix()] = path
    return dict(sorted(found.items()))
