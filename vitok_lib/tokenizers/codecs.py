"""Classical codecs as tokenizers: the latent of an image is its stream of bytes."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Self

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.images.formats.pillow import reading
from vitok_lib.metrics.pixel import from_uint8, to_uint8
from vitok_lib.records.config import Settings, Weights
from vitok_lib.tokenizers.codec_names import Codec, CodecSetting, parse_codec
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec
from vitok_lib.tokenizers.registry import Entry
from vitok_lib.tokenizers.shapes import check_images


@dataclass(frozen=True)
class Bitstreams(Latent):
    """``values`` uint8 ``[B, 1, 1, longest]``: the stream of each image, ``lengths`` bytes of it, then zeros."""

    lengths: tuple[int, ...]

    @classmethod
    def of(cls, streams: Sequence[bytes], height: int, width: int) -> Self:
        """The streams of images of ``height`` × ``width`` pixels."""
        lengths = tuple(len(stream) for stream in streams)
        values = torch.zeros(len(streams), 1, 1, max(lengths), dtype=torch.uint8)
        for row, stream in zip(values, streams, strict=True):
            row[0, 0, : len(stream)] = torch.from_numpy(np.frombuffer(stream, np.uint8).copy())
        return cls(values, height, width, lengths)

    @property
    def bits(self) -> tuple[int, ...]:
        """Bits of each stream, its headers included."""
        return tuple(8 * length for length in self.lengths)

    @property
    def streams(self) -> tuple[bytes, ...]:
        rows = self.values.cpu().numpy().reshape(len(self.lengths), -1)
        return tuple(row[:length].tobytes() for row, length in zip(rows, self.lengths, strict=True))


class ImageCodec:
    """A codec at a quality, or at the highest quality whose stream stays within a target of bits per pixel.

    Images are clamped and rounded to 8 bits before, as before any metric. The quality for a target is found for
    each image by bisection: the next higher quality exceeds the target. Where a stream can shrink as quality grows
    (WebP and JPEG XL, by little), a higher one still may be within it again. Where even the lowest quality exceeds
    the target, as the headers alone do of small images, the lowest is taken: the bits of the latent are always the
    true ones. JPEG XL at quality 100 is lossless.
    """

    def __init__(self, spec: TokenizerSpec, weights: Weights, setting: CodecSetting) -> None:
        self.spec = spec
        self.weights = weights
        self.settings = Settings(device="cpu")
        self._setting = setting

    def encode(self, images: Tensor) -> Bitstreams:
        """Images on any device to their streams.

        Raises:
            UnsupportedError: a side is longer than the format can hold.
        """
        check_images(images)
        height, width = images.shape[2:]
        codec = self._setting.codec
        if max(height, width) > codec.longest_side:
            raise UnsupportedError(
                f"{codec.name} holds at most {codec.longest_side} px a side; this image has {height} × {width} px"
            )
        pixels = to_uint8(images).permute(0, 2, 3, 1).cpu().numpy()
        return Bitstreams.of([self._stream(Image.fromarray(image)) for image in pixels], height, width)

    def decode(self, latent: Latent) -> Tensor:
        """Streams to float32 images on the CPU; they hold the images' size themselves."""
        if not isinstance(latent, Bitstreams):
            raise RequestError(f"{self.spec.name} decodes Bitstreams; this is a {type(latent).__name__}")
        return from_uint8(torch.stack([self._pixels(stream) for stream in latent.streams]))

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))

    def _stream(self, image: Image.Image) -> bytes:
        codec, quality, target = self._setting.codec, self._setting.quality, self._setting.bits_per_pixel
        if quality is not None:
            return _saved(image, codec, quality)
        assert target is not None
        most = target * image.width * image.height / 8
        return _highest_within(lambda quality: _saved(image, codec, quality), codec.qualities, most)

    def _pixels(self, stream: bytes) -> Tensor:
        """uint8 ``[3, H, W]``."""
        with reading(), Image.open(io.BytesIO(stream), formats=[self._setting.codec.format]) as image:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def load_codec(entry: Entry, spec: TokenizerSpec) -> ImageCodec:
    """A codec by its name (:func:`vitok_lib.tokenizers.codec_names.parse_codec`).

    The spec's ``variant`` says how the encoder is set, the ``revision`` of its weights which library it is: either
    makes other streams.

    Raises:
        RequestError: the setting cannot be read, or Pillow was built without the codec.
    """
    setting = parse_codec(entry.name)
    identity = Weights(source="none", revision=_library(setting.codec))
    return ImageCodec(replace(spec, variant=setting.text), identity, setting)


def _saved(image: Image.Image, codec: Codec, quality: int) -> bytes:
    options = dict(codec.options)
    if quality == codec.qualities[1]:
        options |= codec.best
    buffer = io.BytesIO()
    image.save(buffer, codec.format, quality=quality, **options)
    return buffer.getvalue()


def _highest_within(encoded: Callable[[int], bytes], qualities: tuple[int, int], most: float) -> bytes:
    """The stream of the highest quality that takes at most ``most`` bytes; of the lowest one where none does."""
    within, beyond = qualities[0], qualities[1] + 1
    best = encoded(within)
    if len(best) > most:
        return best
    while beyond - within > 1:
        quality = (within + beyond) // 2
        stream = encoded(quality)
        if len(stream) <= most:
            within, best = quality, stream
        else:
            beyond = quality
    return best


def _library(codec: Codec) -> str:
    """Name and version of the library that writes the streams; JPEG XL is registered with Pillow on the way."""
    if codec.format == "JXL":
        try:
            importlib.import_module("pillow_jxl")
        except ImportError as error:
            raise RequestError(f"codec 'jxl' cannot be loaded ({error}); pip install pillow-jxl-plugin") from error
        return f"pillow-jxl-plugin {metadata.version('pillow-jxl-plugin')}"
    if not features.check({"JPEG": "jpg"}.get(codec.format, codec.name)):
        raise RequestError(f"this Pillow was built without {codec.name}; pip install the wheel of Pillow from PyPI")
    if codec.format == "JPEG":
        turbo = features.version("libjpeg_turbo")
        return f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    if codec.format == "AVIF":
        from PIL import AvifImagePlugin

        return f"libavif {features.version('avif')}, aom {AvifImagePlugin.get_codec_version('aom')}"
    return f"libwebp {features.version('webp')}"
