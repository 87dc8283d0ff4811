"""The sentences on speed, computed from records: each of one machine and one run, none where nothing was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitok_lib.records.schema import Value
from vitok_lib.report.data import groups
from vitok_lib.report.data.groups import COMPILE, PRECISION, SPEED, described
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import (
    REFERENCE,
    beyond_one,
    derived,
    gain_over,
    overlap,
    predicted_speedup,
    speedup,
    times,
)
from vitok_lib.report.page.content import Number, Part, Sentence
from vitok_lib.report.page.formatting import number


def fastest_paths(entries: Sequence[Entry]) -> list[Sentence]:
    """The path that gains most over the reference in each run, with its error beside it, where rounds tell it apart."""
    sentences: list[Sentence] = []
    for run in runs(entries, [SPEED], "preset"):
        timed = [entry for entry in run if groups.held(entry, "latency")]
        base = next((entry for entry in timed if entry.record.settings.preset == REFERENCE), None)
        if base is None or len(timed) < 2:
            continue
        ranked = sorted((entry for entry in timed if entry is not base), key=lambda entry: -gain_over(entry, base))
        sentences.append((*where(base, "preset"), f": of {len(timed)} paths ", *_fastest(ranked, base)))
    return sentences


def _fastest(ranked: Sequence[Entry], base: Entry) -> list[Part]:
    first, *others = ranked
    name, gain = str(first.record.settings.preset), speedup(first, base)
    assert gain is not None
    if gain_over(first, base) <= 1:
        return [f"none is faster than {REFERENCE}."]
    parts: list[Part] = [f"{name} gains most, ", gain, f" as fast as {REFERENCE}", *_errors(first, base)]
    if gain.interval is None:
        return [*parts, "; the ratio has no interval."]
    if not beyond_one(first, base):
        return [f"none is told apart from {REFERENCE}: ", *parts, "."]
    near = next((entry for entry in others if overlap(first, entry)), None)
    return [*parts, f"; its latency is not told apart from that of {near.record.settings.preset}." if near else "."]


def _errors(entry: Entry, base: Entry) -> list[Part]:
    error, of_base = groups.held(entry, "error"), groups.held(base, "error")
    if error is None:
        return []
    parts: list[Part] = [", with a relative error of ", number(entry, error)]
    return [*parts, " against ", number(base, of_base), f" of {REFERENCE}"] if of_base else parts


def patches_measured(entries: Sequence[Entry], coarse: str, fine: str) -> list[Sentence]:
    """How much longer the finer patch takes, beside how many more operations it has, at one size and path."""
    sentences: list[Sentence] = []
    for run in runs(entries, [SPEED], "tokenizer"):
        by_name = {entry.record.tokenizer.name: entry for entry in run if groups.held(entry, "latency")}
        if coarse not in by_name or fine not in by_name:
            continue
        gain, counted = speedup(by_name[coarse], by_name[fine]), predicted_speedup(by_name[coarse], by_name[fine])
        assert gain is not None
        parts: list[Part] = [*where(by_name[coarse]), " is ", gain, f" as fast as {fine}"]
        parts += ["; counting operations predicts ", counted] if counted else []
        sentences.append((*parts, "."))
    return sentences


def compiling_pays(entries: Sequence[Entry]) -> list[Sentence]:
    """After how many images a compile mode has earned back the time that it took."""
    sentences: list[Sentence] = []
    for run in runs(entries, [COMPILE], "compile"):
        timed = [entry for entry in run if groups.held(entry, "latency")]
        eager = next((entry for entry in timed if entry.record.settings.compile is None), None)
        for entry in timed:
            spent = groups.held(entry, "compile_time")
            if eager is None or entry is eager or spent is None:
                continue
            saved = eager.value("latency").value - entry.value("latency").value
            parts: list[Part] = [*where(entry), f": {entry.record.settings.compile} took "]
            parts += [number(entry, spent, unit=True), " to compile"]
            if saved <= 0 or overlap(entry, eager):
                sentences.append((*parts, " and is not faster than eager."))
                continue
            count = derived(f"{1000 * spent.value / saved:,.0f}", "compile time over the time saved an image", entry)
            sentences.append((*parts, ", which ", count, " images earn back."))
    return sentences


def last_tokens(entries: Sequence[Entry]) -> list[Sentence]:
    """Whether the last row of tokens is worse than the rest, as where an index overflows: the worst of each machine.

    Both of the small image that is compared with exact arithmetic, and of the large one with the first contender.
    """
    sentences: list[Sentence] = []
    for machine, found in groups.by_machine(entries, [PRECISION, SPEED]).items():
        ratios: list[tuple[float, Entry, Value, Value]] = []
        for entry in found:
            for error in ("error", "error_reference"):
                whole, last = groups.held(entry, error), groups.held(entry, f"{error}_last")
                if whole and last and whole.value > 0:
                    ratios.append((last.value / whole.value, entry, whole, last))
        if not ratios:
            continue
        _, entry, whole, last = max(ratios, key=lambda found: found[0])
        before = (
            f"On {machine}, over {len(ratios)} comparisons, the last row of tokens is worst in {described(entry)}: "
        )
        after = (number(entry, last), " there against ", number(entry, whole), " over the whole.")
        sentences.append((before, "a relative error of ", *after))
    return sentences


def end_to_end(entries: Sequence[Entry]) -> list[Sentence]:
    """The time from file to metric beside that of encode and decode of the same images, and what it waits for."""
    sentences: list[Sentence] = []
    for found in groups.by_machine(entries, [SPEED]).values():
        for entry in found:
            whole, alone = groups.held(entry, "end_to_end_latency"), groups.held(entry, "device_latency")
            if not whole or not alone:
                continue
            ratio = times(whole.value / alone.value, "end-to-end latency over encode and decode of its images", entry)
            parts: list[Part] = [*where(entry), ": end to end an image takes ", number(entry, whole, unit=True), ", "]
            parts += [ratio, " what encode and decode of the same images take"]
            detail = entry.record.outcome.detail
            sentences.append((*parts, f"; {detail}." if detail else "."))
    return sentences


def sizes_of_one_run(entries: Sequence[Entry]) -> list[Sentence]:
    """How much longer another size takes than that of its run, beside how many more operations it has."""
    sentences: list[Sentence] = []
    for found in groups.by_machine(entries, [SPEED]).values():
        for entry in found:
            ratio = groups.held(entry, "relative_time")
            base = _set_against(entry, ratio, found) if ratio else None
            if ratio is None or base is None:
                continue
            shown, counted = number(entry, ratio), predicted_speedup(base, entry)
            parts: list[Part] = [*where(entry), " takes "]
            parts += [Number(f"{shown.text}×", shown.kind, shown.tip, shown.anchor, shown.interval)]
            parts += [f" the time of {groups.size_text(base)} in the same run"]
            parts += ["; its operations are ", counted, " as many"] if counted else []
            sentences.append((*parts, "."))
    return sentences


def _set_against(entry: Entry, ratio: Value, found: Sequence[Entry]) -> Entry | None:
    """The entry of the same run that a ratio was taken to."""
    for other in found:
        assert entry.record.provenance is not None
        assert other.record.provenance is not None
        height, width = groups.size(other)
        to = f"to:{other.stem} at {height}x{width} px"
        if entry.record.provenance.started == other.record.provenance.started and to in (ratio.signature or ""):
            return other
    return None


def runs(entries: Sequence[Entry], benchmarks: Sequence[str], apart_from: str) -> list[list[Entry]]:
    """What may be compared of ``benchmarks``: entries of one machine that differ in ``apart_from`` alone."""
    return [
        run
        for found in groups.by_machine(entries, benchmarks).values()
        for run in groups.runs_of(found, apart_from=apart_from)
    ]


def where(entry: Entry, *left_out: str) -> list[Part]:
    """How a sentence begins: the machine, the tokenizer, and its settings but for those ``left_out``."""
    return [f"On {groups.machine_of(entry)}, {described(entry, left_out)}"]


def unless_told_apart(entry: Entry, other: Entry) -> str:
    """How a sentence on two latencies ends."""
    if any(held.value("latency").interval is None for held in (entry, other)):
        return "; too few repetitions for an interval."
    return "; the intervals of the two latencies overlap." if overlap(entry, other) else "."


CLAIMS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {
    "paths": fastest_paths,
    "compile": compiling_pays,
    "last-tokens": last_tokens,
    "end-to-end": end_to_end,
    "sizes": sizes_of_one_run,
}
"""The sentences by the name that a page uses."""
