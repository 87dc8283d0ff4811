"""Image sets: named, ordered images with a manifest, opened by name, from a folder, an archive or the hub.

A set says which images, in which order, and how each gets its size; every tokenizer sees the same ones.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images import challenge, hub, leaves, photographs, plugins, scripts, text_pages, wallpapers
from vitok_lib.images.drawn import DrawnSet
from vitok_lib.images.facts import IMAGE_SET_FACTS, LEAVES_COUNT, ImageSetFacts
from vitok_lib.images.file_set import FileSet
from vitok_lib.images.files.archive import is_archive_name, open_archive
from vitok_lib.images.files.content import FileContent, readable
from vitok_lib.images.files.folder import open_folder
from vitok_lib.images.files.left_out import sentence
from vitok_lib.images.manifest import Manifest, ManifestEntry
from vitok_lib.images.prepare import NATIVE, RULES, ImageError, check_resolution
from vitok_lib.images.remote import REMOTES, open_remote
from vitok_lib.images.subset import check_seed

__all__ = [
    "IMAGE_SETS",
    "IMAGE_SET_FACTS",
    "ImageError",
    "ImageSet",
    "ImageSetFacts",
    "Manifest",
    "ManifestEntry",
    "check_resolution",
    "is_native",
    "load_image",
    "open_image_set",
    "opened",
    "parse_resolution",
    "sized",
]


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

    @property
    def subset_seed(self) -> int | None:
        """The seed of the order of the images; None: the set's own order."""

    def names(self) -> tuple[str, ...]:
        """The images in order."""

    def manifest(self, resolution: int, samples: int | None = None) -> Manifest:
        """The first ``samples`` images, all for None; RequestError for fewer than one."""

    def load(self, name: str, resolution: int) -> NDArray[np.uint8]:
        """Image ``name`` at ``resolution``: ``[H, W, 3]`` in 0…255; ImageError if it cannot be read."""


def _photos() -> FileSet:
    facts = IMAGE_SET_FACTS["photos"]
    files = {photograph.name: FileContent(photograph.file()) for photograph in photographs.held_out()}
    return FileSet(facts.benchmark, facts.description, files)


def _wallpapers() -> FileSet:
    facts = IMAGE_SET_FACTS["wallpapers"]
    return FileSet(facts.benchmark, facts.description, wallpapers.found("evaluate"))


def _draw_leaves(name: str, resolution: int) -> NDArray[np.uint8]:
    return leaves.render(int(name.removeprefix("leaf-")), resolution)


def _leaves() -> DrawnSet:
    facts = IMAGE_SET_FACTS["leaves"]
    names = tuple(f"leaf-{seed:02d}" for seed in range(LEAVES_COUNT))
    return DrawnSet(facts.benchmark, facts.description, names, _draw_leaves, (Path(leaves.__file__),))


def _challenge() -> DrawnSet:
    facts = IMAGE_SET_FACTS["challenge"]
    sources = tuple(sorted(Path(challenge.__file__).parent.glob("*.py")))
    names, lines = tuple(challenge.SCENES), challenge.text.text_lines
    return DrawnSet(facts.benchmark, facts.description, names, challenge.render, sources, lines=lines)


def _pages(name: str) -> DrawnSet:
    facts, script = IMAGE_SET_FACTS[name], scripts.SCRIPTS[name]
    photographed = [photograph.file() for photograph in photographs.held_out()]
    code = map(Path, (text_pages.__file__, scripts.__file__, challenge.text.__file__))
    sources = (*code, *script.fonts(), *photographed)
    render, lines = partial(text_pages.render, script=script), partial(text_pages.text_lines, script=script)
    return DrawnSet(facts.benchmark, facts.description, text_pages.NAMES, render, sources, lines=lines)


IMAGE_SETS: Mapping[str, Callable[[], ImageSet]] = {
    "photos": _photos,
    "wallpapers": _wallpapers,
    "leaves": _leaves,
    "challenge": _challenge,
    "text": partial(_pages, "text"),
    "han": partial(_pages, "han"),
    **{name: partial(open_remote, name) for name in REMOTES},
}


def open_image_set(text: str | Path, *, rule: str | None = None, subset_seed: int | None = None) -> ImageSet:
    """The set of that name, of the hub (``hub:OWNER/NAME``), or of the folder or archive at that path.

    A name wins over a folder of the same name; ``./photos`` is the folder.

    Args:
        rule: how images get their size, ``cap`` or ``centre-crop``; None: as is usual for the set.
        subset_seed: a seeded order, in which the first n images are among the first m > n; None: the set's own.

    Raises:
        RequestError: there is no such set, with the nearest names, or its images are not to be had, or the rule does
            not apply to it.
    """
    check_seed(subset_seed)
    if rule == NATIVE.name:
        raise RequestError("size rule 'native' takes no pixels: leave it out, and give 'native' as the resolution")
    if rule is not None and rule not in RULES:
        raise unknown("size rule", rule, RULES)
    found = _open(text)
    if isinstance(found, FileSet):
        found = found if rule is None else found.sized_by(RULES[rule])
        _say_left_out(found)
        return replace(found, subset_seed=subset_seed, opened_as=_named(text))
    if rule is not None:
        raise RequestError(
            f"images of '{found.name}' are {found.rule}: size rule '{rule}' does not apply; leave it out"
        )
    if subset_seed is None:
        return found
    if not isinstance(found, DrawnSet):
        raise RequestError(f"image set '{found.name}' keeps its own order; leave out the subset seed (={subset_seed})")
    return replace(found, subset_seed=subset_seed)


