"""The named sets whose images are somebody else's: a copy on this machine, or the hub's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from vitok_lib.errors import RequestError
from vitok_lib.images.facts import IMAGE_SET_FACTS
from vitok_lib.images.file_set import FileSet
from vitok_lib.images.files.collection import collect
from vitok_lib.images.files.content import readable
from vitok_lib.images.files.left_out import in_brackets
from vitok_lib.images.hub import download
from vitok_lib.images.prepare import CAP, CENTRE_CROP, Rule
from vitok_lib.project import path_in_environment


@dataclass(frozen=True)
class Remote:
    """Where a named set comes from: a folder or an archive that the environment variable ``variable`` names.

    Where that is not set, ``patterns`` of files of a hub data set at ``revision``; ``repository`` is None where no one
    copy on the hub is the set. ``parts`` are the folders that each hold an image, and that hold all of them.
    """

    name: str
    variable: str
    rule: Rule
    repository: str | None = None
    revision: str | None = None
    patterns: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


_TOKBENCH = (
    *(f"text_data/{name}" for name in ("cord", "docvqa", "ic13", "ic15", "infograph", "sroie", "textocr", "tt")),
    "face_data/wflw",
)
"""The folders below ``images`` that its evaluation reads (image_eval.sh and resize.sh of github.com/wjf5203/TokBench);
its annotations are JSON files beside ``images``, which are left out."""

REMOTES = {
    remote.name: remote
    for remote in (
        Remote(
            "div8k",
            "VITOK_DIV8K",
            CAP,
            "Iceclear/DIV8K_TrainingSet",
            "2e4255369a8bb0c1e2f0c281d4b3bd051743ff28",
            ("DIV8K.zip",),
        ),
        Remote(
            "coco",
            "VITOK_COCO",
            CENTRE_CROP,
            "lmms-lab/COCO-Caption2017",
            "ba347b1dc8dcc9c2c07f0d51c073403ae2ab5d42",
            ("data/val-*.parquet",),
        ),
        Remote("imagenet-val-256", "VITOK_IMAGENET_VAL", CENTRE_CROP),
        Remote("kodak", "VITOK_KODAK", CAP),
        Remote("clic2020-professional-valid", "VITOK_CLIC2020", CAP),
        Remote("div2k-valid", "VITOK_DIV2K_VALID", CAP),
        Remote("omnidoc-tokenbench", "VITOK_OMNIDOC", CAP),
        Remote("tokbench", "VITOK_TOKBENCH", CAP, parts=_TOKBENCH),
    )
}


def open_remote(name: str) -> FileSet:
    """The set ``name`` of :data:`REMOTES`, with the names of its images and their order the same from every source.

    Raises:
        RequestError: it is not to be had, or holds another number of images or other folders than it must: a download
            that was cut short must not pass for the set.
    """
    remote, facts = REMOTES[name], IMAGE_SET_FACTS[name]
    its_images = "its images" if facts.count is None else f"its {facts.count} images"
    local = path_in_environment(remote.variable)
    if local is not None:
        place = f"'{readable(str(local))}'"
        if not local.exists():
            raise RequestError(
                f"{remote.variable} (={place}) is no folder and no archive; correct it or unset it",
                code="images-not-found",
            )
        files, left_out = collect(local)
    elif remote.repository is None:
        raise RequestError(
            f"image set '{name}' is read from a copy on this machine alone; set {remote.variable} to a folder or an "
            f"archive of {its_images}",
            code="images-not-found",
        )
    else:
        way_out = f"set {remote.variable} to a folder or an archive of {its_images}"
        place = f"hub data set '{remote.repository}'"
        snapshot = download(remote.repository, remote.revision, remote.patterns, way_out)
        files, left_out = collect(snapshot, remote.patterns)
    _check_parts(remote, list(files), place)
    if facts.count is not None and len(files) != facts.count:
        raise RequestError(
            f"image set '{name}' has {facts.count} images, but {place} holds {len(files)}{in_brackets(left_out)}; "
            f"fetch it again, or set {remote.variable} to a folder or an archive of exactly these images",
            code="images-incomplete",
        )
    return FileSet(facts.benchmark, facts.description, files, remote.rule, left_out=left_out)


def _check_parts(remote: Remote, names: Sequence[str], place: str) -> None:
    """Raise a RequestError where a folder of the set has no image, or an image is in no folder of the set."""
    folders = {name.rpartition("/")[0] for name in names}
    problems = [
        f"no image in '{part}'"
        for part in remote.parts
        if not any(f"/{PurePosixPath(part).name}/" in f"/{folder}/" for folder in folders)
    ]
    if remote.parts:
        problems += [
            f"'{folder}' too"
            for folder in sorted(folders)
            if not any(f"{folder}/".startswith(f"{part}/") for part in remote.parts)
        ]
    if problems:
        raise RequestError(
            f"image set '{remote.name}' is the images in {', '.join(remote.parts)}, but {place} holds {problems[0]}; "
            f"fetch it again, or set {remote.variable} to its folder 'images' alone",
            code="images-incomplete",
        )
