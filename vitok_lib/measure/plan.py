"""What an evaluation would take, before anything is loaded: memory, work, and the largest image that fits.

A resolution caps the longest side of an image, so that a square is the worst case, and the one that is predicted.
Not predicted are time, which nothing here has measured; the workspace that a convolution takes for itself; images
that are prepared ahead; and metrics that hold whole maps of an image.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images.pillow import MAX_RESOLUTION
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.standin import stand_in
from vitok_lib.measure.work import vitok_work
from vitok_lib.tokenizers.load import CONVOLUTIONAL, DTYPES
from vitok_lib.tokenizers.registry import Entry, describe, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

PREPARED, BATCHED, FLOAT_COPY, RECONSTRUCTION = 3, 3, 12, 3
"""Bytes a pixel: the prepared image, its copy in a batch, that in float32, and the reconstruction in 8 bits."""
_MEMORY_INFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Plan:
    """Bytes and floating-point operations of an evaluation of square images; None where nothing is known.

    ``encode_bytes`` and ``decode_bytes`` are the peaks of activations, the model's output among them;
    ``evaluation_bytes`` what the evaluation holds beside; ``total_bytes`` the peak of all that lives at one time
    on ``device``, of which ``available_bytes`` are free.
    """

    tokenizer: str
    resolution: int
    device: str
    dtype: str
    evaluation_bytes: int
    available_bytes: int | None
    parameters: int | None = None
    weight_bytes: int | None = None
    encode_bytes: int | None = None
    decode_bytes: int | None = None
    total_bytes: int | None = None
    encode_flops: int | None = None
    decode_flops: int | None = None
    stride: int = 1
    total_at: Callable[[int], int] | None = field(default=None, repr=False, compare=False)

    @property
    def fits(self) -> bool | None:
        if self.total_bytes is None or self.available_bytes is None:
            return None
        return self.total_bytes <= self.available_bytes

    @cached_property
    def largest_resolution(self) -> int | None:
        """The largest multiple of the stride, up to 16384, whose square fits; None where none does or nothing is known.

        Memory grows about evenly with the pixels: a guess on the line between the largest known to fit and the
        smallest known not to is nearly right, and halving in between bounds the number of guesses.
        """
        if self.total_at is None or self.available_bytes is None or self.weight_bytes is None:
            return None
        fitting, fitting_bytes = 0, self.weight_bytes
        too_large = MAX_RESOLUTION // self.stride
        too_large_bytes = self.total_at(too_large * self.stride)
        if too_large_bytes <= self.available_bytes:
            return too_large * self.stride
        on_the_line = True
        while too_large - fitting > 1:
            middle = (fitting + too_large) // 2
            if on_the_line and fitting_bytes <= self.available_bytes:
                share = (self.available_bytes - fitting_bytes) / (too_large_bytes - fitting_bytes)
                guess = int((fitting**2 + share * (too_large**2 - fitting**2)) ** 0.5)
                middle = min(max(guess, fitting + 1), too_large - 1)
            on_the_line = not on_the_line
            middle_bytes = self.total_at(middle * self.stride)
            if middle_bytes <= self.available_bytes:
                fitting, fitting_bytes = middle, middle_bytes
            else:
                too_large, too_large_bytes = middle, middle_bytes
        return fitting * self.stride or None


def predict(
    name: str,
    resolution: int,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    window: int | None = None,
    batch: int = 1,
    tiling: bool = False,
) -> Plan:
    """What evaluating ``batch`` images of ``resolution`` × ``resolution`` pixels at a time would take.

    Of a codec only what the evaluation holds is known, of a plug-in nothing more either, nor of an auto-encoder whose
    configuration is not on this machine.

    Raises:
        RequestError: the tokenizer, the resolution, the device or the dtype is none, or a setting does not apply.
    """
    entry = find(name)
    check_resolution(resolution)
    _check_settings(entry, dtype, window, batch, tiling)
    image = BATCHED if _device(device).type != "cpu" else PREPARED + BATCHED
    plan = Plan(
        tokenizer=name,
        resolution=resolution,
        device=device,
        dtype=dtype,
        evaluation_bytes=batch * resolution**2 * (image + FLOAT_COPY + RECONSTRUCTION),
        available_bytes=available_bytes(device),
    )
    model = stand_in(entry, dtype, window, tiling)
    if model is None:
        return plan
    weight_bytes = model.parameters * int(getattr(torch, dtype).itemsize)

    def total_at(side: int) -> int:
        # The float copy is gone before the reconstruction comes.
        footprint, pixels = model.footprint(side, batch), batch * side**2
        encoding = footprint.encode.peak_bytes + pixels * (image + FLOAT_COPY)
        decoding = footprint.decode.peak_bytes + pixels * (image + RECONSTRUCTION)
        return weight_bytes + max(encoding, decoding)

    footprint = model.footprint(resolution, batch)
    flops = (footprint.encode.flops, footprint.decode.flops)
    if entry.family == "vitok":
        work = vitok_work(parse_variant(entry.architecture), resolution, resolution, window, batch)
        flops = (work.encoder.total, work.decoder.total)
    return replace(
        plan,
        parameters=model.parameters,
        weight_bytes=weight_bytes,
        encode_bytes=footprint.encode.peak_bytes,
        decode_bytes=footprint.decode.peak_bytes,
        total_bytes=total_at(resolution),
        encode_flops=flops[0],
        decode_flops=flops[1],
        stride=describe(name).downsampling or 1,
        total_at=total_at,
    )


def check_fits(plan: Plan) -> None:
    """Raise a RequestError if it is known that the plan needs more memory than is free."""
    if plan.fits is not False:
        return
    assert plan.total_bytes is not None
    assert plan.available_bytes is not None
    largest = plan.largest_resolution
    way_out = f"the largest square that fits is {largest} px" if largest else "no resolution fits"
    raise RequestError(
        f"tokenizer '{plan.tokenizer}' at {plan.resolution} px needs about {_gib(plan.total_bytes)} and {plan.device} "
        f"has {_gib(plan.available_bytes)} free; {way_out}, and --force tries it all the same"
    )


def as_row(plan: Plan) -> dict[str, str | int]:
    """The plan as a row of a table; an empty cell is not known."""
    bytes_of = {
        "weights": plan.weight_bytes,
        "encode": plan.encode_bytes,
        "decode": plan.decode_bytes,
        "evaluation": plan.evaluation_bytes,
        "peak": plan.total_bytes,
        "free": plan.available_bytes,
    }
    work = {"encode TFLOP": plan.encode_flops, "decode TFLOP": plan.decode_flops}
    fits = {True: "yes", False: "no", None: ""}[plan.fits]
    return {
        "tokenizer": plan.tokenizer,
        "resolution": plan.resolution,
        "parameters": "" if plan.parameters is None else f"{plan.parameters / 1e6:.4g} M",
        **{name: "" if count is None else _gib(count) for name, count in bytes_of.items()},
        "fits": fits,
        "largest": plan.largest_resolution or "",
        **{name: "" if flops is None else f"{flops / 1e12:.3g}" for name, flops in work.items()},
    }


def available_bytes(device: str) -> int | None:
    """Memory that is free on ``device`` now; None where it cannot be told (a device that is not on this machine)."""
    kind = _device(device)
    if kind.type == "cuda" and (kind.index or 0) < torch.cuda.device_count():
        return int(torch.cuda.mem_get_info(kind)[0])
    if kind.type != "cpu":
        return None
    if _MEMORY_INFO.is_file():
        for line in _MEMORY_INFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _check_settings(entry: Entry, dtype: str, window: int | None, batch: int, tiling: bool) -> None:
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    if batch < 1:
        raise RequestError(f"batch (={batch}) must be at least 1 image")
    if window is not None and window < 0:
        raise RequestError(f"window (={window}) must be 0 or more tokens, or None for full attention")
    if window is not None and entry.family != "vitok":
        raise RequestError(f"tokenizer '{entry.name}' is no ViTok: window does not apply to it")
    if tiling and entry.family not in CONVOLUTIONAL:
        raise RequestError(f"tokenizer '{entry.name}' is no convolutional auto-encoder: tiling does not apply to it")


def _device(device: str) -> torch.device:
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise RequestError(f"device '{device}' is none that torch knows; try device 'cpu' or 'cuda'") from error


def _gib(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"
