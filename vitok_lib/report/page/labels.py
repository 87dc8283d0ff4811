"""The name of a quantity, its digits, and whether higher is better: from the catalogue of metrics.

Published records hold quantities that no metric here makes, such as a latency; they have their names here too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from vitok_lib.metrics import leakage
from vitok_lib.metrics.quantities import PASSES, text_metric
from vitok_lib.metrics.signature import METRICS
from vitok_lib.records.schema import Interval

PUBLISHED_FDD = "fdd"
"""A Fréchet distance over DINOv3 features, as others print it; no metric of ours is equal to it."""

MEASURED_LIKE_FDD = "fd-dinov3"


COUNTED = "count"
"""The unit of a number of things, which print does not repeat."""

LINES = {"drawn": "Lines drawn", "lines": "Lines that count"}
"""Counts of text, by the height of lines."""


def _passes(number: int) -> str:
    return "1 pass" if number == 1 else f"{number} passes"


OTHERS = {
    PUBLISHED_FDD: "FDD",
    "throughput": "Throughput",
    "peak_memory": "Peak memory",
    "latency": "Latency",
    "latency_max_autotune": "Latency, max-autotune",
    "decoder_work": "FLOPs, decoder",
    "encoder_work": "FLOPs, encoder",
    "encode_latency": "Encode",
    "decode_latency": "Decode",
    "latency_p95": "Latency, 95th percentile",
    "speedup": "Speed-up",
    "work": "FLOPs",
    "work_linear": "FLOPs, linear",
    "work_attention": "FLOPs, attention",
    "rate": "Achieved throughput",
    "utilisation": "Share of peak throughput",
    "relative_time": "Time relative to the run's size",
    "ceiling_matmul": "Peak throughput",
    "ceiling_attention": "Peak throughput, attention",
    "ceiling_copy": "Peak bandwidth",
    "compile_time": "Compile time",
    "graphs": "Graphs",
    "recompilations": "Recompilations",
    "error": "Error",
    "error_last": "Error, last row",
    "error_reference": "Error to the baseline",
    "error_reference_last": "Error to the baseline, last row",
    "clock": "Clock",
    "end_to_end_latency": "End to end",
    "end_to_end_throughput": "End-to-end throughput",
    "stage_load": "Load",
    "stage_copy": "Copy",
    "stage_encode": "Encode, end to end",
    "stage_decode": "Decode, end to end",
    "stage_metric": "Metrics",
    "preparing_threads": "Threads that load",
    "device_latency": "Encode and decode, end to end",
    "weights": "Weights",
    "model_peak": "Peak memory, model",
    "evaluation_peak": "Peak memory, evaluation",
    "predicted_peak": "Peak memory, predicted",
    "peak_with_margin": "Peak memory, predicted, with margin",
    "encode_linear": "FLOPs of the encoder, linear",
    "encode_attention": "FLOPs of the encoder, attention",
    "decode_linear": "FLOPs of the decoder, linear",
    "decode_attention": "FLOPs of the decoder, attention",
    "encode_traffic": "Least traffic of the encoder",
    "decode_traffic": "Least traffic of the decoder",
    "largest_resolution": "Largest image",
    "predicted_largest": "Largest image, predicted",
    "time_linear": "Linear",
    "time_attention": "Attention",
    "time_convolution": "Convolution",
    "time_elementwise": "Elementwise",
    "time_copy": "Copies",
    "time_other": "Other",
    "counted_linear": "FLOPs counted, linear",
    "counted_attention": "FLOPs counted, attention",
    "counted_convolution": "FLOPs counted, convolution",
    "difference": "Change of PSNR",
    "psnr_at_start": "PSNR at the start",
    "training_seconds": "Training time",
    "untiled_psnr": "PSNR untiled",
    "tiled_psnr": "PSNR tiled",
    "tiling_change": "PSNR, tiled minus untiled",
    "tiled_agreement": "PSNR between tiled and untiled",
    "seam_error": "Error at seams relative to elsewhere",
    "tiled_step": "Colour step between tiles",
    "untiled_step": "Colour step there, untiled",
    "whole_time": "Time, whole",
    "parts_time": "Time, in parts",
    "parts_slowdown": "Time, in parts over whole",
    "whole_peak": "Peak memory, whole",
    "parts_peak": "Peak memory, in parts",
    **{f"psnr_{number}": f"PSNR, {_passes(number)}" for number in PASSES},
    **{f"ciede2000_{number}": f"CIEDE2000, {_passes(number)}" for number in PASSES},
    **{f"delta-l_{number}": f"Mean ΔL*, {_passes(number)}" for number in PASSES},
    "psnr_loss": f"PSNR lost from {_passes(PASSES[0])} to {PASSES[-1]}",
    "continued_psnr": "PSNR without padding",
    "padding_change": "Change, own padding",
    "border_change": "Change, own padding, patches with padding",
    "inside_change": "Change, own padding, other patches",
    "grey_change": "Change, padded with grey",
    "edge_change": "Change, padded with the edge",
    "reflection_change": "Change, padded by reflection",
    "canvas_change": "Change on a square canvas",
    "square_psnr": "PSNR of the centre, 1:1",
    "aspect_3_2_change": "PSNR of the centre, 3:2 minus 1:1",
    "aspect_16_9_change": "PSNR of the centre, 16:9 minus 1:1",
    "aspect_4_1_change": "PSNR of the centre, 4:1 minus 1:1",
    "max_difference": "Largest difference, 8-bit levels",
    "chunked_difference": "Largest difference, chunked and whole",
    "latent_mean": "Mean",
    "latent_std": "Standard deviation",
    "latent_kurtosis": "Excess kurtosis",
    "std_spread": "Largest over smallest deviation",
    "dead_channels": "Dead channels",
    "effective_rank": "Effective rank",
    "implied_shift": "Shift implied",
    "implied_scale": "Scale implied",
    "config_shift": "Shift of the configuration",
    "config_scale": "Scale of the configuration",
    "latent_high_frequency": "High frequencies of the latent",
    "grid_high_frequency": "High frequencies of the image on the latent's grid",
    "image_high_frequency": "High frequencies of the image",
    **{
        f"{transformation}_{what}": f"{words}, {name}"
        for transformation, name in {
            "shift_quarter": "shift by ¼ position",
            "shift_half": "shift by ½ position",
            "shift_whole": "shift by 1 position",
            "half_scale": "half scale",
            "quarter_turns": "quarter turns",
        }.items()
        for what, words in {"psnr": "PSNR", "loss": "Loss"}.items()
    },
    "noise_0_psnr": "PSNR without noise",
    "noise_10_psnr": "PSNR, noise 0.1 σ",
    "noise_30_psnr": "PSNR, noise 0.3 σ",
    "noise_100_psnr": "PSNR, noise 1 σ",
    "midpoint_psnr": "PSNR halfway",
    "midpoint_sharpness": "Sharpness halfway",
    "whole_psnr": "PSNR of the whole model",
    "source_file": "PNG file",
    **{f"prepare_{side}": f"Read and resize to {side} px" for side in (512, 1024, 2048, 4096, 8192)},
    "codec_1024": "Encode and decode, 1024 px",
    "pixel_metrics_1024": "Metrics of pixels, 1024 px",
    "training_budget": "Training budget",
    "training_steps": "Training steps",
    "training_flops": "Training FLOPs",
    **{
        f"{name}-sd": f"{metric.title}, standard deviation"
        for name, metric in METRICS.items()
        if metric.statistic in ("fd", "kid")
    },
}

TIMES = tuple(name for name in OTHERS if name.startswith("time_"))
TIMED = frozenset(
    ("speedup", "relative_time", "throughput", "encode_latency", "decode_latency", "latency", "latency_p95", *TIMES)
)
"""Measured over repetitions of one input, so that n counts repetitions."""

HIGHER_IS_BETTER = {
    **{
        name: metric.higher_is_better
        for name, metric in METRICS.items()
        if metric.ranked and metric.scope != "rate" and metric.extractor != "random"
    },
    PUBLISHED_FDD: False,
}
"""Only these are ranked. A rate is no quality, a signed shift is best at 0, a distance over a random network says
nothing about what is visible, and speed or memory says nothing without machine and settings."""

SHIFTS = ("delta-l", "delta-a", "delta-b")

PADDING_CHANGES = tuple(
    f"{of}_change"
    for of in (
        *("padding", "border", "inside", "grey", "edge", "reflection", "canvas"),
        *("aspect_3_2", "aspect_16_9", "aspect_4_1"),
    )
)

DECIMALS = {
    **dict.fromkeys(("psnr", "fid", PUBLISHED_FDD), 2),
    **dict.fromkeys(("ssim", "ms-ssim", "lpips", "dists", "bpp"), 3),
    **dict.fromkeys(("untiled_psnr", "tiled_psnr", "tiled_agreement", "seam_error"), 2),
    **dict.fromkeys(("tiled_step", "untiled_step", *PADDING_CHANGES), 2),
    **dict.fromkeys(("ned", "exact-match"), 2),
    **dict.fromkeys(("ssimulacra2", "ciede2000", "grid-error", "out-of-range"), 2),
    **dict.fromkeys((*SHIFTS, *(f"delta-l_{number}" for number in PASSES)), 3),
    **dict.fromkeys((f"{of}_{number}" for of in ("psnr", "ciede2000") for number in PASSES), 2),
    "psnr_loss": 2,
    **{name: 2 for name in OTHERS if name.endswith(("_psnr", "_loss", "_kurtosis", "_sharpness", "std_spread"))},
    **dict.fromkeys(("latent_high_frequency", "grid_high_frequency", "image_high_frequency", "effective_rank"), 1),
    **dict.fromkeys(("latent_mean", "latent_std", "implied_shift", "implied_scale"), 3),
    **dict.fromkeys(("psnr_difference", "difference", "tiling_change"), 3),
    "psnr_at_start": 2,
    **dict.fromkeys(("speedup", "relative_time", "parts_slowdown", "exponent", "effect"), 2),
    **dict.fromkeys(("utilisation", "share"), 1),
}

NEUTRAL = {
    **dict.fromkeys(("speedup", "relative_time", "parts_slowdown", "grid-error"), 1.0),
    **dict.fromkeys((*SHIFTS, "psnr_loss", "tiling_change", *PADDING_CHANGES), 0.0),
}
"""The value at which nothing differs: whether an interval includes it has to be seen."""

_LEAST_WITHOUT_POWER = 1e-3
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _in_catalogue_order() -> tuple[str, ...]:
    names = list(METRICS)
    names.insert(names.index(MEASURED_LIKE_FDD), PUBLISHED_FDD)
    return (*names, *(name for name in OTHERS if name != PUBLISHED_FDD))


ORDER = _in_catalogue_order()
QUALITY = frozenset((*METRICS, PUBLISHED_FDD))
"""The quantities of a case that ``all`` stands for."""


def in_order(quantities: Iterable[str]) -> list[str]:
    """``quantities``, each once, in the order of the catalogue; what it does not know comes last."""
    known = {name: place for place, name in enumerate(ORDER)}
    return sorted(set(quantities), key=lambda name: (known.get(name, len(known)), name))


def is_distance(quantity: str) -> bool:
    """Whether it is one value of a whole set of images, so that two of them compare at one n alone."""
    return quantity == PUBLISHED_FDD or (quantity in METRICS and METRICS[quantity].scope == "set")


def not_independent(quantity: str, tokenizer: str) -> str | None:
    """The sentence that discloses why ``quantity`` does not judge ``tokenizer``; None where nothing is known of it."""
    return leakage.disclosure(MEASURED_LIKE_FDD if quantity == PUBLISHED_FDD else quantity, tokenizer)


def name_of(quantity: str) -> str:
    """The name of a quantity in prose and headings; ``psnr:step=0.5`` is PSNR at a point of a curve."""
    metric = text_metric(quantity)
    if metric is not None:
        return f"{METRICS[metric].title}, {quantity.rpartition('_')[2]} px"
    base, _, setting = quantity.partition("@")
    if setting:
        return f"{name_of(base)}, {setting.replace('=', ' ')}"
    what, _, height = quantity.rpartition("_")
    if what in LINES and height.isdecimal():
        return f"{LINES[what]}, {height} px"
    base, _, point = quantity.partition(":")
    if point:
        return f"{name_of(base)} at {point}"
    return METRICS[quantity].title if quantity in METRICS else OTHERS.get(quantity, quantity.replace("_", " "))


def label(quantity: str, unit: str = "") -> str:
    """The name of a quantity with its unit, as a heading."""
    return f"{name_of(quantity)}, {unit}" if unit and unit != COUNTED else name_of(quantity)


def with_unit(text: str, unit: str) -> str:
    """A number in print with its unit."""
    return text if unit in ("", COUNTED) else f"{text}{unit}" if unit == "×" else f"{text} {unit}"


def count_words(quantity: str, n: int | None) -> str:
    """How many images, or crops of images, a value rests on."""
    if n is None:
        return "n unknown"
    crops = quantity in METRICS and METRICS[quantity].statistic == "patch-fd"
    return f"n = {n:,} crops" if crops else f"n = {n:,}"


def window_text(window: int | str) -> str:
    """A window as a table shows it: a radius in tokens, or in rows and columns as in ``2d:8``."""
    return f"{window:,}" if isinstance(window, int) else window


def digits(quantity: str, value: float) -> str:
    """A value to the decimals that its quantity is given in, or else to four significant digits.

    Without decimals of its own a value below a thousandth is written with a power of ten.
    """
    quantity = quantity.partition("@")[0].partition(":")[0]  # without a setting, or the point of a curve
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "undefined")
    quantity = text_metric(quantity) or quantity
    if quantity in DECIMALS:
        text = f"{value:,.{DECIMALS[quantity]}f}"
    elif 0 < abs(value) < _LEAST_WITHOUT_POWER:
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}·10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    else:
        decimals = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−") if _shows_more_than_zero(text) else text.lstrip("-")


def three_digits(value: float) -> str:
    """A number of at least 0 to three significant digits, of which zeros at the end are shown too."""
    rounded = float(f"{value:.3g}")
    whole = math.floor(math.log10(rounded)) if rounded else 0
    return f"{rounded:,.{max(0, 2 - whole)}f}"


def signed(quantity: str, value: float) -> str:
    """:func:`digits` with a sign, which what is 0 in print has not."""
    text = digits(quantity, value)
    return f"+{text}" if value > 0 and _shows_more_than_zero(text) else text


def _shows_more_than_zero(text: str) -> bool:
    return any(character in "123456789∞" for character in text)


def bracket(quantity: str, interval: Interval, neutral: float | None = None) -> str:
    """An interval in print. An end that is close to ``neutral`` has the digits that show on which side it is."""
    neutral = NEUTRAL.get(quantity) if neutral is None else neutral
    return f"[{', '.join(_end(quantity, end, neutral) for end in (interval.low, interval.high))}]"


def _end(quantity: str, value: float, neutral: float | None) -> str:
    text = digits(quantity, value)
    if neutral is None or value == neutral or text.lstrip("−") != digits(quantity, neutral):
        return text
    decimals = math.ceil(-math.log10(abs(value - neutral)))
    return f"{value:.{decimals}f}".replace("-", "−")


def memory_words(size: int) -> str:
    """``size`` bytes in the largest unit that leaves a whole part."""
    for unit, bytes_in_it in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= bytes_in_it:
            return f"{size / bytes_in_it:,.1f} {unit}"
    return f"{size:,} bytes"
