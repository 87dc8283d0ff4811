"""All images that a downloaded folder holds, however they are packed: files, archives, Parquet files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path

from vitok_lib.images.files import table
from vitok_lib.images.files.archive import is_archive_name, members
from vitok_lib.images.files.content import Content, FileContent, is_image_name, readable
from vitok_lib.images.files.folder import files_below
from vitok_lib.images.files.left_out import reason_of


def collect(root: Path, patterns: Collection[str] = ("*",)) -> tuple[dict[str, Content], Counter[str]]:
    """The images of the files below ``root`` whose relative path fits one of ``patterns``, sorted by name.

    With them comes how many of these files, and of the members of archives, were left out for which reason.

    ``root`` may be one archive or Parquet file as well.

    The folders that all have in common are dropped from the names, and so is the archive or table that an image is
    in, unless two images would then share a name: the same images have the same names whichever way they are packed.

    Raises:
        RequestError: a folder cannot be listed, or an archive or a table is damaged.
    """
    found: list[tuple[str, str, Content]] = []
    left_out: Counter[str] = Counter()
    for name, path in [(root.name, root)] if root.is_file() else sorted(files_below(root, left_out)):
        if not any(fnmatchcase(name, pattern) for pattern in patterns):
            continue
        if is_archive_name(name):
            inside, left_out_inside = members(path)
            found += [(readable(name), member, content) for member, content in inside.items()]
            left_out += left_out_inside
        elif name.lower().endswith(table.SUFFIX):
            found += [(readable(name), cell, content) for cell, content in table.cells(path).items()]
        elif is_image_name(name):
            found.append(("", readable(name), FileContent(path)))
        else:
            left_out[reason_of(name)] += 1
    return _named(found), left_out


def _named(found: list[tuple[str, str, Content]]) -> dict[str, Content]:
    used = Counter(name for _, name, _ in found)
    apart = max(used.values(), default=0) > 1
    paths = [(f"{package}/{name}" if apart and package else name).split("/") for package, name, _ in found]
    levels = zip(*(path[:-1] for path in paths), strict=False)
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    named = {"/".join(path[shared:]): content for path, (_, _, content) in zip(paths, found, strict=True)}
    return dict(sorted(named.items()))
