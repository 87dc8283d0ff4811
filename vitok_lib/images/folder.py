"""A folder of images: which files, under which names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.images.content import SUFFIXES, Content, FileContent, is_image_name, readable
from vitok_lib.images.file_set import FileSet, count_of, named_by_content


def open_folder(path: Path) -> FileSet:
    """All images below ``path``, by suffix, in the order of their relative POSIX paths, which are their names.

    Hidden files and folders are left out and links to folders are not followed. In a name, what is no printable
    text is escaped. The set's name ends with the first 8 digits of its manifest, so that a changed folder is another
    benchmark. Raises RequestError if the path is missing, is no folder, or holds no image.
    """
    label = readable(str(path))
    if not os.path.exists(path):  # unlike Path.exists, False where a parent may not be entered
        raise RequestError(f"there is no folder '{label}'")
    if not path.is_dir():
        raise RequestError(f"'{label}' is a file; an image set is a folder of images, or a .zip, .tar, .tar.gz or .tgz")
    files: dict[str, Content] = {}
    for name, file in sorted((readable(name), file) for name, file in files_below(path) if is_image_name(name)):
        if name in files:
            raise RequestError(f"two files of folder '{label}' have names that read '{name}'; rename one")
        files[name] = FileContent(file)
    if not files:
        raise RequestError(f"folder '{label}' holds no image ({looked_for()})")
    title = readable(path.resolve().name)
    return named_by_content(title or "folder", f"The folder '{title}' of {count_of(files)}.", files)


def looked_for() -> str:
    """The end of an error about images that are not there."""
    return "looked for " + " ".join(sorted(suffix[1:] for suffix in SUFFIXES))


def files_below(root: Path) -> Iterator[tuple[str, Path]]:
    """Relative POSIX path and path of every file below ``root`` that is not in a hidden folder."""

    def refuse(error: OSError) -> None:
        place = readable(str(error.filename))
        raise RequestError(f"cannot list folder '{place}': {error.strerror}") from error

    for folder, subfolders, files in os.walk(root, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for file in files:
            path = Path(folder, file)
            if path.is_file():
                yield path.relative_to(root).as_posix(), path
