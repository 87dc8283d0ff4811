"""The named sets whose images are somebody else's: a copy on this machine, or the hub's."""

from __future__ import annotations

from dataclasses import dataclass

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
    copy on the hub is the set.
    """

    name: str
    variable: str
    rule: Rule
    repository: str | None = None
    revision: str | None = None
    patterns: tuple[str, ...] = ()


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
    )
}


def open_remote(name: str) -> FileSet:
    """The set ``name`` of :data:`REMOTES`, with the names of its images and their order the same from every source.

    Raises:
        RequestError: it is not to be had, or holds another number of images than it must: a download that was cut
            short must not pass for the set.
    """
    remote, facts = REMOTES[name], IMAGE_SET_FACTS[name]
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
            f"archive of its {facts.count} images",
            code="images-not-found",
        )
    else:
        way_out = f"set {remote.variable} to a folder or an archive of the {facts.count} images"
        place = f"hub data set '{remote.repository}'"
        snapshot = download(remote.repository, remote.revision, remote.patterns, way_out)
        files, left_out = collect(snapshot, remote.patterns)
    if len(files) != facts.count:
        raise RequestError(
            f"image set '{name}' has {facts.count} images, but {place} holds {len(files)}{in_brackets(left_out)}; "
            f"fetch it again, or set {remote.variable} to a folder or an archive of exactly these images",
            code="images-incomplete",
        )
    return FileSet(facts.benchmark, facts.description, files, remote.rule, left_out=left_out)
