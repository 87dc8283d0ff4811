"""The rule about who is best: whether the document's own tables say so, by figures that may rank at all."""

from __future__ import annotations

from vitok_lib.report.claims.evidence import DOCUMENT, Figure, document, says, unlike
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, ruling
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import HIGHER_IS_BETTER, name_of, not_independent


def best_everywhere(
    claim: Claim, entries: Entries, *, tokenizer: str, cases: list[str], quantities: list[str]
) -> Ruling:
    """Whether the document's own tables have ``tokenizer`` first in each column, among equal n and no estimates.

    A figure that is not independent of its tokenizer ranks neither it nor another. That the tables agree with the
    claim confirms nothing.
    """
    leaks = {quantity: leak for quantity in quantities if (leak := not_independent(quantity, tokenizer))}
    judges = [quantity for quantity in quantities if quantity not in leaks]
    ahead: list[Sentence] = []
    first: dict[str, list[str]] = {}
    for case in cases:
        for quantity in judges:
            own = document(entries, tokenizer, case, quantity)
            sign = 1 if HIGHER_IS_BETTER[quantity] else -1
            best = max(_rivals(entries, own), key=lambda figure: sign * figure.amount, default=None)
            if best is None:
                continue
            first.setdefault(case, []).append(name_of(quantity))
            if sign * best.amount > sign * own.amount:
                ahead += [says(own), says(best)]
    if ahead:
        return ruling(Verdict.REFUTED, ahead, contradiction=True)
    evidence: list[Sentence] = [
        (f"The document's own table has {tokenizer} first on {case} by {', '.join(names)}; that is no measurement.",)
        for case, names in first.items()
    ]
    alone = [case for case in cases if case not in first]
    if alone:
        evidence.append((f"On {', '.join(alone)} it gives no other figure of equal n that is no estimate.",))
    evidence += [(f"{name_of(quantity)} ranks nothing here. {leak}",) for quantity, leak in leaks.items()]
    return ruling(Verdict.NOT_MEASURED, [*evidence, *unlike(*judges)])


def _rivals(entries: Entries, own: Figure) -> list[Figure]:
    """The document's figures of other tokenizers that may be ranked with ``own``."""
    quantity, name = own.value.quantity, own.entry.record.tokenizer.name
    return [
        Figure(entry, value)
        for entry in entries
        if entry.origin == DOCUMENT
        and entry.case == own.entry.case
        and entry.record.tokenizer.name != name
        and not_independent(quantity, entry.record.tokenizer.name) is None
        and (value := entry.record.value(quantity)) is not None
        and (value.kind, value.n) == (own.value.kind, own.value.n)
    ]
