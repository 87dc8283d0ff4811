"""The classical codecs by name: ``jpeg``, ``jpeg:q=75``, ``jxl:bpp=0.5``. Plain data, without Pillow or torch.

Chroma is kept at full resolution (4:4:4) wherever the format allows it. The metrics here are those of RGB images,
and the tokenizers that the codecs stand beside take 1 to 4 bits per pixel, where halving chroma (4:2:0, Pillow's
default) ends in a ceiling. On three photographs of scikit-image, at equal bits per pixel, 4:4:4 moves the PSNR of
JPEG by -0.4 to -0.1 dB at 1, -0.3 to +0.6 at 2 and -0.2 to +2.0 at 4, that of AVIF by -0.2 to +0.3, -0.2 to +1.0 and
+0.9 to +3.0; below 1 bit per pixel 4:2:0 serves JPEG better, by about 1 dB at 0.5. Lossy WebP has 4:2:0 alone.

All else is what Pillow does by default, but for what would make the bytes of a stream depend on the machine: the
number of threads, and which AV1 encoder is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vitok_lib.errors import RequestError


@dataclass(frozen=True)
class Codec:
    """``format`` is Pillow's name; ``quality`` the default; ``qualities`` the lowest and the highest one.

    ``options`` are those of Pillow's ``save``, ``best`` more of them for the highest quality; ``longest_side`` in
    pixels is the most that the format, or the library that writes and reads it, can hold. ``block`` is the side of the
    blocks that every stream of the format is made of, None where an encoder chooses their sizes.
    """

    name: str
    format: str
    source: str
    quality: int
    qualities: tuple[int, int]
    longest_side: int
    options: tuple[tuple[str, str | int], ...]
    best: tuple[tuple[str, str | int], ...] = ()
    block: int | None = None


CODECS = {
    codec.name: codec
    for codec in (
        Codec(
            "jpeg",
            "JPEG",
            "JPEG 4:4:4, ISO/IEC 10918-1, through Pillow",
            quality=75,
            qualities=(1, 100),
            longest_side=65500,
            options=(("subsampling", "4:4:4"),),
            block=8,
        ),
        Codec(
            "webp",
            "WEBP",
            "WebP 4:2:0, RFC 9649, through Pillow",
            quality=80,
            qualities=(0, 100),
            longest_side=16383,
            options=(("method", 4),),
        ),
        Codec(
            "avif",
            "AVIF",
            "AVIF 4:4:4, AV1 image format, through Pillow",
            quality=75,
            qualities=(0, 100),
            longest_side=32768,
            options=(("subsampling", "4:4:4"), ("codec", "aom"), ("speed", 6), ("max_threads", 1)),
        ),
        Codec(
            "jxl",
            "JXL",
            "JPEG XL 4:4:4, ISO/IEC 18181, through pillow-jxl-plugin",
            quality=90,
            qualities=(0, 100),
            longest_side=2**30,
            options=(("effort", 7), ("num_threads", 0)),
            best=(("lossless", True),),
        ),
    )
}


@dataclass(frozen=True)
class CodecSetting:
    """A codec at a ``quality``, or at the highest quality that stays within ``bits_per_pixel``."""

    codec: Codec
    quality: int | None
    bits_per_pixel: float | None

    @property
    def text(self) -> str:
        """Everything that decides what the encoder writes, apart from its version: ``q=75, subsampling 4:4:4``."""
        goal = f"q={self.quality}" if self.bits_per_pixel is None else f"bpp={self.bits_per_pixel:g}"
        return ", ".join([goal, *(f"{option} {value}" for option, value in self.codec.options)])


def is_codec(name: str) -> bool:
    """Whether ``name`` is meant as a codec: ``jpeg`` or ``jpeg:…``."""
    return name.partition(":")[0] in CODECS


def block_of(name: str) -> int | None:
    """The side in pixels of the blocks of a codec with fixed ones; None of any other tokenizer."""
    return CODECS[name.partition(":")[0]].block if is_codec(name) else None


def parse_codec(name: str) -> CodecSetting:
    """Read ``jpeg``, ``jpeg:q=75`` or ``jpeg:bpp=0.5``.

    Raises:
        RequestError: the part after the colon is no quality and no target, or is out of range.
    """
    stem, colon, setting = name.partition(":")
    codec = CODECS[stem]
    if not colon:
        return CodecSetting(codec, codec.quality, None)
    key, _, text = setting.partition("=")
    low, high = codec.qualities
    if key == "q" and text.isascii() and text.isdigit() and low <= int(text) <= high:
        return CodecSetting(codec, int(text), None)
    if key == "bpp":
        try:
            target = float(text)
        except ValueError:
            target = math.nan
        if 0 < target < math.inf:
            return CodecSetting(codec, None, target)
    raise RequestError(
        f"codec '{name}' must read {stem}, {stem}:q=QUALITY ({low} to {high}) or {stem}:bpp=BITS_PER_PIXEL (above 0)"
    )
