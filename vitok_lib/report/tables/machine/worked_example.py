"""How a predicted time and peak come about, line by line: tokens, FLOPs, seconds; weights, activations, GiB.

The arithmetic of a line is printed with the numbers that it takes, and gives the result next to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitok_lib.cost.fits import GIB, Predicted, predicted
from vitok_lib.cost.gpus import Gpu, find_gpu
from vitok_lib.cost.peak_rates import GIGA, TERA
from vitok_lib.errors import RequestError
from vitok_lib.report.data.real_models import configurations
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.requested import requested
from vitok_lib.report.page.content import Head, Sentence, Table
from vitok_lib.report.page.labels import digits
from vitok_lib.report.tables.machine.flops import by_formula, variant_named
from vitok_lib.tokenizers.vitok.variant import Variant

_CLOSE = 0.01
"""Relative: the seconds of all FLOPs may be this far below those of the encoder and of the decoder by themselves."""


@dataclass(frozen=True)
class _Step:
    """A line: what is computed, the arithmetic as it is printed, and its result; without a ``unit``, a count."""

    what: str
    arithmetic: str
    value: float
    unit: str = ""

    @property
    def result(self) -> str:
        return f"{_short(self.value)} {self.unit}" if self.unit else f"{self.value:,.0f}"

    @property
    def cells(self) -> list[Sentence]:
        return [(self.what,), (self.arithmetic,), (by_formula(self.result),)]


def worked_example(entries: Sequence[Entry], name: str, resolution: int, gpu: str) -> Table:
    """The least time and the peak of a ViTok in bf16, for one square image on ``gpu``: a row a step.

    Raises:
        RequestError: the tokenizer is no ViTok or its sides differ in width, the GPU is not known, there is no
            prediction at this resolution, or memory traffic bounds the time there, which the steps do not show.
    """
    variant, where = variant_named(name), find_gpu(gpu)
    if variant.encoder.width != variant.decoder.width:
        raise RequestError(f"the sides of '{name}' differ in width, and the example is for sides of one width")
    known = configurations(entries, name, resolution)
    if not known:
        raise RequestError(f"no prediction of '{name}' at {resolution} px is on record", code="no-record")
    held = predicted(known[0].record)
    window = requested(known[0].record).window
    assert not isinstance(window, str)  # as the configurations that suit it have none of rows and columns
    flops = _flops_steps(variant, resolution, window)
    time = _time_steps(flops[-1].value, held, where)
    if abs(time[0].value - held.least_seconds(where)) > _CLOSE * time[0].value:
        raise RequestError(f"memory traffic bounds '{name}' at {resolution} px on {where.name}; choose a larger size")
    steps = [*flops, *time, *_memory_steps(held, variant, resolution)]
    heads = [Head(f"{name}, {resolution} px"), Head("Arithmetic"), Head("Result")]
    return Table([heads], [step.cells for step in steps])


def _flops_steps(variant: Variant, resolution: int, window: int | None) -> list[_Step]:
    """From pixels to the FLOPs of encoding and decoding, which the last step gives in TFLOP."""
    tokens, width = variant.tokens(resolution, resolution), variant.encoder.width
    hidden = variant.hidden(variant.encoder)
    blocks = variant.encoder.depth + variant.decoder.depth
    depth = f"({variant.encoder.depth} + {variant.decoder.depth})"
    matrices = 4 * width**2 + 3 * width * hidden
    pairs, pairs_text = tokens**2, f"{tokens:,}²"
    if window is not None:
        pairs = tokens * (2 * window + 1) - window * (window + 1)
        pairs_text = f"({tokens:,} · (2 · {window:,} + 1) − {window:,} · {window + 1:,})"
    linear = 2 * tokens * matrices * blocks / TERA
    ends = 2 * tokens * 2 * width * (variant.patch_values + variant.channels) / TERA
    attention = 4 * pairs * width * blocks / TERA
    ends_text = f"2 · {tokens:,} · 2 · {width:,} · (3 · {variant.patch}² + {variant.channels})"
    return [
        _Step("Tokens", f"⌈{resolution:,} / {variant.patch}⌉²", tokens),
        _Step("Hidden width of the MLP", f"16 · ⌊(⌊{width:,} · {variant.mlp_factor:g}⌋ + 8) / 16⌋", hidden),
        _Step("Weights of a block: attention and MLP", f"4 · {width:,}² + 3 · {width:,} · {hidden:,}", matrices),
        _Step("FLOPs of these in all blocks", f"2 · {tokens:,} · {matrices:,} · {depth} / 10¹²", linear, "TFLOP"),
        _Step("FLOPs between pixels, blocks and latent", f"{ends_text} / 10¹²", ends, "TFLOP"),
        _Step(
            "FLOPs of attention: two products a pair",
            f"4 · {pairs_text} · {width:,} · {depth} / 10¹²",
            attention,
            "TFLOP",
        ),
        _sum("FLOPs", (linear, ends, attention), "TFLOP"),
    ]


def _time_steps(flops: float, held: Predicted, gpu: Gpu) -> list[_Step]:
    """The seconds of ``flops`` TFLOP, which count, and those of the memory traffic, which they hide."""
    moved = (held.encode_moved + held.decode_moved) / GIGA
    return [
        _Step(
            f"Least time at {gpu.bf16:,g} TFLOP/s ({gpu.name})",
            f"{_short(flops)} / {gpu.bf16:,g}",
            flops / gpu.bf16,
            "s",
        ),
        _Step(
            f"Meanwhile: weights and images at {gpu.bandwidth:,g} GB/s",
            f"{_short(moved)} / {gpu.bandwidth:,g}",
            moved / gpu.bandwidth,
            "s",
        ),
    ]


def _memory_steps(held: Predicted, variant: Variant, resolution: int) -> list[_Step]:
    """From the weights and the largest activations to the peak in GiB, and in the 10⁹ bytes that GPUs are sold by."""
    tokens, width = variant.tokens(resolution, resolution), variant.encoder.width
    weights, rest, one = held.weights / GIB, (held.peak - held.weights) / GIB, 2 * tokens * width / GIB
    peak = held.peak / GIB
    return [
        _Step("Weights, 2 bytes each", f"2 · {held.weights // 2:,} / 2³⁰", weights, "GiB"),
        _Step("One activation of all tokens, 2 bytes a value", f"2 · {tokens:,} · {width:,} / 2³⁰", one, "GiB"),
        _Step(
            "Activations and images at the peak, by tracing all operations",
            f"{_short(rest / one)} · {_short(one)}",
            rest,
            "GiB",
        ),
        _sum("Peak", (weights, rest), "GiB"),
        _Step("In GB of 10⁹ bytes", f"{_short(peak)} · 2³⁰ / 10⁹", held.peak / GIGA, "GB"),
    ]


def _sum(what: str, terms: Sequence[float], unit: str) -> _Step:
    return _Step(what, " + ".join(map(_short, terms)), sum(terms), unit)


def _short(value: float) -> str:
    """To four significant digits, so that what is computed from it agrees to three."""
    return digits("work", value)
