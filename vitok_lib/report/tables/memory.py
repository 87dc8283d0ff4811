"""Memory: what fits on which card, and the sentences on growth, tiling, chunking and published claims of OOM."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.data import chunking, groups
from vitok_lib.report.data.groups import CAPACITY, MEMORY, SPEED, TILING, Machine
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import derived, growth, times
from vitok_lib.report.findings.speed import runs, where
from vitok_lib.report.page.content import NOT_MEASURED, Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.formatting import joined, number, outcome
from vitok_lib.report.page.labels import digits, signed
from vitok_lib.report.tables.speed import lead, same_for_all, setting_cell

LIMIT = "memory_limit_gib"
KERNEL = ("dtype", "window", "attention", "chunk", LIMIT)
PEAKS = ("model_peak", "peak_memory")
"""The peak of a model alone, as memory and speed records hold it."""


def capacity_tables(entries: Sequence[Entry]) -> list[tuple[Machine, Table]]:
    """The largest square within each card's memory, measured and predicted: a row a tokenizer with its settings."""
    found = []
    for machine, held in groups.by_machine(entries, [CAPACITY]).items():
        settings = groups.varying(held, left_out=[LIMIT])
        limits = sorted({entry.record.settings.memory_limit_gib for entry in held}, key=lambda cap: cap or float("inf"))
        rows: dict[tuple[str, ...], dict[float | None, Entry]] = {}
        for entry in held:
            key = tuple(groups.asked(entry, name) for name in settings)
            rows.setdefault((entry.record.tokenizer.name, *key), {})[entry.record.settings.memory_limit_gib] = entry
        printed: list[list[Sentence]] = []
        for by_limit in rows.values():
            first = next(iter(by_limit.values()))
            cells = [cell for cap in limits for cell in _largest(by_limit.get(cap))]
            printed.append([lead(first, [])[0], *(setting_cell(first, name) for name in settings), *cells])
        top = [Head("", span=1 + len(settings))]
        top += [Head("All of the card" if cap is None else f"{cap:g} GiB", span=2) for cap in limits]
        below = [Head("Tokenizer"), *(Head(groups.SETTINGS[name]) for name in settings)]
        below += [Head(text) for _ in limits for text in ("px", "predicted")]
        note = (
            "The side of the largest square image of which an evaluation, encode and decode with PSNR and SSIM, stayed "
            "within a cap on the memory in use."
        )
        notes: list[Sentence] = [(note,), *same_for_all(held, [*settings, LIMIT])]
        found.append((machine, Table([top, below], printed, notes=notes)))
    return found


def _largest(entry: Entry | None) -> tuple[Sentence, Sentence]:
    if entry is None:
        return (Note(NOT_MEASURED),), (Note("–"),)
    value, predicted = entry.record.value("largest_resolution"), entry.record.value("predicted_largest")
    parts: list[Part] = [number(entry, value)] if value else []
    if value and value.value >= entry.record.resolution:
        parts.append(Note("or more"))
    if not groups.ended_well(entry):
        parts.append(outcome(entry))
    shown: Sentence = (number(entry, predicted),) if predicted else (Note("–"),)
    return tuple(joined(parts or [Note(NOT_MEASURED)])), shown


def published_oom(entries: Sequence[Entry]) -> list[Sentence]:
    """Where a source says that memory ran out: what was measured of that tokenizer at that size, on which machine."""
    told: dict[tuple[str, str, int], Entry] = {}
    for entry in entries:
        if not entry.measured and entry.record.outcome.status == OutcomeStatus.OOM:
            key = (entry.origin, entry.record.tokenizer.name, entry.record.resolution)
            told.setdefault(key, entry)
    sentences: list[Sentence] = []
    for (origin, name, resolution), entry in told.items():
        before: list[Part] = [f"{origin} says of {name} at {resolution} px: ", outcome(entry), "."]
        of_it = {"tokenizer": name, "resolution": str(resolution)}
        measured = {
            machine: [found for found in held if not groups.ended_well(found) or _peak(found)]
            for machine, held in groups.by_machine(entries, [MEMORY, SPEED], of_it).items()
        }
        parts = [part for machine, held in measured.items() if held for part in _what_happened(machine, held)]
        sentences.append((*before, *parts) if parts else (*before, " Here: ", Note(NOT_MEASURED), "."))
    return sentences


def _what_happened(machine: Machine, held: Sequence[Entry]) -> list[Part]:
    parts: list[Part] = [f" On {machine}: "]
    for index, entry in enumerate(held):
        settings = entry.record.settings
        words = [f"batch {settings.batch or 1}", "tiled" if settings.tiling else "untiled"]
        words += [groups.WORDS[name].format(text) for name in KERNEL if (text := groups.asked(entry, name))]
        parts += ["; " if index else "", ", ".join(words), " ", _peak(entry) or outcome(entry)]
    return [*parts, "."]


def _peak(entry: Entry) -> Number | None:
    value = next((value for name in PEAKS if (value := groups.held(entry, name))), None)
    return number(entry, value, unit=True) if value else None


