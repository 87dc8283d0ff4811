"""How much the images of a measured set differ: the values of single images, and their paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok_lib.metrics.statistics import deviation_interval
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.record_view import Entry, natural


@dataclass(frozen=True)
class Spread:
    """``values`` ``[n]`` of single images, n > 1 and not all equal, ``unit`` theirs; or ``paired`` differences."""

    title: str
    entry: Entry
    values: NDArray[np.float64]
    unit: str
    paired: bool

    @property
    def deviation(self) -> float:
        return float(self.values.std(ddof=1))

    @property
    def deviation_interval(self) -> tuple[float, float]:
        return deviation_interval(self.values)


def spreads(entries: Sequence[Entry], case: str, quantity: str) -> list[Spread]:
    """One a tokenizer of ``case`` that keeps single images, then one a difference to its PCA baseline.

    Codecs are left out: each of their many rates would be one.
    """
    _, shared = protocol.common(entries, case, quantity)
    learned = [candidate.entry for candidate in shared if candidate.entry.record.tokenizer.family != "codec"]
    held = [entry for entry in learned if paired.holds_single_images(entry, quantity)]
    held.sort(key=lambda entry: natural(entry.title))
    found = [(entry.title, entry, entry.per_image[quantity].to_numpy(np.float64), False) for entry in held]
    for entry in held:
        difference = paired.to_baseline(entry, held, quantity)
        if difference:
            title = f"{entry.title} minus {difference.other.title}"
            found.append((title, entry, paired.by_image(entry, difference.other, quantity), True))
    known = [(title, entry, values[~np.isnan(values)], apart) for title, entry, values, apart in found]
    return [
        Spread(title, entry, values, entry.value(quantity).unit, apart)
        for title, entry, values, apart in known
        if len(values) > 1 and values.std()
    ]
