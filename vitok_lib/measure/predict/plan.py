"""What an evaluation would take, before anything is loaded: memory, FLOPs, the least time, the largest image that fits.

A resolution caps the longest side of an image, so that a square is the worst case, and the one that is predicted.
Not predicted, but covered by a margin, is what libraries on a CPU take for themselves. Not covered are images that are
prepared ahead, and metrics that hold whole maps of an image.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import torch

from vitok_lib.cost.flops import SideFlops, vitok_flops
from vitok_lib.errors import RequestError, UnsupportedError, unknown
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.predict.meta_memory import MemoryTrace
from vitok_lib.measure.predict.meta_model import build_meta_model
from vitok_lib.measure.predict.prediction import Plan, device_of
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.load import DTYPES
from vitok_lib.tokenizers.registry import CONVOLUTIONAL, Entry, describe, find
from vitok_lib.tokenizers.tiles import check_tile, cut
from vitok_lib.tokenizers.vitok.graphs import LAUNCH_BOUND
from vitok_lib.tokenizers.vitok.running import PRECISIONS
from vitok_lib.tokenizers.vitok.variant import parse_variant

PREPARED, BATCHED, FLOAT_COPY, RECONSTRUCTION = 3, 3, 12, 3
"""Bytes a pixel: the prepared image, its copy in a batch, that in float32, and the reconstruction in 8 bits."""
MARGIN_ON_CPU, FIXED_MARGIN_ON_CPU = 0.35, 8 * 2**20
"""Of the peak: oneDNN keeps weights and images in layouts of its own as well. Measured peaks were up to 1.32 times the
predicted ones (qwen at 256 px), and of small tokenizers up to 1.30 times, which is 7 MiB."""
MARGIN_ON_GPU = 0.1
"""Measured peaks of flux, sd and ViToks on an H100 were 0.94 to 1.00 times the predicted ones."""
CUBLAS_WORKSPACE = 32 * 2**20
"""Bytes that torch gives cuBLAS on a Hopper GPU, once for the process and once for each CUDA graph; others get less."""
SIDES = ("encode", "decode")
_MEMORY_INFO = Path("/proc/meminfo")


def predict(
    name: str,
    resolution: int,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    window: int | str | None = None,
    blocks: str | None = None,
    batch: int = 1,
    tiling: bool = False,
    precision: str | None = None,
    attention: str | None = None,
    folded: bool | None = None,
    chunk: int | None = None,
    tile: str | None = None,
    compile: str | None = None,
    fused: bool | None = None,
    graphs: bool | None = None,
    strips: bool = False,
) -> Plan:
    """What evaluating ``batch`` images of ``resolution`` × ``resolution`` pixels at a time would take.

    Of a codec only what the evaluation holds is known, of a plug-in nothing more either, nor of an auto-encoder whose
    configuration is not on this machine. The settings are those of :func:`vitok_lib.tokenizers.load.load_tokenizer`.

    Raises:
        RequestError: the tokenizer, the resolution, the device or the dtype is none, or a setting does not apply.
    """
    entry = find(name)
    check_resolution(resolution)
    _check_settings(entry, dtype, window, blocks, batch, tiling, precision, attention, folded, chunk)
    stride = describe(name).downsampling
    if tile is not None and stride is not None:
        check_tile(tile, stride, name)
    image = BATCHED if device_of(device).type != "cpu" else PREPARED + BATCHED
    plan = Plan(
        tokenizer=name,
        resolution=resolution,
        device=device,
        dtype=dtype,
        evaluation_bytes=batch * resolution**2 * (image + FLOAT_COPY + RECONSTRUCTION),
        available_bytes=available_bytes(device),
        precision=precision,
    )
    model = build_meta_model(
        entry,
        dtype,
        window,
        tiling,
        blocks=blocks,
        device=device,
        precision=precision,
        attention=attention,
        folded=folded,
        chunk=chunk,
        tile=tile,
        compile=compile,
        fused=fused,
        strips=strips,
    )
    if model is None:
        return plan

    def total_at(side: int) -> int:
        # The float copy is gone before the reconstruction comes.
        footprint, pixels = model.footprint(side, batch), batch * side**2
        encoding = footprint.encode.peak_bytes + pixels * (image + FLOAT_COPY)
        decoding = footprint.decode.peak_bytes + pixels * (image + RECONSTRUCTION)
        return model.weight_bytes + max(encoding, decoding) + _workspaces(device, side, batch, stride, graphs)

    plan = replace(
        plan,
        parameters=model.parameters,
        weight_bytes=model.weight_bytes,
        stride=stride or 1,
        only_side=model.only_side,
        total_at=total_at,
        margin=MARGIN_ON_CPU if device_of(device).type == "cpu" else MARGIN_ON_GPU,
        fixed_margin_bytes=FIXED_MARGIN_ON_CPU if device_of(device).type == "cpu" else 0,
    )
    try:
        footprint = model.footprint(resolution, batch)
    except UnsupportedError:  # images of this size; smaller ones among those of a set may still be right
        return plan
    encode_work, decode_work = _side_flops(footprint.encode), _side_flops(footprint.decode)
    if entry.family == "vitok":
        variant = parse_variant(entry.architecture).truncated(blocks)
        tiles, height, width = cut(resolution, resolution, tile, variant.patch)
        work = vitok_flops(variant, height, width, window, batch * tiles)
        encode_work, decode_work = work.encoder, work.decoder
    image_bytes = batch * 3 * resolution**2 * int(getattr(torch, dtype).itemsize)
    return replace(
        plan,
        encode_bytes=footprint.encode.peak_bytes,
        decode_bytes=footprint.decode.peak_bytes,
        total_bytes=total_at(resolution),
        encode_work=encode_work,
        decode_work=decode_work,
        encode_moved=model.encoder_bytes + image_bytes,
        decode_moved=model.decoder_bytes + image_bytes,
    )


def _workspaces(device: str, side: int, batch: int, stride: int | None, graphs: bool | None) -> int:
    """What cuBLAS holds; with CUDA graphs, of which encoding and decoding have one each, more."""
    if device_of(device).type == "cpu":
        return 0
    recorded = bool(graphs) and batch * math.ceil(side / (stride or 1)) ** 2 <= LAUNCH_BOUND
    return CUBLAS_WORKSPACE * (1 + len(SIDES) * recorded)


def _side_flops(trace: MemoryTrace) -> SideFlops:
    attention = trace.flops_by_type["attention"]
    return SideFlops(linear=trace.flops - attention, attention=attention)


def check_fits(plan: Plan, otherwise: str = "") -> None:
    """Raise a RequestError if it is known that the plan needs more memory than is free; ``otherwise`` ends it."""
    if plan.fits is not False:
        return
    assert plan.total_bytes is not None
    assert plan.bytes_with_margin is not None
    assert plan.available_bytes is not None
    largest = plan.largest_resolution
    way_out = f"the largest square that fits is {largest} px" if largest else "no resolution fits"
    raise RequestError(
        f"tokenizer '{plan.tokenizer}' at {plan.resolution} px needs about {_gib(plan.total_bytes)} "
        f"({_gib(plan.bytes_with_margin)} with a margin) and {plan.device} "
        f"has {_gib(plan.available_bytes)} free; {way_out}{otherwise}",
        code="does-not-fit",
    )


def as_row(plan: Plan) -> dict[str, str | int]:
    """The plan as a row of a table; an empty cell is not known."""
    bytes_of = {
        "weights": plan.weight_bytes,
        "encode": plan.encode_bytes,
        "decode": plan.decode_bytes,
        "evaluation": plan.evaluation_bytes,
        "peak": plan.total_bytes,
        "with margin": plan.bytes_with_margin,
        "free": plan.available_bytes,
    }
    work = {"encode TFLOP": plan.encode_flops, "decode TFLOP": plan.decode_flops}
    fits = {True: "yes", False: "no", None: ""}[plan.fits]
    least = plan.least_seconds or ("", "")
    return {
        "tokenizer": plan.tokenizer,
        "resolution": plan.resolution,
        "parameters": "" if plan.parameters is None else f"{plan.parameters / 1e6:.4g} M",
        **{name: "" if count is None else _gib(count) for name, count in bytes_of.items()},
        "fits": fits,
        "largest": plan.largest_resolution or "",
        **{name: "" if flops is None else f"{flops / 1e12:.3g}" for name, flops in work.items()},
        **{f"least s {side}": f"{seconds:.3g}" if seconds else "" for side, seconds in zip(SIDES, least, strict=True)},
    }


def available_bytes(device: str) -> int | None:
    """Memory that is free on ``device`` now; None where it is not known (a device that is not on this machine)."""
    kind = device_of(device)
    if kind.type == "cuda" and (kind.index or 0) < torch.cuda.device_count():
        return int(torch.cuda.mem_get_info(kind)[0])
    if kind.type != "cpu":
        return None
    if _MEMORY_INFO.is_file():
        for line in _MEMORY_INFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _check_settings(
    entry: Entry,
    dtype: str,
    window: int | str | None,
    blocks: str | None,
    batch: int,
    tiling: bool,
    precision: str | None,
    attention: str | None,
    folded: bool | None,
    chunk: int | None,
) -> None:
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    if precision is not None and precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    RunConfig(name=entry.name, batch=batch, window=window, blocks=blocks, chunk=chunk)  # refuses what is out of range
    of_a_vitok = {"window": window, "blocks": blocks, "precision": precision, "folded": folded, "chunk": chunk}
    given = [setting for setting, value in of_a_vitok.items() if value is not None]
    if given and entry.family != "vitok":
        raise RequestError(f"tokenizer '{entry.name}' is no ViTok: {', '.join(given)} does not apply to it")
    if attention is not None and entry.family not in ("vitok", *CONVOLUTIONAL):
        raise RequestError(f"tokenizer '{entry.name}' has no attention: attention does not apply to it")
    if tiling and entry.family not in CONVOLUTIONAL:
        raise RequestError(f"tokenizer '{entry.name}' is no convolutional auto-encoder: tiling does not apply to it")


def _gib(count: int) -> str:
    gib = float(f"{count / 2**30:.3g}")
    return f"{gib:,.0f} GiB" if gib >= 100 else f"{gib:g} GiB"
