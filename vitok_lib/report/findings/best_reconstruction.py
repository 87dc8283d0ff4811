"""Which released model reconstructs best at one compression: as measured here, or else as a source published it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from vitok_lib.records.config import RELEASED as RELEASED_WEIGHTS
from vitok_lib.report.data import groups, paired, protocol
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.model_names import model_name
from vitok_lib.report.data.protocol import Protocol, Ranked, by_protocol
from vitok_lib.report.data.real_models import settings_asked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Part, Sentence, WebLink
from vitok_lib.report.page.labels import digits
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.registry import RELEASED, find

say = sentences("summary")

RATIO, CASE, QUANTITY = 12.0, "div8k-1024", "psnr"
"""Numbers in an image over numbers in its latent, at which most models were released; where quality is compared."""


def best_reconstruction(entries: Sequence[Entry]) -> list[Sentence]:
    """Which released model has the best PSNR at :data:`RATIO`: as measured here, or else as a source published it.

    Each counts as it is, with the fewest settings, and never with a part of its blocks.
    """
    held = [
        entry
        for entry in entries
        if entry.case == CASE
        and entry.record.tokenizer.name in RELEASED
        and groups.is_whole(entry)
        and (entry.record.source or entry.record.tokenizer.weights.source == RELEASED_WEIGHTS)
    ]
    rankings = {shared: _independent(found) for shared, found in by_protocol(held, QUANTITY).items()}
    measured = {shared: ranking for shared, ranking in rankings.items() if ranking and ranking[0].entry.measured}
    published = {shared: ranking for shared, ranking in rankings.items() if shared not in measured}
    for level, found in (("measured", measured), ("published", published)):
        shared = max(found, key=lambda shared: len(_at_ratio(found[shared])), default=None)
        if shared is not None and len(_at_ratio(found[shared])) >= protocol.MINIMUM_TO_RANK:
            return [_ranked_by_quality(level, shared, found[shared], bool(measured))]
    return [say("no_reconstruction", ratio=digits("ratio", RATIO))]


def _independent(found: Sequence[Ranked]) -> list[Ranked]:
    """One of each model, the best first."""
    by_model: dict[str, Ranked] = {}
    for candidate in sorted(found, key=lambda candidate: settings_asked(candidate.entry)):
        if candidate.independent:
            by_model.setdefault(candidate.entry.record.tokenizer.name, candidate)
    return protocol.ranked(by_model.values(), QUANTITY)


def _at_ratio(ranking: Sequence[Ranked]) -> list[Ranked]:
    return [candidate for candidate in ranking if candidate.entry.record.tokenizer.compression_ratio == RATIO]


def _ranked_by_quality(level: str, shared: Protocol, ranking: Sequence[Ranked], measured: bool) -> Sentence:
    at_ratio = _at_ratio(ranking)
    first = list(takewhile(lambda candidate: _as_good(at_ratio[0], candidate), at_ratio))
    families = {find(candidate.entry.record.tokenizer.name).family for candidate in first}
    other = next((c for c in ranking if find(c.entry.record.tokenizer.name).family not in families), None)
    source = at_ratio[0].entry.record.source
    published_in = source and (WebLink(source.title, source.address) if source.address else source.title)
    return say(
        "reconstruction",
        level=level,
        ratio=digits("ratio", RATIO),
        case=shared.case,
        names=[_name(candidate) for candidate in first],
        value=_value(first[0]),
        next=_named(at_ratio[len(first)]) if len(first) < len(at_ratio) else None,
        other=_named(other, with_ratio=True) if other and other not in at_ratio[: len(first) + 1] else None,
        source=published_in or f"study {shared.origin}",
        count=shared.count,
        measured=measured,
    )


def _as_good(first: Ranked, other: Ranked) -> bool:
    """Whether ``first`` is not better: no significant difference, or of published values none in print."""
    if first is other:
        return True
    if first.entry.measured and all(paired.holds_single_images(held.entry, QUANTITY) for held in (first, other)):
        return not paired.paired(first.entry, other.entry, QUANTITY).clear
    return protocol.equal_in_print(first, other)


def _named(candidate: Ranked, with_ratio: bool = False) -> tuple[Part | Sentence, ...]:
    ratio = candidate.entry.record.tokenizer.compression_ratio
    name = f"{_name(candidate)} ({digits('ratio', ratio)} : 1)" if with_ratio and ratio else _name(candidate)
    return (name, " has ", _value(candidate))


def _value(candidate: Ranked) -> Part:
    """A value without its interval, which the tables show."""
    return number(candidate.entry, candidate.value, unit=True).without_interval


def _name(candidate: Ranked) -> str:
    return model_name(candidate.entry.record.tokenizer.name)
