"""The image set ``wallpapers``: photographs of 2,560 to 6,028 px that Debian packages, found where they are installed.

``wallpapers.csv`` beside this file lists each: its file in the package, sha256, author, the licence in the package's
copyright file, and its use. Photographs to evaluate on are never trained on, and no two of them show one scene. They
were chosen by eye from five packages; drawings, gradients and duplicates were left out.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.images.files.content import FileContent, readable
from vitok_lib.project import path_in_environment

VARIABLE = "VITOK_WALLPAPERS"
_INSTALLED = Path("/")


@dataclass(frozen=True)
class Wallpaper:
    """One photograph: ``path`` is that of its file within the Debian ``package``, ``use`` is evaluate or train."""

    name: str
    use: str
    package: str
    version: str
    path: str
    width: int
    height: int
    sha256: str
    author: str
    licence: str
    subject: str


@lru_cache(maxsize=1)
def wallpapers() -> tuple[Wallpaper, ...]:
    """All photographs of the manifest, those to evaluate on first, the largest first."""
    text = files("vitok_lib.images").joinpath("wallpapers.csv").read_text(encoding="utf-8")
    return tuple(
        Wallpaper(
            **{field: row[field] for field in ("name", "use", "package", "version", "path")},
            width=int(row["width"]),
            height=int(row["height"]),
            **{field: row[field] for field in ("sha256", "author", "licence", "subject")},
        )
        for row in csv.DictReader(text.splitlines())
    )


def of_use(use: str) -> tuple[Wallpaper, ...]:
    """The photographs to ``evaluate`` on, or those to ``train`` on."""
    return tuple(each for each in wallpapers() if each.use == use)


def found(use: str) -> Mapping[str, FileContent]:
    """Name and file of each photograph of ``use``, in the manifest's order.

    They are taken from the installed packages, or from the folder that ``VITOK_WALLPAPERS`` names: packages unpacked
    there, or files named as in the manifest, such as ``kite.jpg``.

    Raises:
        RequestError: a file is missing, with the packages to install; or its content is another.
    """
    folder = path_in_environment(VARIABLE) or _INSTALLED
    if not folder.is_dir():
        raise RequestError(
            f"{VARIABLE} (='{readable(str(folder))}') is no folder; correct it or unset it", code="images-not-found"
        )
    places = {each: _file(folder, each) for each in of_use(use)}
    missing = sorted({each.package for each, path in places.items() if path is None})
    if missing:
        raise RequestError(
            f"image set 'wallpapers' needs files of Debian's packages {', '.join(missing)}, which are not in "
            f"'{readable(str(folder))}'; install them with apt-get install {' '.join(missing)}, or set {VARIABLE} to "
            "a folder that they are unpacked in with dpkg-deb -x",
            code="images-not-found",
        )
    contents = {each: FileContent(path) for each, path in places.items() if path is not None}
    for each, content in contents.items():
        if _sha256(content) != each.sha256:
            raise RequestError(
                f"wallpaper '{readable(content.place)}' is not the file of {each.package} {each.version}; install "
                f"that version, or set {VARIABLE} to a folder with its files",
                code="images-incomplete",
            )
    return {each.name: content for each, content in contents.items()}


def _file(folder: Path, wallpaper: Wallpaper) -> Path | None:
    candidates = (folder / wallpaper.path, folder / f"{wallpaper.name}{Path(wallpaper.path).suffix}")
    return next((path for path in candidates if path.is_file()), None)


def _sha256(content: FileContent) -> str:
    try:
        return content.digest().sha256
    except OSError as error:
        raise RequestError(f"cannot read image '{content.place}': {error.strerror or error}") from error
