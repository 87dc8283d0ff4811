"""Rules about time, memory and what fits: our measurements on a GPU decide, with random weights as well as with others.

The document names no machine and no batch, so that its absolute times compare with nothing; ratios do.
"""

from __future__ import annotations

from typing import Literal

from vitok_lib.cost.flops import vitok_work
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import (
    Figure,
    amount,
    arithmetic,
    document,
    later,
    measures,
    on_gpu,
    one_run,
    quoted,
    says,
)
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, by_tolerance, ruling
from vitok_lib.report.page.content import Sentence
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import parse_variant

BENCHMARK = "div8k"
MODES = {"eager": None, "default": "default", "max-autotune": "max-autotune"}
_COMPILE_VARIES = ("compile", "preset", "graphs")


def machine_value(
    claim: Claim,
    entries: Entries,
    *,
    tokenizer: str,
    resolution: int,
    quantity: str,
    window: int | None = None,
    images: int | None = None,
) -> Ruling:
    """A time or a rate of an unnamed machine: ours can stand beside it, and decides nothing.

    ``images``: how many a rate is said to be too low for.
    """
    case = f"{BENCHMARK}-{resolution}"
    figure = quoted(claim, document(entries, tokenizer, case, quantity, window))
    evidence = [says(figure), *(later(entries, tokenizer, case, quantity) if window is None else [])]
    if images is not None:
        hours = arithmetic(amount(images / figure.amount / 3600, "h"), f"{images:,} / {figure.amount:g} img/s", figure)
        evidence.append((f"At that rate {images:,} images take ", hours, "."))
    evidence.append(("The document names neither its machine nor its batch, so that no other number is held to it.",))
    ours = _figures(entries, tokenizer, resolution, quantity, window)
    if not ours:
        return ruling(Verdict.NOT_MEASURED, evidence)
    return ruling(Verdict.NOT_COMPARABLE, [*evidence, measures(ours[0])])


def memory(claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, window: int | None = None) -> Ruling:
    """The peak of an evaluation of one image at a time, the metrics' own memory included."""
    figure = quoted(claim, document(entries, tokenizer, f"{BENCHMARK}-{resolution}", "peak_memory", window))
    ours = [
        found
        for found in _figures(entries, tokenizer, resolution, "evaluation_peak", window)
        if found.entry.record.settings.batch in (None, 1)
    ]
    if not ours:
        return ruling(Verdict.NOT_MEASURED, [says(figure)])
    alone = ours[0].entry.record.value("model_peak")
    evidence = [says(figure), measures(ours[0]), *([measures(Figure(ours[0].entry, alone))] if alone else [])]
    in_gb = ours[0].amount * 2**30 / 1e9
    shown = arithmetic(amount(in_gb, "GB"), f"{ours[0].amount:g} GiB · 2³⁰ / 10⁹", ours[0])
    evidence.append(("The document's GB may be GiB; in GB ours is ", shown, "."))
    nearest = min((ours[0].amount, in_gb), key=lambda ours_: abs(ours_ - claim.stated[0]))
    return ruling(by_tolerance(claim, nearest), evidence)


def window_speedup(
    claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, wide: int, narrow: int
) -> Ruling:
    """How many times faster the narrower window is."""
    told = [document(entries, tokenizer, f"{BENCHMARK}-{resolution}", "latency", window) for window in (wide, narrow)]
    evidence, stated = _as_stated(told, told[0], told[1])
    variant = parse_variant(find(tokenizer).architecture)
    works = [vitok_work(variant, resolution, resolution, window).total / 1e15 for window in (wide, narrow)]
    ideal = arithmetic(f"{works[0] / works[1]:.3f}×", f"{amount(works[0])} / {amount(works[1])} PFLOP of both sides")
    evidence.append(("At one rate of work the architecture alone would give ", ideal, "."))
    whole = vitok_work(variant, resolution, resolution).total / 1e15
    most = arithmetic(amount(whole, "PFLOP"), "both sides, each token attending to all")
    saving = arithmetic(f"{amount(whole / works[0])}×", f"{amount(whole)} / {amount(works[0])} PFLOP of both sides")
    evidence.append(("Full attention would take ", most, ", ", saving, f" the work of window {wide:,}."))
    if not claim.near(stated):
        return ruling(Verdict.REFUTED, evidence, contradiction=True)
    slow = _figures(entries, tokenizer, resolution, "latency", wide)
    fast = _figures(entries, tokenizer, resolution, "latency", narrow)
    return _decide_by_ratio(claim, evidence, slow, fast, ("window",))


