"""A folder of images: which files, under which names."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from vitok_lib.errors import RequestError
from vitok_lib.images.file_set import FileSet, count_of, named_by_content
from vitok_lib.images.files.content import SUFFIXES, Content, FileContent, is_image_name, readable
from vitok_lib.images.files.left_out import (
    HIDDEN_FOLDER,
    LINK_WITHOUT_TARGET,
    LINKED_FOLDER,
    SPECIAL,
    in_brackets,
    reason_of,
)


def open_folder(path: Path) -> FileSet:
    """All images below ``path``, by suffix, in the order of their relative POSIX paths, which are their names.

    All other files are counted by the reason for which they are left out, and so are hidden folders, and links to
    folders, which are not followed. In a name, what is no printable text is escaped. The set's name ends with the
    first 8 digits of its manifest, so that a changed folder is another benchmark.

    Raises:
        RequestError: the path is missing, is no folder, holds no image, or something below it cannot be looked at.
    """
    label = readable(str(path))
    if not os.path.exists(path):  # unlike Path.exists, False where a parent may not be entered
        raise RequestError(f"there is no folder '{label}'", code="images-not-found")
    if not path.is_dir():
        raise RequestError(f"'{label}' is a file; an image set is a folder of images, or a .zip, .tar, .tar.gz or .tgz")
    files: dict[str, Content] = {}
    left_out: Counter[str] = Counter()
    below = [(readable(name), file) for name, file in files_below(path, left_out)]
    for name, file in sorted(below):
        if not is_image_name(name):
            left_out[reason_of(name)] += 1
            continue
        if name in files:
            raise RequestError(f"two files of folder '{label}' have names that read '{name}'; rename one")
        files[name] = FileContent(file)
    if not files:
        raise RequestError(f"folder '{label}' holds no image ({looked_for()}{in_brackets(left_out)})", code="no-images")
    title = readable(path.resolve().name)
    found = named_by_content(title or "folder", f"The folder '{title}' of {count_of(files)}.", files)
    return replace(found, left_out=left_out)


def looked_for() -> str:
    """The end of an error about images that are not there."""
    return "looked for " + " ".join(sorted(suffix[1:] for suffix in SUFFIXES))


def files_below(root: Path, left_out: Counter[str]) -> Iterator[tuple[str, Path]]:
    """Relative POSIX path and path of every file below ``root``.

    Hidden and linked folders, links without a target, and what is no file are not entered or given but counted in
    ``left_out``.
    """

    def refuse(error: OSError) -> NoReturn:
        place = readable(str(error.filename))
        raise RequestError(f"cannot list folder '{place}': {error.strerror}") from error

    for folder, subfolders, files in os.walk(root, onerror=refuse):
        for name in list(subfolders):
            reason = HIDDEN_FOLDER if name.startswith(".") else LINKED_FOLDER
            if reason == HIDDEN_FOLDER or os.path.islink(os.path.join(folder, name)):
                left_out[reason] += 1
                subfolders.remove(name)
        for file in files:
            path = Path(folder, file)
            try:
                is_regular = stat.S_ISREG(path.stat().st_mode)
            except PermissionError as error:
                refuse(error)
            except OSError:  # it is not there, or its links go in a circle
                left_out[LINK_WITHOUT_TARGET] += 1
                continue
            if is_regular:
                yield path.relative_to(root).as_posix(), path
            else:
                left_out[SPECIAL] += 1
