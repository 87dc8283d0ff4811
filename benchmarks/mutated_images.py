"""Damage image files and archives at random and count how reading them ends.

``python benchmarks/mutated_images.py [COUNT]`` reads COUNT damaged files (1,000 if not given) of every format that is
taken and COUNT damaged tars and zips, in a process of its own with 10 s for each. It prints how many gave pixels, an
error of one line that names the image or the archive, another exception or a crash, or nothing in time, from how many
archives an image was lost without a word, what was printed on the way, and one JSON line.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import BinaryIO

import mutated_archives
import numpy as np
from PIL import Image

from vitok_lib.images.files.content import Digest
from vitok_lib.images.prepare import ImageError, read

TIME_LIMIT = 10.0  # seconds
RESOLUTION = 64
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Bytes:
    """An image in memory."""

    data: bytes
    place: str = "memory"

    def digest(self) -> Digest:
        return Digest(len(self.data), "")

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


def originals() -> dict[str, bytes]:
    """Small whole files, one for each way of keeping pixels, by name; the name ends with the format."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (10, 12, 3), np.uint8)).resize((48, 40), Image.Resampling.BICUBIC)
    grey = Image.fromarray(rng.integers(0, 65536, (40, 48), np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    saved: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "rgb.png": (colours, {"exif": exif}),
        "palette.png": (colours.quantize(16), {"transparency": 3}),
        "alpha.png": (colours.convert("RGBA"), {}),
        "grey16.png": (grey, {}),
        "baseline.jpeg": (colours, {"exif": exif}),
        "progressive.jpeg": (colours, {"progressive": True}),
        "cmyk.jpeg": (colours.convert("CMYK"), {}),
        "lossy.webp": (colours, {"exif": exif}),
        "lossless.webp": (colours.convert("RGBA"), {"lossless": True}),
        "lossy.avif": (colours, {"speed": 10}),
        "plain.tiff": (colours, {}),
        "lzw.tiff": (colours, {"compression": "tiff_lzw"}),
        "deflate.tiff": (grey, {"compression": "tiff_adobe_deflate"}),
        "jpeg.tiff": (colours, {"compression": "jpeg"}),
        "plain.bmp": (colours, {}),
    }
    files = {}
    for name, (image, options) in saved.items():
        stream = io.BytesIO()
        image.save(stream, name.rpartition(".")[2], **options)
        files[name] = stream.getvalue()
    return files


def mutations(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged files with the name of what they were, the same for the same seed."""
    rng = np.random.default_rng(seed)
    files = list(originals().items())
    for index in range(count):
        name, data = files[index % len(files)]
        damaged = _DAMAGES[int(rng.integers(len(_DAMAGES)))](data, rng)
        if name.endswith(".png") and rng.random() < 0.7:
            damaged = _with_checksums(damaged)  # or the checksums would stop nearly every one at the door
        yield name, damaged


def _change_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for position in rng.integers(0, len(data), rng.integers(1, 20)):
        changed[position] = rng.integers(256)
    return bytes(changed)


def _change_header(data: bytes, rng: np.random.Generator) -> bytes:
    size = min(len(data), 256)
    return _change_bytes(data[:size], rng) + data[size:]


def _write_numbers(data: bytes, rng: np.random.Generator) -> bytes:
    """Lengths, offsets and sizes that nobody expects."""
    changed = bytearray(data)
    for position in rng.integers(0, max(1, len(data) - 4), rng.integers(1, 4)):
        number = (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000, len(data))[int(rng.integers(6))]
        changed[position : position + 4] = struct.pack(("<I", ">I")[int(rng.integers(2))], number)
    return bytes(changed)


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def _move(data: bytes, rng: np.random.Generator) -> bytes:
    """A piece is left out, written twice, or exchanged."""
    first, second, third = sorted(int(position) for position in rng.integers(0, len(data), 3))
    head, piece, other, tail = data[:first], data[first:second], data[second:third], data[third:]
    return (head + other + tail, head + piece + piece + other + tail, head + other + piece + tail)[int(rng.integers(3))]


_DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _change_bytes,
    _change_header,
    _write_numbers,
    _cut,
    _move,
)


def _with_checksums(data: bytes) -> bytes:
    """The PNG file with the checksum of each chunk set right, as far as chunks can be made out."""
    fixed, position = bytearray(data), len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        end = position + 8 + length
        if end + 4 > len(data):
            break
        fixed[end : end + 4] = struct.pack(">I", zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return bytes(fixed)


def outcome(name: str, data: bytes) -> str:
    """``pixels``, ``named error``, or what else came of reading the file or, as ``mutated_archives`` says, archive."""
    try:
        if name in mutated_archives.NAMES:
            return mutated_archives.outcome(name, data)
        pixels = read(Bytes(data), RESOLUTION, name)
    except ImageError as error:
        message = str(error)
        return "named error" if name in message and len(message.splitlines()) == 1 else f"unnamed: {message!r}"
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {error}"
    whole = pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and max(pixels.shape) <= RESOLUTION
    return "pixels" if whole else f"odd pixels: {pixels.dtype} {pixels.shape}"


def _serve(requests: Connection, noise: str) -> None:
    output = os.open(noise, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    while True:
        requests.send(outcome(*requests.recv()))


class Reader:
    """A process that reads images, started anew when one hangs or crashes it."""

    def __init__(self, noise: str) -> None:
        self._noise = noise
        self._start()

    def _start(self) -> None:
        self._pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=_serve, args=(other, self._noise), daemon=True)
        self._process.start()
        other.close()

    def outcome(self, name: str, data: bytes) -> str:
        """As :func:`outcome`, or ``hang``, or ``traceback: crash``."""
        self._pipe.send((name, data))
        if self._pipe.poll(TIME_LIMIT):
            try:
                return str(self._pipe.recv())
            except EOFError:
                result = "traceback: crash"
        else:
            result = "hang"
        self.stop()
        self._start()
        return result

    def stop(self) -> None:
        self._process.kill()
        self._process.join()


def run(
    reader: Reader, title: str, count: int, files: Iterator[tuple[str, bytes]], expected: tuple[str, ...]
) -> dict[str, object]:
    """Read ``count`` files, print every surprise and the numbers of each outcome, and return these."""
    counts: Counter[str] = Counter()
    slowest = 0.0
    for name, data in files:
        began = time.perf_counter()
        result = reader.outcome(name, data)
        slowest = max(slowest, time.perf_counter() - began)
        kind = result.partition(":")[0]
        counts[kind] += 1
        if kind not in expected:
            print(f"{name}: {result}")
    summary = {kind.replace(" ", "_"): counts[kind] for kind in (*expected, "lost", "traceback", "hang")}
    summary["other"] = count - sum(summary.values())
    for kind, number in summary.items():
        print(f"{title} {kind:12} {number:6}")
    print(f"{title}: slowest {slowest:.2f} s")
    return {**summary, "slowest_s": round(slowest, 3)}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.NamedTemporaryFile() as noise, tempfile.TemporaryDirectory() as cache:
        os.environ["VITOK_CACHE"] = cache
        reader = Reader(noise.name)
        images = run(reader, "images", count, mutations(count), ("pixels", "named error"))
        damaged = mutated_archives.mutations(count, _DAMAGES)
        archives = run(reader, "archives", count, damaged, ("measured", "named error", "refused"))
        reader.stop()
        said = noise.read().decode(errors="replace").splitlines()
    printed = [line for line in said if "left out" not in line]
    print(f"{len(printed)} lines printed on the way", *printed[:20], sep="\n")
    print(json.dumps({"count": count, **images, "archives": archives, "lines": len(printed)}))


if __name__ == "__main__":
    main()
