"""What may be compared with what: ranking within one protocol, and differences paired by image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Interval, Kind, OutcomeStatus, Value
from vitok_lib.report.entries import Entry, of_case

FLOOR = "pca-f16x64"
"""The closed-form linear tokenizer: what a learned one of its rate has to beat."""

HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "fid": False, "fdd": False}
"""Only these quantities are ranked: a speed or a memory says nothing without the machine and the settings."""

MINIMUM_TO_RANK = 2
LEVEL = 0.95
RESAMPLES = 10_000


@dataclass(frozen=True)
class Protocol:
    """All that two numbers must share before one may be called better; ``origin`` is the source or the study."""

    case: str
    origin: str
    quantity: str
    n: int | None
    manifest: str | None
    rule: str
    signature: str | None

    @property
    def count(self) -> str:
        """The number of images in words."""
        return "n unknown" if self.n is None else f"n = {self.n:,}"


def protocol(entry: Entry, value: Value) -> Protocol:
    images = entry.record.images
    return Protocol(
        entry.case, entry.origin, value.quantity, value.n, images.manifest_sha256, images.rule, value.signature
    )


def by_protocol(entries: Iterable[Entry], quantity: str) -> dict[Protocol, list[Entry]]:
    """The entries that hold ``quantity``, together where they can be compared; estimated values take no part."""
    groups: dict[Protocol, list[Entry]] = defaultdict(list)
    for entry in entries:
        value = entry.record.value(quantity)
        if value and value.kind != Kind.ESTIMATED and entry.record.outcome.status == OutcomeStatus.OK:
            groups[protocol(entry, value)].append(entry)
    return dict(groups)


def ranked(entries: Iterable[Entry], quantity: str) -> list[Entry]:
    """Entries of one protocol, the best first."""
    sign = -1 if HIGHER_IS_BETTER[quantity] else 1
    return sorted(entries, key=lambda entry: sign * entry.value(quantity).value)


def best(entries: Iterable[Entry], quantity: str) -> set[str]:
    """The names of the entries that are best within their protocol, where at least two can be compared."""
    if quantity not in HIGHER_IS_BETTER:
        return set()
    winners: set[str] = set()
    for group in by_protocol(entries, quantity).values():
        if len(group) >= MINIMUM_TO_RANK:
            top = ranked(group, quantity)[0].value(quantity).value
            winners.update(entry.name for entry in group if entry.value(quantity).value == top)
    return winners


def common(entries: Iterable[Entry], case: str, quantity: str) -> tuple[Protocol, list[Entry]]:
    """The protocol of ``case`` that the most measured entries share, and those entries, the best first.

    All studies take part, so that a run of one tokenizer does not take it out of the comparison that a committed
    study makes; of two protocols with as many entries, that of the study that takes precedence is chosen.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``.
    """
    entries = list(entries)
    groups = by_protocol([entry for entry in entries if entry.case == case and entry.measured], quantity)
    if not groups:
        of_case(entries, case)
        raise RequestError(f"nothing measured in '{case}' holds '{quantity}'")
    shared = max(groups, key=lambda key: len(groups[key]))
    return shared, ranked(groups[shared], quantity)


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


def paired(entry: Entry, other: Entry, quantity: str) -> Difference:
    """The difference of two entries of one protocol, image by image.

    Raises:
        RequestError: the two are of different protocols, or were not measured on the same images.
    """
    if protocol(entry, entry.value(quantity)) != protocol(other, other.value(quantity)):
        raise RequestError(f"records '{entry.name}' and '{other.name}' follow different protocols for '{quantity}'")
    for side in (entry, other):
        if quantity not in side.per_image.columns:
            raise RequestError(f"record '{side.name}' holds no '{quantity}' of single images")
    both = entry.per_image.merge(other.per_image, on="image", suffixes=("", "_other"), validate="one_to_one")
    if not len(both) == len(entry.per_image) == len(other.per_image):
        raise RequestError(f"records '{entry.name}' and '{other.name}' were not measured on the same images")
    differences = (both[quantity] - both[f"{quantity}_other"]).to_numpy(dtype=np.float64)
    from vitok_lib.metrics.statistics import bootstrap_mean

    low, high = bootstrap_mean(differences, level=LEVEL, resamples=RESAMPLES, seed=0)
    method = f"percentile bootstrap over paired differences, {RESAMPLES} resamples"
    interval = Interval(low=low, high=high, level=LEVEL, method=method)
    return Difference(entry, other, quantity, float(differences.mean()), interval, len(differences))


def to_floor(entry: Entry, entries: Iterable[Entry], quantity: str) -> Difference | None:
    """The paired difference to the floor of the entry's own protocol; None for the floor, and where there is none."""
    value = entry.record.value(quantity)
    if not entry.measured or value is None or entry.record.tokenizer.name == FLOOR:
        return None
    group = by_protocol(entries, quantity).get(protocol(entry, value), [])
    floors = [other for other in group if other.record.tokenizer.name == FLOOR]
    if entry not in group or not floors:
        return None
    return paired(entry, min(floors, key=lambda other: len(other.stem)), quantity)
