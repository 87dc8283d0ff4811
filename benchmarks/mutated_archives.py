"""Damaged tars and zips for ``mutated_images.py``, and whether an image that is in one was lost without a word."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from vitok_lib.errors import RequestError
from vitok_lib.images.file_set import FileSet
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import open_image_set

RESOLUTION = 64
Damage = Callable[[bytes, np.random.Generator], bytes]

_BLOCK = 512
_CHECKSUM = slice(148, 156)


def _images() -> dict[str, bytes]:
    """Eight different images by name, of which PNG and JPEG are hardly smaller when deflated."""
    rng = np.random.default_rng(1)
    files = {}
    for index in range(8):
        stream = io.BytesIO()
        form = ("png", "jpeg", "bmp")[index % 3]
        Image.fromarray(rng.integers(0, 256, (9 + index, 12, 3), np.uint8)).save(stream, form)
        files[f"class{index % 2}/image{index}.{form}"] = stream.getvalue()
    return files


IMAGES = _images()
NAMES = ("stored.zip", "deflated.zip", "gnu.tar", "pax.tar", "gnu.tgz")


def originals() -> dict[str, bytes]:
    """Whole archives of all images, by name."""
    made = {}
    for name, method in {"stored.zip": zipfile.ZIP_STORED, "deflated.zip": zipfile.ZIP_DEFLATED}.items():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method) as archive:
            for member, data in IMAGES.items():
                archive.writestr(member, data)
        made[name] = stream.getvalue()
    for name, form in {
        "gnu.tar": tarfile.GNU_FORMAT,
        "pax.tar": tarfile.PAX_FORMAT,
        "gnu.tgz": tarfile.GNU_FORMAT,
    }.items():
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
            for member, data in IMAGES.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                info.mtime = 0.5 if form == tarfile.PAX_FORMAT else 0  # needs an extended header
                archive.addfile(info, io.BytesIO(data))
        made[name] = stream.getvalue()
    return made


def mutations(count: int, damages: Sequence[Damage], seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged archives with the name of what they were, the same for the same seed."""
    rng = np.random.default_rng(seed)
    files = list(originals().items())
    kinds = [*damages, _change_one_header, _cut_at_a_block, _append_another]
    for index in range(count):
        name, data = files[index % len(files)]
        damaged = kinds[int(rng.integers(len(kinds)))](data, rng)
        if not name.endswith("zip") and rng.random() < 0.5:
            damaged = _with_checksums(damaged)  # or the checksums would stop nearly every one
        if name.endswith("tgz"):
            damaged = _gzip(damaged)
            if rng.random() < 0.3:
                damaged = damages[int(rng.integers(len(damages)))](damaged, rng)
        yield name, damaged


def _change_one_header(data: bytes, rng: np.random.Generator) -> bytes:
    """One byte of a header or of an entry of a table of contents."""
    marks = [at for mark in (b"ustar", b"PK\1\2", b"PK\3\4", b"PK\5\6") for at in _occurrences(data, mark)]
    at = marks[int(rng.integers(len(marks)))]
    if data[at : at + 2] == b"PK":
        at += int(rng.integers(46))
    else:
        at += int(rng.integers(-257, 255))
    changed = bytearray(data)
    changed[min(max(at, 0), len(data) - 1)] = rng.integers(256)
    return bytes(changed)


def _cut_at_a_block(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(1 + len(data) // _BLOCK)) * _BLOCK]


def _append_another(data: bytes, rng: np.random.Generator) -> bytes:
    """The archive after, or before, one that holds the first image alone."""
    name, image = next(iter(IMAGES.items()))
    stream = io.BytesIO()
    if data.startswith(b"PK"):
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(name, image)
    else:
        with tarfile.open(fileobj=stream, mode="w") as tar:
            info = tarfile.TarInfo(name)
            info.size = len(image)
            tar.addfile(info, io.BytesIO(image))
    return data + stream.getvalue() if rng.random() < 0.5 else stream.getvalue() + data


def _occurrences(data: bytes, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


def _with_checksums(data: bytes) -> bytes:
    """The tar with the checksum of each block that looks like a header set right."""
    fixed = bytearray(data)
    for start in range(0, len(data) - _BLOCK + 1, _BLOCK):
        if fixed[start + 257 : start + 262] == b"ustar":
            header = fixed[start : start + _BLOCK]
            header[_CHECKSUM] = b" " * 8
            header[_CHECKSUM] = b"%06o\0 " % sum(header)
            fixed[start : start + _BLOCK] = header
    return bytes(fixed)


def _gzip(data: bytes) -> bytes:
    packed = zlib.compressobj(wbits=31)
    return packed.compress(data) + packed.flush()


def whole_images(name: str, data: bytes) -> set[str]:
    """The sha256 of each original image whose bytes are in the archive, wherever: no format of archive is parsed."""
    if name.endswith("tgz"):
        data = _unpacked_as_far_as_it_goes(data)
    found = set()
    for image in IMAGES.values():
        packed = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -15)
        deflated = packed.compress(image) + packed.flush()
        if image in data or (name == "deflated.zip" and deflated in data):
            found.add(sha256(image).hexdigest())
    return found


def _unpacked_as_far_as_it_goes(data: bytes) -> bytes:
    stream, found = zlib.decompressobj(wbits=31), b""
    for at in range(len(data)):
        try:
            found += stream.decompress(data[at : at + 1])
        except zlib.error:
            break
    return found


def outcome(name: str, data: bytes) -> str:
    """``measured``, ``named error`` of some images, ``refused``, ``lost``, or what else came of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        try:
            images = open_image_set(path)
            assert isinstance(images, FileSet)
            entries = images.manifest(RESOLUTION).entries
        except RequestError as error:
            message = str(error)
            return "refused" if name in message and len(message.splitlines()) == 1 else f"unnamed: {message!r}"
        errors = 0
        for entry in entries:
            try:
                images.load(entry.name, RESOLUTION)
            except ImageError as error:
                if entry.name not in str(error) or len(str(error).splitlines()) != 1:
                    return f"unnamed: {error}"
                errors += 1
    missing = whole_images(name, data) - {entry.sha256 for entry in entries}
    unexplained = len(missing) - sum(images.left_out.values()) - errors
    if unexplained > 0:
        return f"lost: {unexplained} of {len(entries) + len(missing)}"
    return "named error" if errors else "measured"
