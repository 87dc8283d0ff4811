"""Reconstructions that were made elsewhere, by any program, as a tokenizer: ``folder:PATH``, one file an image.

A file belongs to the image of the same name, whatever the two extensions; where several files could be meant, to the
image whose name it has whole. It is read as an original is, and never resized. Bits are those of the streams in the
folder ``bytes``, one file an image, where there is one.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.images.errors import ImageError
from vitok_lib.images.files.content import SUFFIXES, Content, FileContent, readable
from vitok_lib.images.files.folder import files_below, open_folder
from vitok_lib.images.manifest import Manifest, ManifestEntry
from vitok_lib.images.prepare import NATIVE, read
from vitok_lib.metrics.pixel import from_uint8
from vitok_lib.project import expanded
from vitok_lib.records.config import RANDOM, RELEASED, RunConfig, Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import FOLDER, nothing_to_run

_SHOWN = 3  # names in one sentence

Files = Mapping[str, Content]


def located(config: RunConfig) -> RunConfig:
    """``config`` as a record keeps it: named by the last part of the path, with the whole path as its weights.

    Raises:
        RequestError: there is no such folder, or random weights are asked for.
    """
    if config.weights == RANDOM:
        raise RequestError(f"'{config.name}' has no weights, so that they cannot be random; leave them out")
    path = _absolute(config.name.removeprefix(FOLDER), "folder")
    if not path.name:
        raise RequestError(f"tokenizer '{config.name}' must read folder:PATH, with the path of a folder")
    place = path if config.weights == RELEASED else _absolute(config.weights, "weights")
    streams = None if config.bytes is None else str(_absolute(config.bytes, "bytes"))
    for folder in (place, *([Path(streams)] if streams else [])):
        if not folder.is_dir():
            raise RequestError(f"there is no folder '{readable(str(folder))}'", code="images-not-found")
    name = FOLDER + readable(path.name)
    return config.replace(name=name, weights=str(place), bytes=streams, dtype="float32", seed=0)


def weights_of(config: RunConfig) -> Weights:
    """What a ``located`` folder holds: one digest over the names and contents of all its files, one of its streams.

    Raises:
        RequestError: the folder holds no image, or a file cannot be read.
    """
    files, streams = _files_of(config)
    digests = {"reconstructions": _digest(files)} | ({} if streams is None else {"streams": _digest(streams)})
    return Weights(source="file", files=digests)


class Reconstructions:
    """The files of a folder; :meth:`paired` says which of them belongs to which image."""

    def __init__(self, spec: TokenizerSpec, config: RunConfig) -> None:
        self.spec = spec
        self.weights = weights_of(config)
        self.settings = Settings(device=config.device, dtype=config.dtype)
        self._files, self._streams = _files_of(config)

    def encode(self, images: Tensor) -> Latent:
        raise nothing_to_run(self.spec.name)

    def decode(self, latent: Latent) -> Tensor:
        raise nothing_to_run(self.spec.name)

    def reconstruct(self, images: Tensor) -> Tensor:
        raise nothing_to_run(self.spec.name)

    def paired(self, asked: Sequence[ManifestEntry], every: Sequence[str]) -> Paired:
        """With the files of the images that are ``asked`` for, of a set that has the names ``every``.

        Raises:
            RequestError: an image has no file or no stream or an empty stream, a file belongs to no image of the set
                or to more than one, or two equal images have unequal files.
        """
        place = f"'{self.spec.name}'"
        chosen = _pairs(every, self._files, place)
        surplus = sorted(self._files.keys() - set(chosen.values()))
        if surplus:
            _refuse(f"{place} holds {_names(surplus, 'file')} of no image of the set; move such files away")
        files = _asked(asked, chosen, self._files, place)
        if self._streams is None:
            return Paired(self.spec, self.settings, files, None)
        place = "the folder of streams"
        streams = _asked(asked, _pairs(every, self._streams, place), self._streams, place)
        empty = [name for name, content in streams.items() if content.digest().size == 0]
        if empty:
            _refuse(f"{place} holds an empty file for {_names(empty, 'image')}; write the streams again")
        return Paired(self.spec, self.settings, files, streams)


class Paired:
    """The reconstructions of the images of a set, and their streams where there are any, by the name of the image."""

    def __init__(self, spec: TokenizerSpec, settings: Settings, files: Files, streams: Files | None) -> None:
        self.spec, self.settings = spec, settings
        self._files, self._streams = files, streams

    def bits(self, names: Sequence[str]) -> tuple[int, ...]:
        """Of the stream of each image; 0 without streams."""
        return tuple(8 * self._streams[name].digest().size if self._streams else 0 for name in names)

    def images(self, names: Sequence[str], height: int, width: int) -> Tensor:
        """The reconstructions as float32 ``[B, 3, height, width]`` in [-1, 1], on the CPU.

        Raises:
            ImageError: a file cannot be read, or has another size.
        """
        each = [torch.from_numpy(self.pixels(name, height, width)) for name in names]
        return from_uint8(torch.stack(each).permute(0, 3, 1, 2))

    def pixels(self, name: str, height: int, width: int) -> NDArray[np.uint8]:
        """The reconstruction of image ``name``: ``[height, width, 3]`` in 0…255.

        Raises:
            ImageError: the file cannot be read, or has another size.
        """
        content = self._files[name]
        pixels = read(content, 1, content.place, NATIVE)
        if pixels.shape[:2] != (height, width):
            found = f"{pixels.shape[0]} × {pixels.shape[1]} px"
            raise ImageError(f"'{content.place}' has {found}, and its original {height} × {width} px")
        return pixels


def _absolute(path: str, named: str) -> Path:
    """``path`` without ``..`` and with no link followed, so that it keeps the name that was given."""
    return Path(os.path.abspath(expanded(path, named))) if path else Path()


def _files_of(config: RunConfig) -> tuple[Files, Files | None]:
    files = open_folder(Path(config.weights)).files
    if config.bytes is None:
        return files, None
    below = sorted((readable(name), path) for name, path in files_below(Path(config.bytes), Counter()))
    return files, {name: FileContent(path) for name, path in below if not PurePosixPath(name).name.startswith(".")}


def _digest(files: Files) -> str:
    try:
        return Manifest(tuple(ManifestEntry(name, *content.digest()) for name, content in files.items())).sha256
    except OSError as error:
        raise RequestError(f"cannot read '{readable(str(error.filename))}': {error.strerror or error}") from error


def _pairs(every: Iterable[str], files: Files, place: str) -> dict[str, str]:
    """The file of each image that has one.

    Raises:
        RequestError: several files could be an image's, or a file could be several images'.
    """
    images = set(every)
    by_stem: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if file not in images:
            by_stem[str(PurePosixPath(file).with_suffix(""))].append(file)
    found: dict[str, str] = {}
    image_of: dict[str, str] = {}
    for image in images:
        path = PurePosixPath(image)
        stem = str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else image
        fitting = [image] if image in files else by_stem.get(image) or by_stem.get(stem, [])
        if len(fitting) > 1:
            _refuse(f"{place} holds {_names(fitting, 'file')} for image '{image}'; leave one")
        for file in fitting:
            other = image_of.setdefault(file, image)
            if other != image:
                both = _names(sorted((image, other)), "image")
                _refuse(f"{place} holds one file '{file}' for {both}; give each the whole name of its image")
            found[image] = file
    return found


def _asked(asked: Sequence[ManifestEntry], chosen: Mapping[str, str], files: Files, place: str) -> Files:
    """The file of each image that is asked for; a RequestError where it has none, or equal images have unequal ones."""
    missing = [entry.name for entry in asked if entry.name not in chosen]
    if missing:
        _refuse(f"{place} holds no file for {_names(missing, 'image')}; add it, or take fewer images by --samples")
    first: dict[str, str] = {}
    for entry in asked:  # results are kept by the content of the original
        other = first.setdefault(entry.sha256, entry.name)
        if files[chosen[other]].digest().sha256 != files[chosen[entry.name]].digest().sha256:
            both = _names([other, entry.name], "image")
            _refuse(f"{place} holds unequal files for {both}, whose originals are equal; leave one of them out")
    return {entry.name: files[chosen[entry.name]] for entry in asked}


def _names(names: Sequence[str], noun: str) -> str:
    """Such as ``image 'a'``, or ``5 images ('a', 'b', 'c' and 2 more)``."""
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{noun} {shown}" if len(names) == 1 else f"{len(names)} {noun}s ({shown}{more})"


def _refuse(sentence: str) -> NoReturn:
    raise RequestError(sentence)
