"""Quantities of records that are not all metrics: which metric one is of, its bounds, and the interval of its mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vitok_lib.metrics.signature import DECIBELS, FROM_ZERO, METRICS, UNBOUNDED
from vitok_lib.metrics.statistics import METHOD, SHARE_METHOD, clipped, mean_interval, share_interval

SHARES = ("exact-match",)
"""Metrics that are the share of successes among trials."""

PASSES = (1, 2, 4, 8)
"""Numbers of times that an image is encoded and decoded, one after the other."""
RATE_QUALITIES = ("psnr", "ssimulacra2")
"""What is measured at each point of a rate: error of pixels, and what viewers are said to see. A latent can be ahead by
one and behind by the other."""
UNQUANTISED = "unquantised"
"""The point at which a latent is as it was encoded, with the bits of its architecture."""
_PSNRS_OF_LATENTS = (
    *(f"{name}_psnr" for name in ("shift_quarter", "shift_half", "shift_whole", "half_scale", "quarter_turns")),
    *(f"noise_{percent}_psnr" for percent in (0, 10, 30, 100)),
    "midpoint_psnr",
)
_BOUNDS_OF_STUDIES = {
    **dict.fromkeys(("untiled_psnr", "tiled_psnr", "tiled_agreement"), DECIBELS),
    **dict.fromkeys(("seam_error", "tiled_step", "untiled_step"), FROM_ZERO),
    **dict.fromkeys(("whole_time", "parts_time", "parts_slowdown"), FROM_ZERO),
    **dict.fromkeys(("latent_high_frequency", "grid_high_frequency", "image_high_frequency"), (0, 100)),
    **dict.fromkeys(_PSNRS_OF_LATENTS, DECIBELS),
    "midpoint_sharpness": FROM_ZERO,
    **{f"psnr_{number}": DECIBELS for number in PASSES},
    **{f"ciede2000_{number}": FROM_ZERO for number in PASSES},
}


def bounds_of(quantity: str) -> tuple[float, float]:
    """What the values of a metric, or of a quantity of a study, are between: single ones and their means alike."""
    quantity = text_metric(quantity) or quantity
    return METRICS[quantity].bounds if quantity in METRICS else _BOUNDS_OF_STUDIES.get(quantity, UNBOUNDED)


def interval_over_images(quantity: str, values: ArrayLike) -> tuple[float, float] | None:
    """The 95 % interval of the mean of ``values`` ``[n]``, one an image, by the method :func:`method_of` names.

    None for one image, and where :func:`says_nothing`.

    Raises:
        ValueError: a value is not finite; the message names it.
    """
    if (text_metric(quantity) or quantity) in SHARES:
        return share_interval(values)
    return None if says_nothing(quantity, values) else clipped(mean_interval(values), bounds_of(quantity))


def method_of(quantity: str) -> str:
    """The method of :func:`interval_over_images`."""
    return SHARE_METHOD if (text_metric(quantity) or quantity) in SHARES else METHOD


def says_nothing(quantity: str, values: ArrayLike) -> bool:
    """Whether scores of text, or differences of two, are equal on all pages: their spread says nothing of other pages.

    What is equal by construction, such as a rate, keeps Student's interval without width.
    """
    metric = METRICS.get(text_metric(quantity) or quantity)
    return metric is not None and metric.scope == "text" and np.unique(values).size == 1


def text_metric(quantity: str) -> str | None:
    """The metric that ``quantity``, such as ``ned_6``, is of at one height of lines, in pixels; None of any other."""
    name, _, height = quantity.rpartition("_")
    return name if height.isdecimal() and name in METRICS and METRICS[name].scope == "text" else None
