"""What may be compared with what: ranking within one protocol, and distances at one number of images alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind, OutcomeStatus, Value
from vitok_lib.report.data.record_view import Entry, of_case
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, count_words, digits, is_distance, not_independent

MINIMUM_TO_RANK = 2


@dataclass(frozen=True)
class Protocol:
    """All that two numbers must share before one may be called better; ``origin`` is the source or the study.

    ``manifest`` is that of the largest set where distances over the first n images of several sets are compared.
    """

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
        return count_words(self.quantity, self.n)


@dataclass(frozen=True)
class Ranked:
    """An entry with the value that ranks it: its own, or its distance over the first n images."""

    entry: Entry
    value: Value

    @property
    def independent(self) -> bool:
        """Whether nothing is known that makes the value no judge of the tokenizer."""
        return not_independent(self.value.quantity, self.entry.record.tokenizer.name) is None


def equal_in_print(one: Ranked, other: Ranked) -> bool:
    """Whether a reader sees two equal values: without a test, no smaller difference makes one of them better."""
    texts = {digits(held.value.quantity, held.value.value) for held in (one, other)}
    return len(texts) == 1


def protocol(entry: Entry, value: Value) -> Protocol:
    images = entry.record.images
    return Protocol(
        entry.case, entry.origin, value.quantity, value.n, images.manifest_sha256, images.rule, value.signature
    )


def by_protocol(entries: Iterable[Entry], quantity: str) -> dict[Protocol, list[Ranked]]:
    """What holds ``quantity``, together where it can be compared.

    Estimated values, what ended otherwise than ok, and the infinite PSNR of originals that were given as their own
    reconstructions take no part. Distances are put together at the largest n that all records of one set of images
    hold; where there is none they are in :func:`without_common_n`.
    """
    groups: dict[Protocol, list[Ranked]] = {}
    if is_distance(quantity):
        for nested in _nested(entries, quantity):
            n = nested.common_n
            for entry in nested.entries if nested.counts_in_common else ():
                first = nested.entries[0]
                key = protocol(first, first.by_count(quantity)[n])
                groups.setdefault(key, []).append(Ranked(entry, entry.by_count(quantity)[n]))
        return groups
    for entry in _taking_part(entries, quantity):
        value = entry.value(quantity)
        groups.setdefault(protocol(entry, value), []).append(Ranked(entry, value))
    return groups


def without_common_n(entries: Iterable[Entry], quantity: str) -> list[list[int | None]]:
    """For each set of images whose distances have no n in common: the n at which its records hold them."""
    if not is_distance(quantity):
        return []
    return [
        sorted({entry.value(quantity).n for entry in nested.entries}, key=lambda n: n or 0)
        for nested in _nested(entries, quantity)
        if not nested.counts_in_common
    ]


@dataclass
class _Nested:
    """Entries of one set of images, of which each takes the first so many; the first entry takes the most."""

    quantity: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def counts_in_common(self) -> set[int | None]:
        return set.intersection(*(set(entry.by_count(self.quantity)) for entry in self.entries))

    @property
    def common_n(self) -> int | None:
        return max(self.counts_in_common, key=lambda n: n or 0, default=None)


def _nested(entries: Iterable[Entry], quantity: str) -> list[_Nested]:
    """The entries with a distance, by set of images; of one tokenizer run on more and on fewer, the one on more."""
    keys: dict[tuple[object, ...], list[_Nested]] = defaultdict(list)
    for entry in sorted(_taking_part(entries, quantity), key=lambda entry: -(entry.value(quantity).n or 0)):
        images = entry.record.images
        key = (entry.case, entry.origin, images.rule, images.subset_seed, entry.value(quantity).signature)
        place = next((nested for nested in keys[key] if _begins_with(nested.entries[0], entry)), None)
        if place is None:
            keys[key].append(_Nested(quantity, [entry]))
        elif all(entry.title != other.title for other in place.entries):
            place.entries.append(entry)
    return [nested for found in keys.values() for nested in found]


def _begins_with(longer: Entry, shorter: Entry) -> bool:
    """Whether the images of ``shorter`` are the first of those of ``longer``, by their content."""
    if longer.record.images.manifest_sha256 == shorter.record.images.manifest_sha256:
        return True
    if longer.samples_path is None or shorter.samples_path is None:
        return False
    if "sha256" not in longer.per_image.columns or "sha256" not in shorter.per_image.columns:
        return False
    first = shorter.per_image["sha256"].tolist()
    return longer.per_image["sha256"].tolist()[: len(first)] == first


def _taking_part(entries: Iterable[Entry], quantity: str) -> list[Entry]:
    held = [entry for entry in entries if entry.record.outcome.status == OutcomeStatus.OK]
    return [
        entry
        for entry in held
        if (value := entry.record.value(quantity)) is not None
        and value.kind != Kind.ESTIMATED
        and math.isfinite(value.value)
    ]


def ranked(ranking: Iterable[Ranked], quantity: str) -> list[Ranked]:
    """What is ranked within one protocol, the best first."""
    sign = -1 if HIGHER_IS_BETTER.get(quantity, False) else 1
    return sorted(ranking, key=lambda candidate: sign * candidate.value.value)


def at_smaller_n(entries: Iterable[Entry], quantity: str) -> dict[str, Ranked]:
    """What is compared at another n than its own, by the entry's name."""
    groups = by_protocol(entries, quantity).values() if is_distance(quantity) else ()
    return {
        candidate.entry.name: candidate
        for group in groups
        for candidate in group
        if len(group) >= MINIMUM_TO_RANK and candidate.value.n != candidate.entry.value(quantity).n
    }


def common(entries: Iterable[Entry], case: str, quantity: str) -> tuple[Protocol, list[Ranked]]:
    """The protocol of ``case`` that the most measured entries share, and those entries, the best first.

    All studies take part, so that a run of one tokenizer does not take it out of the comparison that a committed
    study makes; of two protocols with as many entries, that of the study that takes precedence is chosen.

    Raises:
        RequestError: nothing measured in ``case`` holds ``quantity``, or not at one number of images.
    """
    entries = list(entries)
    measured = [entry for entry in entries if entry.case == case and entry.measured]
    groups = by_protocol(measured, quantity)
    if not groups:
        of_case(entries, case)
        apart = without_common_n(measured, quantity)
        if apart:
            held = ", ".join(counts_text(apart[0]))
            raise RequestError(f"the '{quantity}' of '{case}' has no common n: its records hold it at n = {held}")
        raise RequestError(f"nothing measured in '{case}' holds '{quantity}'")
    shared = max(groups, key=lambda key: len(groups[key]))
    return shared, ranked(groups[shared], quantity)


def counts_text(counts: Sequence[int | None]) -> list[str]:
    """Numbers of images in print."""
    return ["unknown" if n is None else f"{n:,}" for n in counts]
