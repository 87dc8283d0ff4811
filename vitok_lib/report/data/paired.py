"""Differences at equal rate, paired by image: of two tokenizers, to the PCA baseline, and of all pairs at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.metrics.quantities import says_nothing
from vitok_lib.metrics.statistics import METHOD, leaves_out, mean_interval, paired_differences, paired_p_value
from vitok_lib.records.schema import Interval
from vitok_lib.report.data.protocol import (
    Protocol,
    Ranked,
    by_protocol,
    common,
    equal_in_print,
    protocol,
    ranked,
)
from vitok_lib.report.data.rates import by_rate, equal_rates
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import NOT_SIGNIFICANT
from vitok_lib.report.page.labels import HIGHER_IS_BETTER

LEVEL = 0.95
LEAST_FOR_PAIRS = 20
"""Images from which on all pairs are tested; of fewer the values of single images say more."""
TEST = "Student's paired t test"


@dataclass(frozen=True)
class Difference:
    """The mean over ``n`` images of ``entry`` minus ``other`` with its interval and p-value, None at n = 1.

    ``p_value`` is that of a mean difference of 0 by ``test``, which says how it is adjusted; ``effect`` is the mean
    over the standard deviation of the differences, where there is one and it was asked for.
    """

    entry: Entry
    other: Entry
    quantity: str
    mean: float
    interval: Interval | None
    n: int
    p_value: float | None
    test: str
    effect: float | None = None

    @property
    def clear(self) -> bool:
        """Whether there is an interval and it leaves out zero: the difference is significant."""
        return self.interval is not None and leaves_out(0, self.interval.low, self.interval.high)

    @property
    def remark(self) -> str:
        """What is said of a difference that is not ``clear``."""
        return NOT_SIGNIFICANT if self.n > 1 else "one image, no test"


@dataclass(frozen=True)
class AllPairs:
    """Every two of equal rate compared under ``shared``, the better one minus the other, the lowest rate first.

    The intervals hold all at once at ``level``; each alone is at ``single_level``.
    """

    shared: Protocol
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
        RequestError: the two are of different protocols or rates, or were not measured on the same images.
    """
    if not equal_rates(entry, other):
        raise RequestError(
            f"records '{entry.name}' and '{other.name}' are not of equal rate; their quality is not compared"
        )
    if protocol(entry, entry.value(quantity)) != protocol(other, other.value(quantity)):
        raise RequestError(
            f"records '{entry.name}' and '{other.name}' follow different protocols for '{quantity}'",
            code="different-protocols",
        )
    return across_protocols(entry, other, quantity, comparisons)


def across_protocols(entry: Entry, other: Entry, quantity: str, comparisons: int = 1) -> Difference:
    """As :func:`paired`, also of two protocols or rates: for what asks how much these change on the same images.

    Raises:
        RequestError: the two were not measured on the same images.
    """
    differences = by_image(entry, other, quantity)
    bounds = None if says_nothing(quantity, differences) else mean_interval(differences, LEVEL, comparisons)
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


def is_baseline(entry: Entry) -> bool:
    """Whether the tokenizer is a closed-form linear one: what a learned one of its rate has to beat."""
    return entry.record.tokenizer.family == "pca"


def to_baseline(entry: Entry, entries: Iterable[Entry], quantity: str) -> Difference | None:
    """The paired difference to the PCA baseline of the entry's own protocol and rate; None of itself and without one.

    The intervals of all tokenizers of the protocol and rate hold together.
    """
    value = entry.record.value(quantity)
    if not entry.measured or value is None or is_baseline(entry):
        return None
    group = [candidate.entry for candidate in by_protocol(entries, quantity).get(protocol(entry, value), [])]
    baselines = [other for other in group if is_baseline(other) and equal_rates(entry, other)]
    if entry not in group or not baselines:
        return None
    baseline = min(baselines, key=lambda other: len(other.stem))
    alike = [other for other in group if not is_baseline(other) and equal_rates(other, baseline)]
    return paired(entry, baseline, quantity, comparisons=len(alike))


def winners(entries: Iterable[Entry], quantity: str) -> dict[str, Ranked]:
    """The best tokenizer of each protocol at each rate, by the entry's name.

    None is best over one image, alone at its rate, with the printed value of another, or with a difference to another
    that is not significant. What keeps no values of single images is not tested: its value alone counts. A value that
    is not independent of its tokenizer takes no part.
    """
    if quantity not in HIGHER_IS_BETTER:
        return {}
    found: dict[str, Ranked] = {}
    for shared, held in by_protocol(entries, quantity).items():
        independent = [candidate for candidate in held if candidate.independent]
        for group in by_rate(ranked(independent, quantity)) if shared.n != 1 else ():
            top, *others = group
            if others and all(_exceeds(top, other, len(others)) for other in others):
                found[top.entry.name] = top
    return found


def _exceeds(top: Ranked, other: Ranked, comparisons: int) -> bool:
    """Whether the best differs from another; configurations of one tokenizer by their values in print alone."""
    quantity, names = top.value.quantity, {held.entry.record.tokenizer.name for held in (top, other)}
    if len(names) > 1 and all(holds_single_images(held.entry, quantity) for held in (top, other)):
        return paired(top.entry, other.entry, quantity, comparisons).clear
    return not equal_in_print(top, other)


def all_pairs(entries: Iterable[Entry], case: str, quantity: str) -> AllPairs:
    """Every pair of equal rate of ``case`` in the protocol that the most share, with simultaneous intervals.

    Raises:
        RequestError: no two of equal rate keep the ``quantity`` of single images, or nothing measured holds it.
    """
    shared, order = common(entries, case, quantity)
    groups = by_rate([candidate for candidate in order if holds_single_images(candidate.entry, quantity)])
    held = {candidate.entry.name: candidate.entry for group in groups for candidate in group}
    pairs = [(one.entry.name, other.entry.name) for group in groups for one, other in combinations(group, 2)]
    if not pairs:
        raise RequestError(
            f"no two records of '{case}' at equal rate keep the '{quantity}' of single images, so there are no pairs"
        )
    values = dict(zip(held, _by_image(list(held.values()), quantity).T, strict=True))
    differences = []
    for found in paired_differences(values, LEVEL, pairs):
        bounds = None if found.low is None or found.high is None else (found.low, found.high)
        interval = interval_of(bounds, found.comparisons)
        both, test = (held[found.first], held[found.second]), f"{TEST}, Holm-adjusted"
        differences.append(
            Difference(*both, quantity, found.mean, interval, found.n, found.p_value, test, found.effect)
        )
    return AllPairs(shared, differences)
