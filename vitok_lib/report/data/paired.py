"""Differences between tokenizers, paired by image: of two, to the floor, and of all pairs at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.metrics.statistics import RESAMPLES, bootstrap_mean, paired_differences
from vitok_lib.records.schema import Interval
from vitok_lib.report.data import protocol as comparison
from vitok_lib.report.data.protocol import Protocol, Standing, by_protocol, protocol
from vitok_lib.report.data.record_view import Entry

FLOOR = "pca-f16x64"
"""The closed-form linear tokenizer: what a learned one of its rate has to beat."""

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean over ``n`` images of ``entry`` minus ``other`` with its interval."""

    entry: Entry
    other: Entry
    quantity: str
    mean: float
    interval: Interval
    n: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True)
class AllPairs:
    """Every two of ``standings``, the best first, compared under ``shared``: the earlier one minus the later one.

    The intervals hold all at once at ``level``; each alone is at ``single_level``.
    """

    shared: Protocol
    standings: Sequence[Standing]
    differences: Sequence[Difference]

    level: float = LEVEL

    @property
    def single_level(self) -> float:
        return 1 - (1 - self.level) / len(self.differences)


def holds_single_images(entry: Entry, quantity: str) -> bool:
    """Whether the record keeps the ``quantity`` of single images."""
    return entry.samples_path is not None and quantity in entry.per_image.columns


def paired(entry: Entry, other: Entry, quantity: str) -> Difference:
    """The difference of two entries of one protocol, image by image.

    Raises:
        RequestError: the two are of different protocols, or were not measured on the same images.
    """
    if protocol(entry, entry.value(quantity)) != protocol(other, other.value(quantity)):
        raise RequestError(f"records '{entry.name}' and '{other.name}' follow different protocols for '{quantity}'")
    differences = by_image(entry, other, quantity)
    low, high = bootstrap_mean(differences, level=LEVEL, resamples=RESAMPLES, seed=0)
    method = f"percentile bootstrap over paired differences, {RESAMPLES} resamples"
    interval = Interval(low=low, high=high, level=LEVEL, method=method)
    return Difference(entry, other, quantity, float(differences.mean()), interval, len(differences))


def by_image(entry: Entry, other: Entry, quantity: str) -> NDArray[np.float64]:
    """``entry`` minus ``other`` on each image that has a value of both, ``[images]``, in the order of the set.

    Raises:
        RequestError: one keeps no values of single images, or the two were not measured on the same images.
    """
    values = _by_image([entry, other], quantity)
    differences: NDArray[np.float64] = values[:, 0] - values[:, 1]
    return differences


def _by_image(entries: Sequence[Entry], quantity: str) -> NDArray[np.float64]:
    """The values ``[images, entries]`` of the images that have one of each entry.

    Raises:
        RequestError: an entry keeps no values of single images, or the entries were not measured on the same images.
    """
    columns: list[dict[str, float]] = []
    for entry in entries:
        if quantity not in entry.per_image.columns:
            raise RequestError(f"record '{entry.name}' holds no '{quantity}' of single images")
        columns.append(dict(zip(entry.per_image["image"], entry.per_image[quantity], strict=True)))
        if columns[-1].keys() != columns[0].keys():
            raise RequestError(f"records '{entries[0].name}' and '{entry.name}' were not measured on the same images")
    values = np.array([[column[image] for column in columns] for image in columns[0]], dtype=np.float64)
    whole: NDArray[np.float64] = values[~np.isnan(values).any(axis=1)]  # an image too small for a metric has none
    return whole


def to_floor(entry: Entry, entries: Iterable[Entry], quantity: str) -> Difference | None:
    """The paired difference to the floor of the entry's own protocol; None for the floor, and where there is none."""
    value = entry.record.value(quantity)
    if not entry.measured or value is None or entry.record.tokenizer.name == FLOOR:
        return None
    group = [standing.entry for standing in by_protocol(entries, quantity).get(protocol(entry, value), [])]
    floors = [other for other in group if other.record.tokenizer.name == FLOOR]
    if entry not in group or not floors:
        return None
    return paired(entry, min(floors, key=lambda other: len(other.stem)), quantity)


def all_pairs(entries: Iterable[Entry], case: str, quantity: str) -> AllPairs:
    """Every pair of tokenizers of ``case`` in the protocol that the most share, with simultaneous intervals.

    Raises:
        RequestError: fewer than two keep the ``quantity`` of single images, or nothing measured holds it.
    """
    shared, order = comparison.common(entries, case, quantity)
    standings = [standing for standing in order if holds_single_images(standing.entry, quantity)]
    if len(standings) < comparison.MINIMUM_TO_RANK:
        raise RequestError(f"no two records of '{case}' keep the '{quantity}' of single images, so there are no pairs")
    held = {standing.entry.name: standing.entry for standing in standings}
    columns = _by_image(list(held.values()), quantity).T
    values = dict(zip(held, columns, strict=True))
    differences = []
    for found in paired_differences(values, level=LEVEL, seed=0):
        method = f"percentile bootstrap over images, one of {found.comparisons} that hold together (Bonferroni)"
        interval = Interval(low=found.low, high=found.high, level=found.level, method=method)
        differences.append(Difference(held[found.first], held[found.second], quantity, found.mean, interval, found.n))
    return AllPairs(shared, standings, differences)
