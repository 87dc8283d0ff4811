"""What bounds the way of an image from its file to its metrics, from the time that each stage takes by itself.

Images are prepared in threads, ahead of the model and the metrics, which follow one another. On a GPU the whole takes
the longer of the two; on a CPU up to their sum, since the threads take cores from the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

EXPLAINED = 0.25
"""Relative: how far the whole may be off what the stages allow before no part is said to bound it.

The stages are timed in another pass than the whole, and single passes over a few images differ by a tenth or two.
"""


class Part(StrEnum):
    PREPARATION = "preparation"
    COPY = "the copy to the device"
    MODEL = "the model"
    METRICS = "the metrics"


STAGES = {
    "load": Part.PREPARATION,
    "copy": Part.COPY,
    "encode": Part.MODEL,
    "decode": Part.MODEL,
    "metric": Part.METRICS,
}
"""The stages in their order, and the part that each belongs to."""


def parts(stages: Mapping[str, float], threads: float) -> dict[Part, float]:
    """Time an image of each part, in the unit of ``stages``; preparation is shared by its ``threads``."""
    taken = dict.fromkeys(Part, 0.0)
    for stage, part in STAGES.items():
        taken[part] += stages[stage] / (threads if part is Part.PREPARATION else 1)
    return taken


def bottleneck(taken: Mapping[Part, float], whole: float) -> Part | None:
    """The part without which the ``whole`` would be shortest; None where the parts do not explain the whole."""
    preparation = taken[Part.PREPARATION]
    others = {part: time for part, time in taken.items() if part is not Part.PREPARATION}
    after = sum(others.values())
    if not (1 - EXPLAINED) * max(preparation, after) <= whole <= (1 + EXPLAINED) * (preparation + after):
        return None
    return Part.PREPARATION if preparation >= after else max(others, key=lambda part: others[part])