def memory_growth(entries: Sequence[Entry]) -> list[Sentence]:
    """How a ViTok's activations grow between its two largest sizes; linear in the tokens is an exponent of one.

    In chunks and whole are two lines where there was more than a chunk, and else one, for they are one execution.
    """
    sentences: dict[Sentence, Sentence] = {}
    for line in runs(entries, [MEMORY], "resolution"):
        peaks = [entry for entry in line if groups.held(entry, "model_peak")]
        sized = sorted((count, entry.name, entry) for entry in peaks if (count := groups.tokens(entry)))[-2:]
        exponent = growth(sized[0][-1], sized[1][-1], "model_peak", apart_from="weights") if len(sized) == 2 else None
        if exponent is None:
            continue
        (count, _, smaller), (more, _, entry) = sized
        shown = derived(digits("exponent", exponent), "exponent of the model's peak without its weights", entry)
        about = [*where(entry, "resolution", "chunk")]
        about += [f", {chunking.chunk_words(entry)}"] if chunking.fills_a_chunk(entry) else []
        growing = f": from {count:,} to {more:,} tokens the memory of its activations grows with an exponent of "
        commits = {held.record.provenance.commit for held in (smaller, entry) if held.record.provenance}
        apart = "; the two sizes were measured at two commits." if len(commits) > 1 else "."
        sentences.setdefault(tuple(about), (*about, growing, shown, apart))
    return list(sentences.values())


def chunking_saves(entries: Sequence[Entry]) -> list[Sentence]:
    """The peak where tokens go through a block in chunks, over that where all go at a time, of more than a chunk."""

    def whole(entry: Entry) -> bool:
        return chunking.chunk_of(entry) == 0

    told = [entry for entry in entries if whole(entry) or chunking.fills_a_chunk(entry)]
    return _against(told, "chunk", whole, "with all tokens at a time", "in chunks")


def tiling_saves(entries: Sequence[Entry]) -> list[Sentence]:
    """The peak of an image in tiles over that of the image as a whole."""
    return _against(entries, "tiling", lambda entry: not entry.record.settings.tiling, "untiled", "tiled")


def _against(
    entries: Sequence[Entry], apart_from: str, is_whole: Callable[[Entry], bool], whole_words: str, words: str
) -> list[Sentence]:
    sentences: list[Sentence] = []
    for run in runs(entries, [MEMORY], apart_from):
        peaks = [(value.value, entry) for entry in run if (value := groups.held(entry, "model_peak"))]
        peaks.sort(key=lambda found: found[0])
        whole = [found for found in peaks if is_whole(found[1])]
        split = [found for found in peaks if not is_whole(found[1])]
        failed = [entry for entry in run if is_whole(entry) and not groups.ended_well(entry)]
        if not split or not (whole or failed):
            continue
        peak, entry = split[0]
        parts: list[Part] = [*where(entry, apart_from), f": {words} "]
        parts += [number(entry, entry.value("model_peak"), unit=True), f", {whole_words} "]
        if not whole:
            sentences.append((*parts, outcome(failed[0]), "."))
            continue
        most, base = whole[0]
        ratio = times(peak / most, f"peak of {entry.name} over that of {base.name}", entry)
        sentences.append((*parts, number(base, base.value("model_peak"), unit=True), ", that is ", ratio, "."))
    return sentences


def tiling_changes(entries: Sequence[Entry]) -> list[Sentence]:
    """What tiling does to a reconstruction: the change of PSNR, and the error at seams over that elsewhere."""
    sentences: list[Sentence] = []
    for held in groups.by_machine(entries, [TILING]).values():
        for entry in held:
            whole, tiled = groups.held(entry, "untiled_psnr"), groups.held(entry, "tiled_psnr")
            seam = groups.held(entry, "seam_error")
            if not whole or not tiled:
                continue
            change = signed("tiled_psnr", tiled.value - whole.value)
            parts: list[Part] = [*where(entry), ": tiling changes the PSNR by "]
            parts += [derived(f"{change} {tiled.unit}", f"tiled minus untiled PSNR of {entry.name}", entry)]
            parts += (
                [
                    ", and the squared error of steps between neighbours is at the seams ",
                    number(entry, seam),
                    " times that elsewhere",
                ]
                if seam
                else []
            )
            sentences.append((*parts, "."))
    return sentences


def predictions_hold(entries: Sequence[Entry]) -> list[Sentence]:
    """How far the predicted largest square is from the measured one, at most, on each machine."""
    sentences: list[Sentence] = []
    for machine, held in groups.by_machine(entries, [CAPACITY]).items():
        off: list[tuple[float, Entry]] = []
        for entry in held:
            value, predicted = groups.held(entry, "largest_resolution"), groups.held(entry, "predicted_largest")
            if value and predicted and 0 < value.value < entry.record.resolution:
                off.append((predicted.value / value.value - 1, entry))
        if off:
            most, entry = max(off, key=lambda found: abs(found[0]))
            shown = derived(f"{signed('share', 100 * most)} %", f"predicted over measured, {entry.name}", entry)
            before = f"On {machine}, over {len(off)} largest squares, the prediction is off by no more than "
            sentences.append((before, shown, f", that of {entry.record.tokenizer.name}."))
    return sentences


CLAIMS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {
    "oom-published": published_oom,
    "memory-growth": memory_growth,
    "chunking": chunking_saves,
    "tiling-memory": tiling_saves,
    "tiling": tiling_changes,
    "capacity": predictions_hold,
}
"""The sentences by the name that a page uses."""
