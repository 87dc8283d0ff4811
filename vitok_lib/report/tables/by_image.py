"""The tables by image: the values of each image, the distances to the PCA baseline, the differences of all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.paired import AllPairs, Difference
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.page.content import (
    NOT_MEASURED,
    Head,
    Link,
    Note,
    Number,
    Sentence,
    Table,
    plain,
)
from vitok_lib.report.page.formatting import caveats, difference_number, number, significance
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.tables.quality import ratio

say = sentences("tables")


def image_table(entries: Sequence[Entry], case: str, quantity: str) -> Table:
    """The value of each single image: a row an image, a column a tokenizer.

    Raises:
        RequestError: there is no measured record of ``case`` that keeps single images.
    """
    _, shared = protocol.common(entries, case, quantity)
    held = (candidate.entry for candidate in shared)
    found = [entry for entry in held if paired.holds_single_images(entry, quantity)]
    if not found:
        raise RequestError(f"no record of '{case}' keeps the '{quantity}' of single images")
    found.sort(key=lambda entry: natural(entry.title))
    images = list(dict.fromkeys(image for entry in found for image in entry.per_image["image"]))
    by_image = [dict(zip(entry.per_image["image"], entry.per_image[quantity], strict=True)) for entry in found]
    rows: list[list[Sentence]] = []
    for image in images:
        cells: list[Sentence] = [(str(image),)]
        for entry, values in zip(found, by_image, strict=True):
            tip = f"measured: {image}, study {entry.study} · {entry.value(quantity).signature or 'no signature'}"
            known = not math.isnan(values.get(image, math.nan))
            text = digits(quantity, float(values[image])) if known else ""
            cells.append((Number(text, Kind.MEASURED, tip, entry.anchor),) if known else (Note(NOT_MEASURED),))
        rows.append(cells)
    unit = found[0].value(quantity).unit
    heads = [Head(f"Image: {label(quantity, unit)}"), *(Head(entry.title) for entry in found)]
    return Table(heads=[heads], rows=rows, notes=_caveats(found, quantity))


def baseline_table(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Table:
    """How far each measured tokenizer is from the PCA baseline: a row a tokenizer, a column a benchmark.

    Raises:
        RequestError: nothing measured in a case holds ``quantity``, or nothing shares a protocol with the PCA baseline.
    """
    rows: dict[str, dict[str, Difference]] = {}
    for case in cases:
        _, shared = protocol.common(entries, case, quantity)
        found = [candidate.entry for candidate in shared]
        for entry in found:
            difference = paired.to_baseline(entry, found, quantity)
            if difference:
                rows.setdefault(entry.title, {})[case] = difference
    printed: list[list[Sentence]] = []
    for title in sorted(rows, key=natural):
        by_case = rows[title]
        held = [difference.entry for difference in by_case.values()]
        cells = [(difference_number(by_case[case]) if case in by_case else Note(NOT_MEASURED),) for case in cases]
        printed.append([(Link(title, held[0].anchor),), _one_ratio(held), *cells])
    if not printed:
        raise RequestError(
            f"no record of {', '.join(cases)} shares a protocol with the PCA baseline '{paired.PCA_BASELINE}'"
        )
    return Table(heads=[[Head("Tokenizer"), Head("Ratio"), *(Head(case) for case in cases)]], rows=printed)


def _one_ratio(held: Sequence[Entry]) -> Sentence:
    """The ratio of a tokenizer that has one in all of ``held``; a codec's stream has another on each set of images."""
    found = {plain(shown): shown for entry in held if (shown := ratio([entry]))}
    return (Note("differs by set"),) if len(found) > 1 else next(iter(found.values()), ())


def pairs_table(pairs: AllPairs) -> Table:
    """The difference of each pair: the tokenizer of the row minus that of the column, the best first.

    The first column holds the mean of the row's tokenizer; the best one has no row of differences to better ones.
    """
    quantity = pairs.shared.quantity
    held = [candidate.entry for candidate in pairs.ranking]
    by_pair = {(found.entry.name, found.other.name): found for found in pairs.differences}
    rows: list[list[Sentence]] = []
    for entry in held[:-1]:
        value = next(candidate.value for candidate in pairs.ranking if candidate.entry is entry)
        cells: list[Sentence] = [(Link(entry.title, entry.anchor),), (number(entry, value),)]
        for other in held[1:]:
            found = by_pair.get((entry.name, other.name))
            if found is None:
                cells.append(())
                continue
            shown = difference_number(found)
            cells.append((shown, *significance(found)))
        rows.append(cells)
    unit = pairs.ranking[0].value.unit
    heads = [
        Head("Row minus column"),
        Head(f"{label(quantity, unit)}, mean"),
        *(Head(f"−\N{NO-BREAK SPACE}{e.title}") for e in held[1:]),
    ]
    return Table(heads=[heads], rows=rows, notes=[pairs_sentence(pairs), *_caveats(held, quantity)])


def pairs_sentence(pairs: AllPairs) -> Sentence:
    """How many comparisons are made at once, at which level, and how many of them are significant."""
    count, clear = len(pairs.differences), sum(found.clear for found in pairs.differences)
    bonferroni = f"1 − (1 − {pairs.level:g}) / {count}, after Bonferroni"
    return say(
        "pairs",
        case=pairs.shared.case,
        origin=pairs.shared.origin,
        images=f"{pairs.differences[0].n:,}",
        count=_derived(f"{count:,}", f"pairs of {len(pairs.ranking)} tokenizers"),
        tokenizers=len(pairs.ranking),
        level=_percent(pairs.level),
        single_level=_derived(_percent(pairs.single_level, 2), bonferroni),
        clear=_derived(f"{clear:,}", "intervals that exclude 0"),
        unclear=_derived(f"{count - clear:,}", "intervals that include 0, or none at n = 1"),
    )


def _derived(text: str, what: str) -> Number:
    return Number(text, Kind.DERIVED, f"derived: {what}")


def _percent(share: float, decimals: int = 0) -> str:
    return f"{100 * share:.{decimals}f} %"


def _caveats(found: Sequence[Entry], quantity: str) -> list[Sentence]:
    return caveats([(quantity, entry.record.tokenizer.name) for entry in found])
