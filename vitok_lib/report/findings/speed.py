"""Findings on speed, computed from records: each of one machine and one run, none where nothing was measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from vitok_lib.cost.chain import STAGES, Part, bottleneck, parts
from vitok_lib.records.schema import Value
from vitok_lib.report.data import groups
from vitok_lib.report.data.formatting import held_number, number
from vitok_lib.report.data.groups import COMPILE, PRECISION, SPEED, described, lead
from vitok_lib.report.data.limits import Limits, limits
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import (
    REFERENCE,
    Ratio,
    derived,
    predicted_speedup,
    speed_ratio,
    times,
)
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import digits, three_digits
from vitok_lib.report.page.templates import sentences

say = sentences("speed")

_THREADS_BEFORE = 2
"""That prepared images where a record does not say so: all that were written before it was said had two."""


def fastest_presets(entries: Sequence[Entry]) -> list[Sentence]:
    """The preset with the largest speed-up over the baseline in each run, its error, and whether it is significant."""
    found: list[Sentence] = []
    for run in runs(entries, [SPEED], "preset"):
        timed = [entry for entry in run if groups.held(entry, "latency")]
        base = next((entry for entry in timed if entry.record.settings.preset == REFERENCE), None)
        if base is None or len(timed) < 2:
            continue
        gains = [ratio for entry in timed if entry is not base and (ratio := speed_ratio(entry, base))]
        gain, *others = sorted(gains, key=lambda ratio: -ratio.value)
        first = gain.entry
        near = next((other.entry.record.settings.preset for other in others if not differs(first, other.entry)), None)
        found.append(
            say(
                "fastest",
                lead=lead(base, "preset"),
                others=len(timed) - 1,
                preset=first.record.settings.preset,
                gain=gain.number,
                verdict=_verdict(gain),
                error=held_number(first, "error"),
                baseline_error=held_number(base, "error"),
                near=near,
            )
        )
    return found


def _verdict(gain: Ratio) -> str:
    if gain.interval is not None and not gain.significant:
        return "not significant"
    if gain.value <= 1:
        return "slower"
    return "significant" if gain.interval else "no interval"


def patches_measured(entries: Sequence[Entry], coarse: str, fine: str) -> list[Sentence]:
    """The speed-up of the coarser patch, next to that which its FLOPs predict, at one size and preset."""
    found: list[Sentence] = []
    for run in runs(entries, [SPEED], "tokenizer"):
        by_name = {entry.record.tokenizer.name: entry for entry in run if groups.held(entry, "latency")}
        if coarse in by_name and fine in by_name:
            pair = by_name[coarse], by_name[fine]
            gain = speed_ratio(*pair)
            values = {"gain": gain.number if gain else None, "predicted": predicted_speedup(*pair)}
            found.append(say("patches", lead=lead(by_name[coarse]), fine=fine, **values))
    return found


def compiling_pays(entries: Sequence[Entry]) -> list[Sentence]:
    """After how many images a compile mode has earned back the time that it took."""
    found: list[Sentence] = []
    for run in runs(entries, [COMPILE], "compile"):
        timed = [entry for entry in run if groups.held(entry, "latency")]
        eager = next((entry for entry in timed if entry.record.settings.compile is None), None)
        for entry in timed:
            spent = groups.held(entry, "compile_time")
            gain = speed_ratio(entry, eager) if eager and entry is not eager else None
            if eager is None or gain is None or spent is None:
                continue
            verdict, images = _verdict(gain), None
            if verdict == "significant":
                saved = eager.value("latency").value * (1 - 1 / gain.value)
                what = "compile time over the time saved an image, by the ratio of the rounds"
                images = derived(f"{1000 * spent.value / saved:,.0f}", what, entry)
            mode, shown = entry.record.settings.compile, number(entry, spent, unit=True)
            values = {"gain": gain.number, "verdict": verdict, "images": images}
            found.append(say("compiling", lead=lead(entry), mode=mode, spent=shown, **values))
    return found


def last_tokens(entries: Sequence[Entry]) -> list[Sentence]:
    """The comparison of each machine whose last row of tokens is worst against the whole, as where an index overflows.

    Errors are those of the small image against exact arithmetic, and of the large one against the baseline.
    """
    found: list[Sentence] = []
    for machine, held in groups.by_machine(entries, [PRECISION, SPEED]).items():
        ratios: list[tuple[float, Entry, Value, Value]] = []
        for entry in held:
            for error in ("error", "error_reference"):
                whole, last = groups.held(entry, error), groups.held(entry, f"{error}_last")
                if whole and last and whole.value > 0:
                    ratios.append((last.value / whole.value, entry, whole, last))
        if ratios:
            _, entry, whole, last = max(ratios, key=lambda ratio: ratio[0])
            values = {"last": number(entry, last), "whole": number(entry, whole), "count": len(ratios)}
            found.append(say("last_tokens", machine=machine, worst=described(entry), **values))
    return found


def end_to_end(entries: Sequence[Entry]) -> list[Sentence]:
    """The time from file to metrics next to that of encode and decode of the same images, and which part bounds it."""
    found: list[Sentence] = []
    for entry in _of_speed(entries):
        whole, device, taken = (
            groups.held(entry, "end_to_end_latency"),
            groups.held(entry, "device_latency"),
            _parts(entry),
        )
        alone = device.value if device else taken.get(Part.MODEL)
        if whole and alone:
            ratio = times(whole.value / alone, "end-to-end latency over encode and decode of its images", entry)
            bound = bottleneck(taken, whole.value) if taken else None
            listed = [
                (f"{part} ", derived(f"{three_digits(time)} ms", "its stages, preparation over its threads", entry))
                for part, time in taken.items()
            ]
            values = {"whole": number(entry, whole, unit=True), "ratio": ratio, "bound": bound, "parts": listed}
            found.append(say("end_to_end", lead=lead(entry), **values))
    return found


def _parts(entry: Entry) -> dict[Part, float]:
    """Milliseconds an image of each part of the way from file to metrics; none where a stage is missing."""
    stages = {stage: groups.held(entry, f"stage_{stage}") for stage in STAGES}
    threads = groups.held(entry, "preparing_threads")
    held = {stage: value.value for stage, value in stages.items() if value}
    return parts(held, threads.value if threads else _THREADS_BEFORE) if len(held) == len(STAGES) else {}


def sizes_of_one_run(entries: Sequence[Entry]) -> list[Sentence]:
    """How much longer another size takes than that of its run, next to the ratio of their FLOPs."""
    found: list[Sentence] = []
    held = _of_speed(entries)
    for entry in held:
        ratio = groups.held(entry, "relative_time")
        base = _compared_with(entry, ratio, held) if ratio else None
        if ratio and base:
            shown = number(entry, ratio)
            shown = Number(f"{shown.text}×", shown.kind, shown.tip, shown.anchor, shown.interval)
            values = {"baseline": groups.size_text(base), "predicted": predicted_speedup(base, entry)}
            found.append(say("sizes", lead=lead(entry), ratio=shown, **values))
    return found


def _of_speed(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for held in groups.by_machine(entries, [SPEED]).values() for entry in held]


def _compared_with(entry: Entry, ratio: Value, held: Sequence[Entry]) -> Entry | None:
    """The entry of the same run that a ratio was taken to."""
    for other in held:
        assert entry.record.provenance is not None
        assert other.record.provenance is not None
        height, width = groups.size(other)
        to = f"to:{other.stem} at {height}x{width} px"
        same_run = entry.record.provenance.started == other.record.provenance.started
        if same_run and groups.machine_of(entry) == groups.machine_of(other) and to in (ratio.signature or ""):
            return other
    return None


def bounds(entries: Sequence[Entry]) -> list[Sentence]:
    """What bounds the smallest and the largest size of each tokenizer on each machine, in its fastest preset there."""
    found: list[Sentence] = []
    for held in limits(entries).values():
        ends: dict[str, None] = {}
        for name in dict.fromkeys(limit.entry.record.tokenizer.name for limit in held):
            own = [limit for limit in held if limit.entry.record.tokenizer.name == name]
            for count in (min(map(_tokens, own)), max(map(_tokens, own))):
                at_end = [limit for limit in own if _tokens(limit) == count]
                ends[min(at_end, key=lambda limit: limit.taken_ms).entry.name] = None
        for limit in (limit for limit in held if limit.entry.name in ends):
            share = derived(f"{digits('share', 100 * limit.share)} %", "roofline time over measured time", limit.entry)
            found.append(say("bound", lead=lead(limit.entry), by=limit.by, share=share))
    return found


def _tokens(limit: Limits) -> int:
    return groups.tokens(limit.entry) or 0


def runs(entries: Sequence[Entry], benchmarks: Sequence[str], apart_from: str | Collection[str]) -> list[list[Entry]]:
    """What may be compared of ``benchmarks``: entries of one machine that differ in ``apart_from`` alone."""
    return [
        run
        for held in groups.by_machine(entries, benchmarks).values()
        for run in groups.runs_of(held, apart_from=apart_from)
    ]


def differs(entry: Entry, other: Entry) -> bool:
    """Whether the rounds of a run show that one of the two is faster."""
    ratio = speed_ratio(entry, other)
    return ratio is not None and ratio.significant


def remark_on(ratio: Ratio) -> str:
    """What a sentence on two latencies has to say of their ratio: ``missing``, ``not significant`` or nothing."""
    if ratio.interval is None:
        return "missing"
    return "" if ratio.significant else "not significant"


FINDINGS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {
    "presets": fastest_presets,
    "compile": compiling_pays,
    "last-tokens": last_tokens,
    "end-to-end": end_to_end,
    "sizes": sizes_of_one_run,
    "bounds": bounds,
}
"""The findings by the name that a page uses."""
