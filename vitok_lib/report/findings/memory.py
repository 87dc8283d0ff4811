"""Findings on memory: growth with the tokens, chunks, tiles, predictions, and the OOM that sources report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitok_lib.records.config import tile_of
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.data import chunking, groups
from vitok_lib.report.data.formatting import held_number, outcome
from vitok_lib.report.data.groups import CAPACITY, MEMORY, SPEED, TILING, lead
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import derived, growth, speed_ratio, times
from vitok_lib.report.findings.speed import remark_on, runs
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.labels import digits, signed
from vitok_lib.report.page.templates import sentences

say = sentences("memory")

KERNEL = ("dtype", "window", "attention", "chunk", "memory_limit_gib")
PEAKS = ("model_peak", "peak_memory")
"""The peak of a model alone, as memory and speed records hold it."""


def published_oom(entries: Sequence[Entry]) -> list[Sentence]:
    """What was measured of each tokenizer and size that a source reports as OOM, on which machine; last, what not."""
    reported: dict[tuple[str, str, int], Entry] = {}
    for entry in entries:
        if entry.published and entry.record.outcome.status == OutcomeStatus.OOM:
            key = (entry.origin, entry.record.tokenizer.name, entry.record.resolution)
            reported.setdefault(key, entry)
    found: list[Sentence] = []
    apart: dict[str, dict[str, list[tuple[int, Number]]]] = {}
    for (origin, name, resolution), entry in reported.items():
        of_it = {"tokenizer": name, "resolution": str(resolution)}
        measured = [
            (machine, [(_settings(run), result) for run in held if (result := _result(run))])
            for machine, held in groups.by_machine(entries, [MEMORY, SPEED], of_it).items()
        ]
        machines = [(machine, results) for machine, results in measured if results]
        about = {"origin": origin, "tokenizer": name, "resolution": resolution}
        if machines:
            found.append(say("published_oom", **about, outcome=outcome(entry), machines=machines))
        else:
            apart.setdefault(origin, {}).setdefault(name, []).append((resolution, outcome(entry)))
    return [*found, *(say("published_oom_alone", origin=origin, cases=cases) for origin, cases in apart.items())]


def _settings(entry: Entry) -> str:
    settings = entry.record.settings
    names = [f"batch {settings.batch or 1}", "tiled" if settings.tiling else "untiled"]
    return ", ".join([*names, *(text for name in KERNEL if (text := groups.phrase(entry, name)))])


def _result(entry: Entry) -> Number | None:
    """The peak of the model, or how the run ended; None where it ended well and holds no peak."""
    if not groups.ended_well(entry):
        return outcome(entry)
    return next((shown for name in PEAKS if (shown := held_number(entry, name, unit=True))), None)


def memory_growth(entries: Sequence[Entry]) -> list[Sentence]:
    """How a ViTok's activations grow between its two largest sizes; linear in the tokens is an exponent of one.

    In chunks and whole are two lines where there was more than one chunk, and else one, for they are one execution.
    """
    found: dict[str, Sentence] = {}
    for line in runs(entries, [MEMORY], "resolution"):
        peaks = [entry for entry in line if groups.held(entry, "model_peak")]
        sized = sorted((count, entry.name, entry) for entry in peaks if (count := groups.tokens(entry)))[-2:]
        exponent = growth(sized[0][-1], sized[1][-1], "model_peak", apart_from="weights") if len(sized) == 2 else None
        if exponent is None:
            continue
        (count, _, smaller), (more, _, entry) = sized
        more_settings = [chunking.chunk_text(entry)] if chunking.fills_a_chunk(entry) else []
        about = lead(entry, "resolution", "chunk", more=more_settings)
        commits = {held.record.provenance.commit for held in (smaller, entry) if held.record.provenance}
        shown = derived(digits("exponent", exponent), "exponent of the model's peak without its weights", entry)
        tokens = {"tokens": f"{count:,}", "more_tokens": f"{more:,}"}
        found.setdefault(about, say("growth", lead=about, exponent=shown, two_commits=len(commits) > 1, **tokens))
    return list(found.values())


def chunking_saves(entries: Sequence[Entry]) -> list[Sentence]:
    """The peak with tokens in chunks over that with all tokens at once, of images of more than a chunk."""

    def whole(entry: Entry) -> bool:
        return chunking.chunk_of(entry) == 0

    compared = [entry for entry in entries if whole(entry) or chunking.fills_a_chunk(entry)]
    return _split_against_whole("chunking", compared, "chunk", whole)


def tiling_saves(entries: Sequence[Entry]) -> list[Sentence]:
    """The peak of an image in tiles over that of the image as a whole."""
    return _split_against_whole("tiling_memory", entries, "tiling", lambda entry: not entry.record.settings.tiling)


def strips_save(entries: Sequence[Entry]) -> list[Sentence]:
    """The peak of an image in strips over that of the image as a whole."""
    return _split_against_whole("strips_memory", entries, "strips", lambda entry: not entry.record.settings.strips)


def strips_take(entries: Sequence[Entry]) -> list[Sentence]:
    """The time of an image in strips over that of the image as a whole, in the same run."""
    found: list[Sentence] = []
    for run in runs(entries, [SPEED], ("strips", "preset")):
        whole = next((entry for entry in run if not entry.record.settings.strips), None)
        for entry in run:
            if whole and entry.record.settings.strips and (ratio := speed_ratio(whole, entry)):
                about = {"lead": lead(entry, "strips", "preset"), "ratio": ratio.number, "remark": remark_on(ratio)}
                found.append(say("strips_time", **about))
    return found


def _split_against_whole(
    sentence: str, entries: Sequence[Entry], apart_from: str, is_whole: Callable[[Entry], bool]
) -> list[Sentence]:
    """The lowest peak of what was split next to that of the whole, or to how the whole failed."""
    found: list[Sentence] = []
    for run in runs(entries, [MEMORY], apart_from):
        peaks = [(value.value, entry) for entry in run if (value := groups.held(entry, "model_peak"))]
        peaks.sort(key=lambda peak: peak[0])
        whole = [peak for peak in peaks if is_whole(peak[1])]
        split = [peak for peak in peaks if not is_whole(peak[1])]
        failed = [entry for entry in run if is_whole(entry) and not groups.ended_well(entry)]
        if not split or not (whole or failed):
            continue
        peak, entry = split[0]
        shown, ratio = outcome(failed[0]) if not whole else None, None
        if whole:
            most, base = whole[0]
            shown = held_number(base, "model_peak", unit=True)
            ratio = times(peak / most, f"peak of {entry.name} over that of {base.name}", entry)
        of_split = held_number(entry, "model_peak", unit=True)
        found.append(say(sentence, lead=lead(entry, apart_from), split=of_split, whole=shown, ratio=ratio))
    return found


def tiling_changes(entries: Sequence[Entry]) -> list[Sentence]:
    """What tiling does to a reconstruction: the change of PSNR, and the error at seams over that elsewhere."""
    found: list[Sentence] = []
    for held in groups.by_machine(entries, [TILING]).values():
        for entry in held:
            whole, tiled = groups.held(entry, "untiled_psnr"), groups.held(entry, "tiled_psnr")
            if whole and tiled and entry.record.settings.tile is None:
                text = f"{signed('tiled_psnr', tiled.value - whole.value)} {tiled.unit}"
                change = derived(text, f"tiled minus untiled PSNR of {entry.name}", entry)
                found.append(say("tiling", lead=lead(entry), change=change, seam=held_number(entry, "seam_error")))
    return found


def tiles_change(entries: Sequence[Entry]) -> list[Sentence]:
    """What tiles with overlap do to PSNR: the least and the most of the tiles that a tokenizer was measured with."""
    found: list[Sentence] = []
    for run in runs([entry for entry in entries if entry.record.settings.tile is not None], [TILING], "tile"):
        changes = [(value.value, entry) for entry in run if (value := groups.held(entry, "tiling_change"))]
        if changes:
            changes.sort(key=lambda change: change[0])
            low, high = (held_number(entry, "tiling_change", unit=True) for _, entry in (changes[0], changes[-1]))
            found.append(say("tiles", lead=lead(run[0], "tile"), tiles=len(changes), low=low, high=high))
    return found


def tiles_cost(entries: Sequence[Entry]) -> list[Sentence]:
    """What tiles of the least and of the greatest overlap take in time and peak memory, over the whole image."""
    found: list[Sentence] = []
    tiled = [entry for entry in entries if entry.record.settings.tile is not None]
    for run in runs(tiled, [TILING], "tile"):
        timed = [entry for entry in run if groups.held(entry, "parts_slowdown")]
        timed.sort(key=lambda entry: tile_of(str(entry.record.settings.tile))[::-1])
        ends = [
            (entry.record.settings.tile, held_number(entry, "parts_slowdown"), _share(entry))
            for entry in [*timed[:1], *timed[1:][-1:]]
        ]
        if ends:
            found.append(say("tiles_cost", lead=lead(run[0], "tile"), ends=ends))
    return found


def _share(entry: Entry) -> Number | None:
    """The peak in parts over that of the whole image; None where one of them is noise."""
    whole, parts = groups.held(entry, "whole_peak"), groups.held(entry, "parts_peak")
    if whole is None or parts is None or groups.below_noise(whole) or groups.below_noise(parts):
        return None
    return times(parts.value / whole.value, f"parts_peak over whole_peak of {entry.name}", entry)


def predictions_hold(entries: Sequence[Entry]) -> list[Sentence]:
    """How far the predicted largest square is from the measured one, at most, on each machine."""
    found: list[Sentence] = []
    for machine, held in groups.by_machine(entries, [CAPACITY]).items():
        off: list[tuple[float, Entry]] = []
        for entry in held:
            value, predicted = groups.held(entry, "largest_resolution"), groups.held(entry, "predicted_largest")
            if value and predicted and 0 < value.value < entry.record.resolution:
                off.append((predicted.value / value.value - 1, entry))
        if off:
            most, entry = max(off, key=lambda pair: abs(pair[0]))
            shown = derived(f"{signed('share', 100 * most)} %", f"predicted over measured, {entry.name}", entry)
            name = entry.record.tokenizer.name
            found.append(say("prediction", machine=machine, count=len(off), off=shown, tokenizer=name))
    return found


FINDINGS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {
    "oom-published": published_oom,
    "memory-growth": memory_growth,
    "chunking": chunking_saves,
    "tiling-memory": tiling_saves,
    "strips-memory": strips_save,
    "strips-time": strips_take,
    "tiling": tiling_changes,
    "tiles": tiles_change,
    "tiles-cost": tiles_cost,
    "capacity": predictions_hold,
}
"""The findings by the name that a page uses."""