def compile_speedup(
    claim: Claim,
    entries: Entries,
    *,
    tokenizer: str,
    resolution: int,
    over: Literal["eager", "default"],
    mode: Literal["default", "max-autotune"],
    window: int,
) -> Ruling:
    """How many times faster one compile mode is than another, or than none."""
    case = f"{BENCHMARK}-{resolution}"
    told = [document(entries, tokenizer, case, quantity, window) for quantity in ("latency", "latency_max_autotune")]
    evidence, stated = _as_stated(told, told[0], told[1])
    if not claim.near(stated):
        return ruling(Verdict.REFUTED, evidence, contradiction=True)
    ours = _figures(entries, tokenizer, resolution, "latency", window)
    slow, fast = (
        [figure for figure in ours if figure.entry.record.settings.compile == MODES[name]] for name in (over, mode)
    )
    return _decide_by_ratio(claim, evidence, slow, fast, _COMPILE_VARIES)


def time_ratio(
    claim: Claim,
    entries: Entries,
    *,
    tokenizer: str,
    over: str,
    resolution: int,
    window: int,
) -> Ruling:
    """How many times longer ``tokenizer`` takes than ``over``, each with its own time an image."""
    case = f"{BENCHMARK}-{resolution}"
    first = document(entries, tokenizer, case, "throughput", window)
    second = document(entries, over, case, "throughput")
    evidence, stated = _as_stated([first, second], second, first)
    works = [
        vitok_work(parse_variant(find(name).architecture), resolution, resolution, window).total / 1e15
        for name in (tokenizer, over)
    ]
    ideal = arithmetic(f"{amount(works[0] / works[1])}×", f"{amount(works[0])} / {amount(works[1])} PFLOP")
    evidence.append((f"With window {window:,} in both, its work is ", ideal, " that of the other."))
    if not claim.near(stated):
        return ruling(Verdict.REFUTED, evidence, contradiction=True)
    slow = _figures(entries, tokenizer, resolution, "latency", window)
    fast = _figures(entries, over, resolution, "latency", window)
    return _decide_by_ratio(claim, evidence, slow, fast, ())


def _figures(entries: Entries, tokenizer: str, resolution: int, quantity: str, window: int | None) -> list[Figure]:
    """Our figures with ``window``; where the document names none, with any, without one first."""
    found = [
        Figure(entry, value)
        for entry in on_gpu(entries, tokenizer, resolution)
        if (window is None or entry.record.settings.window == window)
        and entry.record.outcome.status == OutcomeStatus.OK
        and (value := entry.record.value(quantity)) is not None
    ]
    return sorted(found, key=lambda figure: figure.entry.record.settings.window not in (None, window))


def _as_stated(told: list[Figure], above: Figure, below: Figure) -> tuple[list[Sentence], float]:
    """What the document gives, and the ratio that follows from it."""
    ratio = above.amount / below.amount
    shown = arithmetic(f"{ratio:.3f}×", f"{above.amount:g} / {below.amount:g}", above, below)
    return [*(says(figure) for figure in told), ("From these follows ", shown, ".")], ratio


def _decide_by_ratio(
    claim: Claim, evidence: list[Sentence], slow: list[Figure], fast: list[Figure], varied: tuple[str, ...]
) -> Ruling:
    """By the first two of our times that one run gave, alike in everything but what the claim is about."""
    for first in slow:
        second = next((other for other in fast if one_run(first.entry, other.entry, varied)), None)
        if second is not None:
            ratio = first.amount / second.amount
            shown = arithmetic(f"{ratio:.3f}×", f"{first.amount:g} / {second.amount:g} ms", first, second)
            evidence += [measures(first), measures(second), ("The ratio of the two is ", shown, ".")]
            return ruling(by_tolerance(claim, ratio), evidence)
    return ruling(Verdict.NOT_MEASURED, evidence)
