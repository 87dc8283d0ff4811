"""The tables by image: the values of each image, the distances to the PCA baseline, the differences of all pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.formatting import caveats, difference_number, significance
from vitok_lib.report.data.paired import AllPairs, Difference
from vitok_lib.report.data.rates import rate_number
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.page.content import NOT_MEASURED, Head, Link, Note, Number, Sentence, Table
from vitok_lib.report.page.labels import digits, label, signed
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

OTHER_RATE = "other rate"
"""Where a tokenizer was measured, but at no rate of a PCA baseline."""

LEAST_P = 0.0001
"""A smaller p-value is printed as below this: no t test is exact to more."""


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
    """How far each measured tokenizer of its rate is from the PCA baseline: a row a tokenizer, a column a benchmark.

    Raises:
        RequestError: nothing measured in a case holds ``quantity``, or nothing shares protocol and rate with the
            baseline.
    """
    rows: dict[str, dict[str, Difference]] = {}
    measured: set[tuple[str, str]] = set()
    for case in cases:
        _, shared = protocol.common(entries, case, quantity)
        found = [candidate.entry for candidate in shared]
        for entry in found:
            measured.add((entry.title, case))
            difference = paired.to_baseline(entry, found, quantity)
            if difference:
                rows.setdefault(entry.title, {})[case] = difference
    printed: list[list[Sentence]] = []
    for title in sorted(rows, key=natural):
        by_case = rows[title]
        held = [difference.entry for difference in by_case.values()]
        missing = {case: Note(OTHER_RATE if (title, case) in measured else NOT_MEASURED) for case in cases}
        cells = [(difference_number(by_case[case]) if case in by_case else missing[case],) for case in cases]
        printed.append([(Link(title, held[0].anchor),), *cells])
    if not printed:
        raise RequestError(
            f"no record of {', '.join(cases)} shares protocol and rate with a PCA baseline; measure one, such as "
            "pca-f16x64"
        )
    shown = [difference for by_case in rows.values() for difference in by_case.values()]
    counts = {difference.entry.case: f"{difference.entry.case}, n = {difference.n:,}" for difference in shown}
    unit = shown[0].entry.value(quantity).unit
    note = say("baseline", difference=f"Δ {label(quantity, unit)}")
    return Table([[Head("Tokenizer"), *(Head(counts.get(case, case)) for case in cases)]], printed, notes=[note])


def pairs_table(pairs: AllPairs) -> Table:
    """A row a pair of equal rate: the better tokenizer, the other, their difference, its effect size and p-value."""
    quantity = pairs.shared.quantity
    unit = pairs.differences[0].entry.value(quantity).unit
    rows: list[list[Sentence]] = []
    for found in pairs.differences:
        both = (found.entry, found.other)
        links: list[Sentence] = [(Link(entry.title, entry.anchor),) for entry in both]
        effect = "–" if found.effect is None else signed("effect", found.effect)
        rows.append(
            [
                *links,
                (rate_number(both),),
                (difference_number(found), *significance(found)),
                (_derived(effect, "mean over standard deviation of the paired differences"),),
                (_derived(_p_text(found.p_value), f"{found.test} over {len(pairs.differences)} pairs"),),
            ]
        )
    heads = ["Tokenizer", "Compared with", "Rate", f"Δ {label(quantity, unit)}", "Effect size d_z", "p, Holm-adjusted"]
    held = [entry for found in pairs.differences for entry in (found.entry, found.other)]
    told = _pairs_sentence(pairs, len({entry.name for entry in held}))
    return Table([[Head(text) for text in heads]], rows, notes=[told, *_caveats(held, quantity)])


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return "–"
    return f"{p_value:.2g}" if p_value >= LEAST_P else f"< {LEAST_P}"


def _pairs_sentence(pairs: AllPairs, tokenizers: int) -> Sentence:
    """How many comparisons are made at once, at which level, and how many of them are significant."""
    count, clear = len(pairs.differences), sum(found.clear for found in pairs.differences)
    bonferroni = f"1 − (1 − {pairs.level:g}) / {count}, after Bonferroni"
    return say(
        "pairs",
        case=pairs.shared.case,
        origin=pairs.shared.origin,
        images=f"{pairs.differences[0].n:,}",
        count=_derived(f"{count:,}", f"pairs of equal rate among {tokenizers} tokenizers"),
        tokenizers=tokenizers,
        level=_percent(pairs.level),
        single_level=_derived(_percent(pairs.single_level, 2), bonferroni),
        clear=_derived(f"{clear:,}", "intervals that exclude 0"),
        unclear=_derived(f"{count - clear:,}", "intervals that include 0"),
    )


def _derived(text: str, what: str) -> Number:
    return Number(text, Kind.DERIVED, f"derived: {what}")


def _percent(share: float, decimals: int = 0) -> str:
    return f"{100 * share:.{decimals}f} %"


def _caveats(found: Sequence[Entry], quantity: str) -> list[Sentence]:
    return caveats([(quantity, entry.record.tokenizer.name) for entry in found])
