"""Five images that the project draws itself, each hard for a tokenizer in its own way, at any resolution.

Each is a seeded scene in units of the image's side, so that a larger size shows the same scene in more detail.
What belongs to the pixel grid and not to the scene is said where it is drawn: the rings of ``zone-plate`` and the
noise of ``gradients``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vitok_lib.images.challenge.foliage import paint_foliage
from vitok_lib.images.challenge.gradients import paint_gradients
from vitok_lib.images.challenge.sampling import Painter
from vitok_lib.images.challenge.text import paint_text
from vitok_lib.images.challenge.weave import paint_weave
from vitok_lib.images.challenge.zone_plate import paint_zone_plate

SCENES: Mapping[str, Painter] = {
    "text": paint_text,
    "foliage": paint_foliage,
    "weave": paint_weave,
    "gradients": paint_gradients,
    "zone-plate": paint_zone_plate,
}


def render(name: str, resolution: int) -> NDArray[np.uint8]:
    """The scene ``name`` of :data:`SCENES` as ``[resolution, resolution, 3]``, 8 bits."""
    pixels = np.empty((resolution, resolution, 3), np.uint8)
    strip = min(64, max(1, resolution // 24))  # rows whose samples stay in the processor's cache
    for first in range(0, resolution, strip):
        last = min(first + strip, resolution)
        rows = SCENES[name](resolution, first, last)
        pixels[first:last] = np.rint(np.clip(rows, 0, 255))
    return pixels
