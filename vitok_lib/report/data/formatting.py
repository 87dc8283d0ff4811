"""Values, outcomes and differences of records as parts of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vitok_lib.records.schema import Kind, OutcomeStatus, OutOfMemory, Value
from vitok_lib.report.data.paired import Difference
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import CAVEAT_MARK, Note, Number, Part, Sentence, WebLink
from vitok_lib.report.page.labels import (
    TIMED,
    bracket,
    count_words,
    digits,
    memory_words,
    name_of,
    not_independent,
    signed,
    three_digits,
    with_unit,
)
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

OUTCOMES = {
    OutcomeStatus.OOM: "OOM",
    OutcomeStatus.TIMEOUT: "timeout",
    OutcomeStatus.ERROR: "error",
    OutcomeStatus.UNSUPPORTED: "unsupported",
    OutcomeStatus.NON_FINITE: "non-finite",
}

JOINT: Part = " "

_WIDE = 0.1
"""An interval wider than this share of its value is shown next to three digits: they do not all hold."""


def number(entry: Entry, value: Value, *, unit: bool = False, best: bool = False) -> Number:
    """One value of a record, ready for print."""
    facts = [f"{value.kind.value}: {entry.record.source.title if entry.record.source else 'study ' + entry.study}"]
    if value.n is not None:
        facts.append(counted(entry, value))
    if value.interval:
        facts.append(f"{value.interval.level:.0%} interval, {value.interval.method}")
    if value.signature:
        facts.append(value.signature)
    caveat = not_independent(value.quantity, entry.record.tokenizer.name)
    if caveat:
        facts.append(caveat)
    if best:
        facts.append("best of its protocol at its rate")
    return Number(
        text=with_unit(digits(value.quantity, value.value), value.unit if unit else ""),
        kind=value.kind,
        tip=" · ".join(facts),
        anchor=entry.anchor,
        interval=bracket(value.quantity, value.interval) if value.interval else None,
        best=best,
        caveat=caveat,
    )


def rounded(shown: Number, value: Value, unit: str = "", scale: float = 1.0) -> Number:
    """``shown`` as ``scale`` times ``value`` to three significant digits, for a summary.

    Its interval is kept only where it is wider than a tenth of the value.
    """
    interval = value.interval
    wide = interval is not None and interval.high - interval.low > _WIDE * abs(value.value)
    ends = [three_digits(scale * end) for end in (interval.low, interval.high)] if interval and wide else []
    text = f"{three_digits(scale * value.value)} {unit}".rstrip()
    return replace(shown, text=text, interval=f"[{', '.join(ends)}]" if ends else None)


def places(entries: Iterable[Entry]) -> list[Part]:
    """Where the sources print the values of ``entries``: a link to each table or section, the first of its lines."""
    found: dict[tuple[str, str], Part] = {}
    for entry in entries:
        source = entry.record.source
        for value in entry.record.values:
            if source and value.place:
                text = f"{source.title}, {value.place}"
                fragment = f"#{value.at}" if value.at else ""
                link = WebLink(text, f"{source.address}{fragment}") if source.address else text
                found.setdefault((source.name, value.place), link)
    return list(found.values())


def held_number(entry: Entry, quantity: str, *, unit: bool = False) -> Number | None:
    """A value of a record that ended well, ready for print; None where it holds none or did not end well."""
    value = entry.record.value(quantity) if entry.record.outcome.status == OutcomeStatus.OK else None
    return number(entry, value, unit=unit) if value else None


def counted(entry: Entry, value: Value) -> str:
    """The n of a value with what it counts."""
    words = count_words(value.quantity, value.n)
    if words.endswith("crops"):
        return words
    return f"{words} {'repetitions' if entry.measured and value.quantity in TIMED else 'images'}"


def outcome(entry: Entry) -> Number:
    """How a record ended, where it did not end well, ready for print as a value of its kind."""
    found = entry.record.outcome
    facts = [f"{found.kind.value}: {entry.origin}"]
    text = OUTCOMES[found.status]
    if found.total is not None:
        text += f", {found.done or 0:,} of {found.total:,}"
        facts.append(f"{found.done or 0:,} of {found.total:,} images have values, {found.failed or 0:,} failed")
    if found.memory:
        facts += _memory_facts(found.memory)
    if found.detail:
        facts.append(found.detail)
    return Number(text=text, kind=found.kind, tip=" · ".join(facts), anchor=entry.anchor, ended=True)


def _memory_facts(memory: OutOfMemory) -> list[str]:
    asked = memory_words(memory.requested_bytes) if memory.requested_bytes is not None else "an unknown amount"
    facts = [f"asked for {asked} on {memory.device} at batch {memory.batch} of {memory.height} × {memory.width} px"]
    if memory.fit_batch is None:
        return [*facts, "nothing had gone through before"]
    return [*facts, f"batch {memory.fit_batch} of {memory.fit_height} × {memory.fit_width} px had gone through before"]


def difference_number(difference: Difference, *, unit: str = "") -> Number:
    """A paired difference in print; it is derived from two measured records."""
    quantity, interval = difference.quantity, difference.interval
    names = [side.record.tokenizer.name for side in (difference.entry, difference.other)]
    caveat = next(filter(None, (not_independent(quantity, name) for name in names)), None)
    facts = [
        f"derived: {difference.entry.name} minus {difference.other.name}, paired by image, n = {difference.n:,} images",
        *([f"{interval.level:.0%} interval, {interval.method}"] if interval else []),
        *([f"p = {difference.p_value:.2g}, {difference.test}"] if difference.p_value is not None else []),
        *([caveat] if caveat else []),
    ]
    return Number(
        text=signed(quantity, difference.mean) + unit,
        kind=Kind.DERIVED,
        tip=" · ".join(facts),
        anchor=difference.entry.anchor,
        interval=bracket(quantity, interval, neutral=0.0) if interval else None,
        caveat=caveat,
    )


def significance(difference: Difference) -> list[Part]:
    """What follows a difference in print: nothing where it is significant."""
    return [] if difference.clear else [JOINT, Note(difference.remark)]


def caveats(shown: Iterable[tuple[str, str]]) -> list[Sentence]:
    """The disclosures of ``shown``, pairs of a quantity and a tokenizer, one sentence for each reason.

    ``disclosure`` gives "METRIC is not independent of TOKENIZER: REASON."; a page that shows nine such tokenizers
    under four metrics says the reason once.
    """
    by_reason: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for quantity, tokenizer in shown:
        sentence = not_independent(quantity, tokenizer)
        if sentence:
            named, tokenizers = by_reason.setdefault(sentence.partition(": ")[2], ({}, {}))
            named[name_of(quantity)] = tokenizers[tokenizer] = None
    return [
        say("not_independent", mark=CAVEAT_MARK, metrics=list(named), tokenizers=list(tokenizers), reason=reason)
        for reason, (named, tokenizers) in by_reason.items()
    ]


def joined(parts: Sequence[Part]) -> list[Part]:
    """``parts`` with a space between each two."""
    spaced: list[Part] = []
    for part in parts:
        spaced += [JOINT, part] if spaced else [part]
    return spaced
