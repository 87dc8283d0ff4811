"""Latents as streams of bytes: quantised, and written by a range coder with a model of each channel.

A model is the histogram of the channel's levels over the latents of other images, each count raised by a half
(Krichevsky & Trofimov 1981), so that a level which none of them took can still be written. It is static and knows no
context: neighbours, in space or among channels, say nothing about a value. The range coder is that of `constriction`
(Bamler 2022, arXiv:2201.01741).

A stream, its numbers with the lowest byte first:

| bytes | what |
|---|---|
| 4 | ``VLR1`` |
| 1 | ``b`` (bits), ``s`` (step) or ``c`` (common): how it was quantised |
| 4 | bits, or the step in standard deviations, as a 32-bit float |
| 8 | which models: the beginning of a sha256 of grid and histograms |
| 5 × 4 | height and width of the image in pixels; rows, columns and channels of the latent |
| 4 | bytes of coded levels |
| 4 | CRC-32 of all of the stream but itself |
| rest | the levels, channel after channel, each row by row, as 32-bit words of one range coder |
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.measure.latents.quantise import Grid, Quantiser, dequantise, fit_grid, quantise

_MAGIC = b"VLR1"
_HEADER = struct.Struct("<4scf8s5II")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CHECKSUM.size


class Content(NamedTuple):
    """What a stream holds: ``values`` ``[rows, columns, C]`` of an image of ``height`` × ``width`` pixels."""

    values: NDArray[np.float32]
    height: int
    width: int


@dataclass(frozen=True)
class LatentCoder:
    """Writes latents of C channels and reads them back; ``counts`` of each channel's levels make its model."""

    quantiser: Quantiser
    grid: Grid
    counts: tuple[NDArray[np.int64], ...]

    @classmethod
    def fit(cls, quantiser: Quantiser, latents: Sequence[NDArray[np.float32]]) -> Self:
        """The coder for latents like those given, each ``[…, C]``; they must not be those that it is to code.

        Raises:
            RequestError: the quantiser needs too many levels.
            ValueError: a value is no finite number.
        """
        values = np.concatenate([latent.reshape(-1, latent.shape[-1]) for latent in latents])
        grid = fit_grid(quantiser, values)
        symbols = quantise(values, grid)
        counts = tuple(
            np.bincount(column, minlength=levels) for column, levels in zip(symbols.T, grid.levels, strict=True)
        )
        return cls(quantiser, grid, counts)

    @cached_property
    def model_id(self) -> bytes:
        """Eight bytes that tell these models from others."""
        digest = hashlib.sha256()
        for array in (self.grid.origin, self.grid.step, self.grid.levels, *self.counts):
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return digest.digest()[:8]

    @cached_property
    def _models(self) -> list[Any]:
        import constriction

        raised = [count + 0.5 for count in self.counts]
        return [constriction.stream.model.Categorical(counts / counts.sum(), perfect=False) for counts in raised]

    def encode(self, values: NDArray[np.float32], height: int, width: int) -> bytes:
        """The stream of a latent ``[rows, columns, C]`` of an image of ``height`` × ``width`` pixels.

        Raises:
            RequestError: it has another number of channels than the models.
            ValueError: a value is no finite number.
        """
        import constriction

        rows, columns, channels = values.shape
        if channels != len(self.counts):
            raise RequestError(f"a latent of {channels} channels does not fit models of {len(self.counts)}; fit others")
        encoder = constriction.stream.queue.RangeEncoder()
        for column, model in zip(quantise(values.reshape(-1, channels), self.grid).T, self._models, strict=True):
            encoder.encode(np.ascontiguousarray(column), model)
        payload: bytes = encoder.get_compressed().astype("<u4").tobytes()
        header = _HEADER.pack(*self._start, height, width, rows, columns, channels, len(payload))
        return header + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(header))) + payload

    def decode(self, stream: bytes) -> Content:
        """The quantised latent that ``stream`` holds, bit by bit what was written.

        Raises:
            RequestError: it is no such stream, cut off, damaged, or was written with other models.
        """
        import constriction

        sizes, payload = self._checked(stream)
        height, width, rows, columns, channels = sizes
        decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        symbols = np.stack([decoder.decode(model, rows * columns) for model in self._models], -1)
        return Content(dequantise(symbols, self.grid).reshape(rows, columns, channels), height, width)

    @property
    def _start(self) -> tuple[bytes, bytes, float, bytes]:
        return _MAGIC, self.quantiser.kind[0].encode(), self.quantiser.amount, self.model_id

    def _checked(self, stream: bytes) -> tuple[tuple[int, ...], bytes]:
        """The sizes in a whole stream's header, and its coded levels."""
        if not stream.startswith(_MAGIC):
            raise RequestError(f"{stream[:4]!r} begins no stream of a latent, which begins with {_MAGIC!r}")
        if len(stream) < HEADER_BYTES:
            raise RequestError(f"the stream is cut off: it has {len(stream)} bytes, and its header {HEADER_BYTES}")
        *start, height, width, rows, columns, channels, size = _HEADER.unpack_from(stream)
        payload = stream[HEADER_BYTES:]
        (checksum,) = _CHECKSUM.unpack_from(stream, _HEADER.size)
        if len(payload) < size:
            raise RequestError(f"the stream is cut off: it has {len(payload)} of {size} bytes of coded levels")
        if len(payload) > size or checksum != zlib.crc32(payload, zlib.crc32(stream[: _HEADER.size])):
            raise RequestError("the stream is damaged: its CRC-32 is another; write it again")
        if tuple(start) != self._start:
            raise RequestError(
                f"the stream was written with models {start[3].hex()}, not {self.model_id.hex()}; "
                "read it with the coder that wrote it"
            )
        return (height, width, rows, columns, channels), payload
