"""What an evaluation would take, before anything is loaded: memory, FLOPs, the least time, the largest image that fits.

A resolution caps the longest side of an image, so that a square is the worst case, and the one that is predicted.
Not predicted, but covered by a margin, is what libraries on a CPU take for themselves. Not covered are images that are
prepared ahead, and metrics that hold whole maps of an image.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from vitok_lib.cost.flops import SideFlops, vitok_flops
from vitok_lib.errors import RequestError, UnsupportedError, unknown
from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.predict.free_memory import available_bytes
from vitok_lib.measure.predict.meta_memory import MemoryTrace
from vitok_lib.measure.predict.meta_model import build_meta_model
from vitok_lib.measure.predict.prediction import Plan, device_of
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.load import checked
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import check_runs, describe, find
from vitok_lib.tokenizers.tiles import cut
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


def plan_of(config: RunConfig, resolution: int) -> Plan:
    """What evaluating images of ``resolution`` × ``resolution`` pixels with ``config`` would take.

    A preset counts as what it sets. Of a codec only what the evaluation holds is known, of a plug-in nothing more
    either, nor of an auto-encoder whose configuration is not on this machine.

    Raises:
        RequestError: the configuration could not be loaded, or the resolution is none.
        UnsupportedError: the tokenizer has no preset of this name.
    """
    check_runs(config.name)
    checked(config)
    config = resolve(config)
    if config.precision is not None and config.precision not in PRECISIONS:
        raise unknown("precision", config.precision, PRECISIONS)
    check_resolution(resolution)
    entry, batch, stride = find(config.name), config.batch, describe(config.name).downsampling
    on_cpu = device_of(config.device).type == "cpu"
    image = PREPARED + BATCHED if on_cpu else BATCHED
    plan = Plan(
        tokenizer=config.name,
        resolution=resolution,
        device=config.device,
        dtype=config.dtype,
        evaluation_bytes=batch * resolution**2 * (image + FLOAT_COPY + RECONSTRUCTION),
        available_bytes=available_bytes(config.device),
        precision=config.precision,
    )
    model = build_meta_model(config)
    if model is None:
        return plan

    def total_at(side: int) -> int:
        # The float copy is gone before the reconstruction comes.
        footprint, pixels = model.footprint(side, batch), batch * side**2
        encoding = footprint.encode.peak_bytes + pixels * (image + FLOAT_COPY)
        decoding = footprint.decode.peak_bytes + pixels * (image + RECONSTRUCTION)
        return model.weight_bytes + max(encoding, decoding) + _workspaces(config, side, stride)

    plan = replace(
        plan,
        parameters=model.parameters,
        weight_bytes=model.weight_bytes,
        stride=stride or 1,
        only_side=model.only_side,
        total_at=total_at,
        margin=MARGIN_ON_CPU if on_cpu else MARGIN_ON_GPU,
        fixed_margin_bytes=FIXED_MARGIN_ON_CPU if on_cpu else 0,
    )
    try:
        footprint = model.footprint(resolution, batch)
    except UnsupportedError:  # images of this size; smaller ones among those of a set may still be right
        return plan
    encode_work, decode_work = _side_flops(footprint.encode), _side_flops(footprint.decode)
    if entry.family == "vitok":
        variant = parse_variant(entry.architecture).truncated(config.blocks)
        tiles, height, width = cut(resolution, resolution, config.tile, variant.patch)
        work = vitok_flops(variant, height, width, config.window, batch * tiles)
        encode_work, decode_work = work.encoder, work.decoder
    image_bytes = batch * 3 * resolution**2 * int(getattr(torch, config.dtype).itemsize)
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


def _workspaces(config: RunConfig, side: int, stride: int | None) -> int:
    """What cuBLAS holds; with CUDA graphs, of which encoding and decoding have one each, more."""
    if device_of(config.device).type == "cpu":
        return 0
    recorded = bool(config.graphs) and config.batch * math.ceil(side / (stride or 1)) ** 2 <= LAUNCH_BOUND
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


def _gib(count: int) -> str:
    gib = float(f"{count / 2**30:.3g}")
    return f"{gib:,.0f} GiB" if gib >= 100 else f"{gib:g} GiB"
