"""Differences between tokenizers, paired by image: of two, to the PCA baseline, and of all pairs at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.metrics.statistics import METHOD, leaves_out, mean_interval, paired_differences, paired_p_value
from vitok_lib.records.schema import Interval
from vitok_lib.report.data import protocol as comparison
from vitok_lib.report.data.protocol import Protocol, Ranked, by_protocol, protocol
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import NOT_SIGNIFICANT

PCA_BASELINE = "pca-f16x64"
"""The closed-form linear tokenizer: what a learned one of its rate has to beat."""

LEVEL = 0.95
TEST = "Student's paired t test"


@dataclass(frozen=True)
class Difference:
    """The mean over ``n`` images of ``entry`` minus ``other`` with its interval and p-value, None at n = 1.

    ``p_value`` is that of a mean difference of 0 by ``test``, which says how it is adjusted.
    """

    entry: Entry
    other: Entry
    quantity: str
    mean: float
    interval: Interval | None
    n: int
    p_value: float | None
    test: str

    @property
    def clear(self) -> bool:
        """Whether there is an interval and it leaves out zero: the difference is significant."""
        return self.interval is not None and leaves_out(0, self.interval.low, self.interval.high)

    @property
    def remark(self) -> str:
        """What is said of a difference that is not ``clear``."""
        return NOT_SIGNIFICANT if self.interval else "one image, no test"


@dataclass(frozen=True)
class AllPairs:
    """Every two of ``ranking``, the best first, compared under ``shared``: the earlier one minus the later one.

    The intervals hold all at once at ``level``; each alone is at ``single_level``.
    """

    shared: Protocol
    ranking: Sequence[Ranked]
    differences: Sequence[Difference]

    level: float = LEVEL

    @property
    def single_level(self) -> float:
        return 1 - (1 - self.level) / len(self.differences)


def holds_single_images(entry: Entry, quantity: str) -> bool:
    """Whether the record keeps the ``quantity`` of single images."""
    return entry.samples_path is not None and quantity in entry.per_image.columns


def paired(entry: Entry, other: Entry, quantity: str, comparisons: int = 1) -> Difference:
    """The difference of two entries of one protocol, image by image; of so many ``comparisons`` all hold together.

    Raises:
        RequestError: the two are of different protocols, or were not measured on the same images.
    """
    if protocol(entry, entry.value(quantity)) != protocol(other, other.value(quantity)):
        raise RequestError(
            f"records '{entry.name}' and '{other.name}' follow different protocols for '{quantity}'",
            code="different-protocols",
        )
    differences = by_image(entry, other, quantity)
    bounds = mean_interval(differences, LEVEL, comparisons)
    interval, mean = interval_of(bounds, comparisons), float(differences.mean())
    p_value = paired_p_value(differences)
    return Difference(entry, other, quantity, mean, interval, len(differences), p_value, TEST)


def interval_of(bounds: tuple[float, float] | None, comparisons: int = 1) -> Interval | None:
    """``bounds`` of a mean difference with their method, as one of ``comparisons`` that hold together."""
    if bounds is None:
        return None
    together = f", one of {comparisons} that hold together (Bonferroni)" if comparisons > 1 else ""
    return Interval(low=bounds[0], high=bounds[1], level=LEVEL, method=f"{METHOD} over paired differences{together}")


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
    for entry, column in zip(entries, whole.T, strict=True):
        if not np.isfinite(column).all():
            raise RequestError(f"record '{entry.name}' holds a '{quantity}' of a single image that is not finite")
    if not len(whole):
        names = " and ".join(f"'{entry.name}'" for entry in entries)
        raise RequestError(f"no image has a '{quantity}' in each of the records {names}")
    return whole


def to_baseline(entry: Entry, entries: Iterable[Entry], quantity: str) -> Difference | None:
    """The paired difference to the PCA baseline of the entry's own protocol; None of itself and where there is none.

    The intervals of all tokenizers of the protocol hold together.
    """
    value = entry.record.value(quantity)
    if not entry.measured or value is None or entry.record.tokenizer.name == PCA_BASELINE:
        return None
    group = [candidate.entry for candidate in by_protocol(entries, quantity).get(protocol(entry, value), [])]
    baselines = [other for other in group if other.record.tokenizer.name == PCA_BASELINE]
    if entry not in group or not baselines:
        return None
    baseline = min(baselines, key=lambda other: len(other.stem))
    return paired(entry, baseline, quantity, comparisons=len(group) - len(baselines))


def winners(entries: Iterable[Entry], quantity: str) -> dict[str, Ranked]:
    """What is best within its protocol, and what does not differ from it significantly, by the entry's name.

    Where no difference to the best is significant there is no winner. What keeps no values of single images is not
    tested: its value alone counts.
    """
    entries = list(entries)
    best = comparison.best(entries, quantity)
    found: dict[str, Ranked] = {}
    for group in by_protocol(entries, quantity).values():
        independent = [candidate for candidate in group if candidate.independent]
        tops = [candidate for candidate in independent if candidate.entry.name in best]
        others = [candidate for candidate in independent if candidate.entry.name not in best]
        tied = [
            candidate for candidate in others if tops and _ties(tops[0].entry, candidate.entry, quantity, len(others))
        ]
        if not others or len(tied) < len(others):
            found |= {candidate.entry.name: candidate for candidate in (*tops, *tied)}
    return found


def _ties(top: Entry, entry: Entry, quantity: str, comparisons: int) -> bool:
    """Whether single images were measured and do not tell an entry from the best one."""
    if not all(holds_single_images(held, quantity) for held in (top, entry)):
        return False
    return not paired(top, entry, quantity, comparisons).clear


def all_pairs(entries: Iterable[Entry], case: str, quantity: str) -> AllPairs:
    """Every pair of tokenizers of ``case`` in the protocol that the most share, with simultaneous intervals.

    Raises:
        RequestError: fewer than two keep the ``quantity`` of single images, or nothing measured holds it.
    """
    shared, order = comparison.common(entries, case, quantity)
    ranking = [candidate for candidate in order if holds_single_images(candidate.entry, quantity)]
    if len(ranking) < comparison.MINIMUM_TO_RANK:
        raise RequestError(f"no two records of '{case}' keep the '{quantity}' of single images, so there are no pairs")
    held = {candidate.entry.name: candidate.entry for candidate in ranking}
    columns = _by_image(list(held.values()), quantity).T
    values = dict(zip(held, columns, strict=True))
    differences = []
    for found in paired_differences(values, LEVEL):
        bounds = None if found.low is None or found.high is None else (found.low, found.high)
        interval = interval_of(bounds, found.comparisons)
        both = held[found.first], held[found.second]
        differences.append(
            Difference(*both, quantity, found.mean, interval, found.n, found.p_value, f"{TEST}, Holm-adjusted")
        )
    return AllPairs(shared, ranking, differences)
