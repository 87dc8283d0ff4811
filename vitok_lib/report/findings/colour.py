"""Findings on colour: mean shifts, what repeated passes add up to, and error that repeats with the patches."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.metrics.quantities import PASSES
from vitok_lib.metrics.statistics import METHOD, leaves_out, mean_interval
from vitok_lib.records.schema import Interval, Value
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.groups import held
from vitok_lib.report.data.record_view import Entry, of_case
from vitok_lib.report.page.content import Sentence, unclear
from vitok_lib.report.page.labels import NEUTRAL, SHIFTS, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("colour")


def shifts(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """How many of the mean shifts of ``case`` differ significantly from 0, all of them tested at once, and which."""
    return [_tested(entries, case, SHIFTS, "shifts", "no mean shift")]


def grids(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """The tokenizers of ``case`` whose error at the patch grid differs significantly from that beside it."""
    return [_tested(entries, case, ("grid-error",), "grids", "no tokenizer with a grid")]


def _tested(entries: Sequence[Entry], case: str, quantities: Sequence[str], sentence: str, nothing: str) -> Sentence:
    """Which means differ from the value at which nothing does; all intervals hold at once (Bonferroni)."""
    found = [
        (entry, value)
        for entry in of_case(entries, case)
        for value in (held(entry, quantity) for quantity in quantities)
        if entry.measured and value is not None and value.interval is not None
    ]
    if not found:
        return say("untested", case=case, what=nothing)
    wide = [(entry, _at_once(entry, value, len(found))) for entry, value in found]
    clear = [(entry, value) for entry, value in wide if _leaves_out(value, NEUTRAL[value.quantity])]
    clear.sort(key=lambda one: -abs(one[1].value - NEUTRAL[one[1].quantity]))
    return say(
        sentence,
        case=case,
        tested=len(found),
        clear=[(f"{_named(entry, value)} (", number(entry, value), ")") for entry, value in clear],
        counts=[f"{n:,}" for n in sorted({value.n for _, value in found if value.n is not None})],
    )


def _at_once(entry: Entry, value: Value, comparisons: int) -> Value:
    """``value`` with the interval that holds together with those of all ``comparisons``."""
    ends = mean_interval(entry.per_image[value.quantity].dropna(), comparisons=comparisons)
    assert ends is not None  # it has an interval of its own
    method = f"{METHOD} over images, one of {comparisons} that hold together (Bonferroni)"
    return value.model_copy(update={"interval": Interval(low=ends[0], high=ends[1], method=method)})


def _named(entry: Entry, value: Value) -> str:
    return f"{name_of(value.quantity)} of {entry.title}" if value.quantity in SHIFTS else entry.title


def _leaves_out(value: Value, point: float) -> bool:
    return value.interval is not None and leaves_out(point, value.interval.low, value.interval.high)


def drifts(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """What each tokenizer of ``case`` loses from the first pass to the last, and how its lightness moves."""
    found = []
    for entry in of_case(entries, case):
        loss = held(entry, "psnr_loss")
        first, last = (held(entry, f"delta-l_{number}") for number in (PASSES[0], PASSES[-1]))
        if loss is None or first is None or last is None:
            continue
        found.append(
            say(
                "drift",
                tokenizer=entry.title,
                passes=PASSES[-1],
                n=loss.n,
                case=case,
                loss=number(entry, loss, unit=True),
                remark=unclear(loss.interval, _leaves_out(loss, 0)),
                first=number(entry, first),
                last=number(entry, last),
            )
        )
    return found