def opened(images: str | Path | ImageSet, *, rule: str | None = None, subset_seed: int | None = None) -> ImageSet:
    """``images`` where it is a set already, else what :func:`open_image_set` opens.

    Raises:
        RequestError: as there, or a size rule or a subset seed was given for a set that is open.
    """
    if isinstance(images, str | Path):
        return open_image_set(images, rule=rule, subset_seed=subset_seed)
    for noun, given in {"size rule": rule, "subset seed": subset_seed}.items():
        if given is not None:
            raise RequestError(f"{noun} (={given!r}) is chosen where a set is opened; '{images.name}' is open already")
    return images


def parse_resolution(given: int | str) -> int | str:
    """Pixels in 1…16384, or ``native``; RequestError if it is neither."""
    if given == NATIVE.name:
        return NATIVE.name
    if isinstance(given, str) and not re.fullmatch(r"-?[0-9]{1,9}", given):
        raise RequestError(f"resolution '{given}' must be a whole number of pixels, or 'native'")
    pixels = int(given) if isinstance(given, str) else given
    check_resolution(pixels)
    return pixels


def sized(image_set: ImageSet, resolution: int | str, rule: str | None = None) -> tuple[ImageSet, int]:
    """``image_set`` and ``resolution`` in pixels; for ``native``, with no image resized and the longest side of all.

    At native size the set is a benchmark of its own, whose name ends with ``native``; a ``rule`` that was asked for
    contradicts it.

    Raises:
        RequestError: the resolution is none, or the set has another size rule or no images of a size of their own.
    """
    pixels = parse_resolution(resolution)
    if not isinstance(pixels, str):
        return image_set, pixels
    if not isinstance(image_set, FileSet):
        raise RequestError(
            f"images of '{image_set.name}' are {image_set.rule} and have no native size; give a resolution in pixels"
        )
    chosen = rule or image_set.chosen_rule
    if chosen is not None:
        raise RequestError(f"size rule '{chosen}' needs a resolution in pixels; leave it out, or 'native'")
    native = replace(image_set.sized_by(NATIVE), chosen_rule=None)
    return native, native.longest_side


def load_image(image_set: ImageSet, name: str, resolution: int) -> NDArray[np.uint8]:
    """Image ``name`` of ``image_set`` at ``resolution``: ``[H, W, 3]`` in 0…255.

    Raises:
        ImageError: it cannot be read.
        RequestError: the set, which may be a third party's, gives something else.
    """
    pixels: Any = image_set.load(name, resolution)
    given = f"a {type(pixels).__name__}"
    if isinstance(pixels, np.ndarray):
        if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size:
            return pixels
        given = f"{pixels.dtype} {list(pixels.shape)}"
    raise RequestError(
        f"image set '{image_set.name}' gave {given} for image '{name}'; load must give a NumPy array of uint8 values, "
        "0 to 255, in the shape [H, W, 3]"
    )


def is_native(image_set: ImageSet) -> bool:
    """Whether no image of ``image_set`` is resized."""
    return image_set.rule == NATIVE.sentence


def _named(text: str | Path) -> str:
    """How a command on any machine names the set: a path of this one says nothing elsewhere, its last part does."""
    named = text in IMAGE_SETS or str(text).startswith(hub.PREFIX)
    return readable(str(text) if named else Path(os.path.expanduser(text)).resolve().name)


_said: set[str] = set()


def _say_left_out(found: FileSet) -> None:
    """Say once on stderr what of a set is passed over."""
    said = sentence(found.left_out)
    message = f"vitok: image set '{found.name}': {said}"
    if said and message not in _said:
        _said.add(message)
        print(message, file=sys.stderr)


def _open(text: str | Path) -> ImageSet:
    if isinstance(text, str):
        if text in IMAGE_SETS:
            return IMAGE_SETS[text]()
        if text.startswith(hub.PREFIX):
            return hub.open_hub(text)
        if text in plugins.names():
            third_party: ImageSet = plugins.open_plugin(text)
            return third_party
    path = Path(os.path.expanduser(text))  # Path.expanduser raises for an unknown user
    if isinstance(text, Path) or "/" in text or "\\" in text or (text and os.path.exists(path)):
        return open_archive(path) if is_archive_name(path.name) and path.is_file() else open_folder(path)
    raise unknown("image set", readable(text), [*IMAGE_SETS, *plugins.names()])
