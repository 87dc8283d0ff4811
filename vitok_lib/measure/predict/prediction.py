"""A plan: what is known of an evaluation before it, and what follows from that.

The least time is a bound, not a guess: what the FLOPs take at the peak rates on record; none where there are none.
It has the weights come from memory for each batch; a cache that holds all of a small model could beat it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch

from vitok_lib.cost.flops import SideFlops
from vitok_lib.cost.peak_rates import PeakRates, recorded_peak_rates
from vitok_lib.cost.roofline import least_seconds
from vitok_lib.errors import RequestError
from vitok_lib.images.formats.pillow import MAX_RESOLUTION
from vitok_lib.records.provenance import describe_host
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, find
from vitok_lib.tokenizers.vitok.kernel_choice import SIXTEEN_BITS


@dataclass(frozen=True)
class Plan:
    """Bytes and floating-point operations of an evaluation of square images; None where nothing is known.

    ``encode_bytes`` and ``decode_bytes`` are the peaks of activations, the model's output among them;
    ``evaluation_bytes`` what the evaluation holds beside; ``total_bytes`` the peak of all that lives at one time
    on ``device``, of which ``available_bytes`` are free; what is measured exceeds it by at most the ``margin``, a share
    of it, and ``fixed_margin_bytes``. ``encode_work`` has convolutions among its linear operations;
    ``encode_moved`` counts the bytes that cannot but go through memory: the weights and the images. ``only_side`` is
    that of the images in pixels where the model takes no others.
    """

    tokenizer: str
    resolution: int
    device: str
    dtype: str
    evaluation_bytes: int
    available_bytes: int | None
    precision: str | None = None
    parameters: int | None = None
    weight_bytes: int | None = None
    encode_bytes: int | None = None
    decode_bytes: int | None = None
    total_bytes: int | None = None
    encode_work: SideFlops | None = None
    decode_work: SideFlops | None = None
    encode_moved: int = 0
    decode_moved: int = 0
    stride: int = 1
    only_side: int | None = None
    margin: float = 0.0
    fixed_margin_bytes: int = 0
    total_at: Callable[[int], int] | None = field(default=None, repr=False, compare=False)

    @property
    def fits(self) -> bool | None:
        if self.total_bytes is None or self.available_bytes is None:
            return None
        return self.bytes_with_margin is not None and self.bytes_with_margin <= self.available_bytes

    @property
    def bytes_with_margin(self) -> int | None:
        """The peak with what workspaces took beyond it at most where both were measured."""
        return (
            None
            if self.total_bytes is None
            else math.ceil(self.total_bytes * (1 + self.margin)) + self.fixed_margin_bytes
        )

    @property
    def encode_flops(self) -> int | None:
        return None if self.encode_work is None else self.encode_work.total

    @property
    def decode_flops(self) -> int | None:
        return None if self.decode_work is None else self.decode_work.total

    @cached_property
    def peak_rates(self) -> tuple[PeakRates, str] | None:
        """Those on record of this machine, or of the newest machine where ``device`` is not here, and its name.

        None where there are none, or where they would not bound: a convolution in float32 on a GPU is computed with
        fewer bits than a matrix product is, and one in 16 bits on a CPU with more.
        """
        kind = device_of(self.device).type
        if find(self.tokenizer).family in CONVOLUTIONAL and (kind == "cuda") != (self.dtype in SIXTEEN_BITS):
            return None
        machine = None
        if kind == "cpu" or torch.cuda.is_available():
            host = describe_host(kind)
            machine = host.gpu or host.cpu
        return recorded_peak_rates(kind, self.dtype, self.precision, machine)

    @cached_property
    def least_seconds(self) -> tuple[float, float] | None:
        """What encoding and decoding take at least, at the peak rates on record; None where those do not tell."""
        if self.encode_work is None or self.decode_work is None or self.peak_rates is None:
            return None
        rates, _ = self.peak_rates
        return (
            least_seconds(self.encode_work, self.encode_moved, rates),
            least_seconds(self.decode_work, self.decode_moved, rates),
        )

    @cached_property
    def largest_resolution(self) -> int | None:
        """The largest that fits with its margin into the memory that is free; see :meth:`largest_within`."""
        if self.available_bytes is None:
            return None
        return self.largest_within(int((self.available_bytes - self.fixed_margin_bytes) / (1 + self.margin)))

    def largest_within(self, limit: int) -> int | None:
        """The largest multiple of the stride, up to 16384, whose square fits into ``limit`` bytes, or the only one.

        None where none does or nothing is known. Memory grows about evenly with the pixels: a guess on the line between
        the largest known to fit and the smallest known not to is nearly right, and halving in between bounds the number
        of guesses.
        """
        if self.total_at is None or self.weight_bytes is None:
            return None
        if self.only_side is not None:
            return self.only_side if self.total_at(self.only_side) <= limit else None
        fitting, fitting_bytes = 0, self.weight_bytes
        too_large = MAX_RESOLUTION // self.stride
        too_large_bytes = self.total_at(too_large * self.stride)
        if too_large_bytes <= limit:
            return too_large * self.stride
        on_the_line = True
        while too_large - fitting > 1:
            middle = (fitting + too_large) // 2
            if on_the_line and fitting_bytes <= limit:
                share = (limit - fitting_bytes) / (too_large_bytes - fitting_bytes)
                guess = int((fitting**2 + share * (too_large**2 - fitting**2)) ** 0.5)
                middle = min(max(guess, fitting + 1), too_large - 1)
            on_the_line = not on_the_line
            middle_bytes = self.total_at(middle * self.stride)
            if middle_bytes <= limit:
                fitting, fitting_bytes = middle, middle_bytes
            else:
                too_large, too_large_bytes = middle, middle_bytes
        return fitting * self.stride or None


def device_of(device: str) -> torch.device:
    """The device of this name, which need not be here; RequestError where torch knows none."""
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise RequestError(f"device '{device}' is none that torch knows; try device 'cpu' or 'cuda'") from error
