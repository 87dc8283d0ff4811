"""Tables of speed: settings next to values, one table a machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vitok_lib.errors import RequestError
from vitok_lib.report.data import groups
from vitok_lib.report.data.chunking import chunk_of
from vitok_lib.report.data.formatting import joined, number, outcome
from vitok_lib.report.data.groups import PROFILE, SETTINGS, WINDOWS, Machine
from vitok_lib.report.data.kernels import fastest_kernel
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import (
    derived,
    predicted_speedup,
    published_ratio,
    published_speedup,
    published_windows,
    speed_ratio,
    widest,
    window_runs,
)
from vitok_lib.report.page.content import NOT_MEASURED, Head, Link, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import TIMES, count_words, digits, label, name_of
from vitok_lib.report.page.templates import sentences

say = sentences("tables")

COUNTED = ("linear", "attention")
PERCENT = 100
OF_SOME = frozenset(
    (
        *("error_reference", "error_reference_last", "compile_time", "graphs", "recompilations"),
        *("ceiling_attention", "rate", "utilisation", "seam_error"),
    )
)
"""What not every record has, such as the error of the baseline to itself, or the FLOPs of what is no ViTok."""
PEAKS_OF_TILES = ("whole_peak", "parts_peak")


def machine_tables(
    entries: Sequence[Entry],
    benchmarks: Sequence[str],
    quantities: Sequence[str],
    *,
    where: Mapping[str, str] | None = None,
    tokenizers: Sequence[str] = (),
) -> list[tuple[Machine, Table]]:
    """The measured ``benchmarks``, a table a machine: a row a record, with a column for each setting that differs.

    A column of a quantity that no record of the machine holds is left out, and so is a machine that holds none of
    ``quantities`` and no outcome in their place.

    Raises:
        RequestError: no record of one of ``tokenizers`` is there, or a benchmark or a setting is not known.
    """
    by_machine = groups.by_machine(entries, benchmarks, where, with_noise=True)
    present = {entry.record.tokenizer.name for held in by_machine.values() for entry in held}
    missing = [name for name in tokenizers if name not in present]
    if missing:
        raise RequestError(f"no record of {', '.join(missing)} for {', '.join(benchmarks)}")
    found = []
    for machine, every in by_machine.items():
        held = [entry for entry in every if not groups.is_noise(entry)]
        columns = [name for name in quantities if any(entry.record.value(name) for entry in held)]
        shown = [entry for entry in held if _says(entry, columns)]
        if shown:
            table = _machine_table(shown, columns or list(quantities[:1]))
            notes = [say("noise", count=len(every) - len(held))] if len(held) < len(every) else []
            shares = [entry.record.value("utilisation") for entry in shown if "utilisation" in columns]
            notes += [say("share_of_peak")] if any(shares) else []
            notes += [say("above_peak")] if any(share and share.value > PERCENT for share in shares) else []
            notes += _baselines_of_others(shown) if "speedup" in columns else []
            peaks = [entry.record.value(name) for entry in shown for name in PEAKS_OF_TILES if name in columns]
            notes += [say("peaks_of_noise")] if any(peak and groups.below_noise(peak) for peak in peaks) else []
            found.append((machine, replace(table, notes=[*table.notes, *notes])))
    return found


def _baselines_of_others(shown: Sequence[Entry]) -> list[Sentence]:
    """Which speed-ups are over another tokenizer: the baseline of a run is its first configuration."""
    others: dict[str, dict[str, None]] = {}
    for entry in shown:
        value = entry.record.value("speedup")
        _, _, of_run = (value.signature if value and value.signature else "").partition("|to:")
        baseline = of_run.partition("|")[0].partition("@")[0]
        if baseline and baseline != entry.record.tokenizer.name:
            others.setdefault(baseline, {})[entry.record.tokenizer.name] = None
    return [say("speedup_over", tokenizers=list(names), baseline=baseline) for baseline, names in others.items()]


def _says(entry: Entry, quantities: Sequence[str]) -> bool:
    return not groups.ended_well(entry) or any(entry.record.value(quantity) for quantity in quantities)


def _machine_table(held: Sequence[Entry], columns: Sequence[str]) -> Table:
    settings = groups.varying(held)
    heads = [*lead_heads(settings), *(Head(label(quantity, _unit(held, quantity))) for quantity in columns)]
    rows = []
    for entry in held:
        # How a record ended is printed in place of its first missing value: memory of weights is known despite an OOM.
        ended = next((quantity for quantity in columns if not entry.record.value(quantity)), columns[0])
        cells = [value_cell(entry, quantity, quantity == ended) for quantity in columns]
        rows.append([*lead(entry, settings), *cells])
    return Table([heads], rows, notes=same_for_all(held, settings))


def _unit(held: Sequence[Entry], quantity: str) -> str:
    return next((value.unit for entry in held if (value := entry.record.value(quantity))), "")


def lead_heads(settings: Sequence[str]) -> list[Head]:
    return [Head("Tokenizer"), Head("Size"), *(Head(SETTINGS[name]) for name in settings)]


def lead(entry: Entry, settings: Sequence[str]) -> list[Sentence]:
    """The first cells of a row: tokenizer, size and ``settings``."""
    link = Link(entry.record.tokenizer.name, entry.anchor)
    title: Sentence = (link, " ", Note("random weights")) if groups.random_weights(entry) else (link,)
    cells: list[Sentence] = [title, (groups.size_text(entry),)]
    return [*cells, *(setting_cell(entry, name) for name in settings)]


def setting_cell(entry: Entry, name: str) -> Sentence:
    text = groups.setting(entry, name)
    if not text and name == "window" and groups.variant_of(entry):
        return (Note("full"),)
    if not text and name == "chunk" and groups.variant_of(entry):
        return (Note(f"{chunk_of(entry):,}"),)
    return (text,) if text else (Note("–"),)


def value_cell(entry: Entry, quantity: str, with_outcome: bool = False) -> Sentence:
    """A value with its count of repetitions, and how the record ended where that was not well."""
    value = entry.record.value(quantity)
    parts: list[Part] = []
    if value is not None and quantity in PEAKS_OF_TILES and groups.below_noise(value):
        parts.append(Note("below 64 MiB"))
    elif value is not None:
        parts.append(number(entry, value))
        if value.n is not None and value.unit == "ms":
            parts.append(Note(count_words(quantity, value.n)))
    if not groups.ended_well(entry) and with_outcome:
        parts.append(outcome(entry))
    missing = groups.ended_well(entry) and quantity not in OF_SOME
    return tuple(joined(parts or [Note(NOT_MEASURED if missing else "–")]))


def same_for_all(held: Sequence[Entry], named: Sequence[str]) -> list[Sentence]:
    """The settings that all rows share, as a sentence below the table."""
    shared = [
        f"{title.lower()} {text}"
        for name, title in SETTINGS.items()
        if name not in named and (text := groups.setting(held[0], name))
    ]
    return [say("all_rows", settings=shared)] if shared else []


def window_tables(entries: Sequence[Entry]) -> list[tuple[Machine, Table]]:
    """A row a radius: its speed-up over the widest window of the run, next to the predicted one."""
    found = []
    for machine in groups.by_machine(entries, [WINDOWS]):
        runs = [run for run in window_runs(entries) if groups.machine_of(run[0]) == machine]
        if runs:
            found.append((machine, _window_table(entries, runs)))
    return found


def _window_table(entries: Sequence[Entry], runs: Sequence[Sequence[Entry]]) -> Table:
    every = [entry for run in runs for entry in run]
    settings = [*groups.varying(every, left_out=["window"]), "window"]
    published = any(published_speedup(entries, entry) for entry in every)
    chosen = any(fastest_kernel(entry) for entry in every)
    rows: list[list[Sentence]] = []
    for run in runs:
        base = widest(run)
        for entry in run:
            cells: list[Sentence] = [value_cell(entry, "latency", True)]
            shown = [_gain(entry, base), predicted_speedup(entry, base)] if base else [None, None]
            shown += [published_speedup(entries, entry)] if published else []
            cells += [(part,) if part else (Note("–"),) for part in shown]
            cells += [(fastest_kernel(entry) or Note("–"),)] if chosen else []
            rows.append([*lead(entry, settings), *cells, value_cell(entry, "peak_memory")])
    unit = _unit(every, "latency")
    heads = [*lead_heads(settings), Head(label("latency", unit)), Head("Speed-up, measured"), Head("by FLOPs")]
    heads += [Head("as published")] if published else []
    heads += [Head("Fastest kernel")] if chosen else []
    notes = [say("windows"), *same_for_all(every, settings), *([say("fastest_kernel")] if chosen else [])]
    if any(entry.record.value("peak_memory") for entry in every):
        return Table([[*heads, Head(label("peak_memory", _unit(every, "peak_memory")))]], rows, notes=notes)
    return Table([heads], [row[:-1] for row in rows], notes=notes)


def _gain(entry: Entry, base: Entry) -> Number | None:
    ratio = speed_ratio(entry, base)
    return ratio.number if ratio else None


def published_window_tables(entries: Sequence[Entry]) -> list[tuple[str, Table]]:
    """What sources report for windows, a table for each tokenizer and size of a source, next to what FLOPs predict."""
    found = []
    for group in published_windows(entries):
        base = group[0]
        rows: list[list[Sentence]] = []
        for entry in group:
            counted = predicted_speedup(entry, base)
            rows.append(
                [
                    (Link(f"{entry.record.settings.window:,}", entry.anchor),),
                    (number(entry, entry.value("latency")),),
                    (published_ratio(entry, base),),
                    (counted,) if counted else (Note("–"),),
                ]
            )
        heads = ("Radius", label("latency", base.value("latency").unit), "Speed-up, as published", "by FLOPs")
        title = f"{base.record.tokenizer.name} on {base.case}, as {base.origin} reports it"
        found.append((title, Table([[Head(text) for text in heads]], rows)))
    return found


def profile_tables(entries: Sequence[Entry]) -> list[tuple[Machine, Table]]:
    """The time of each type of operation, and the FLOPs counted next to those of the formula."""
    found = []
    for machine, held in groups.by_machine(entries, [PROFILE]).items():
        settings = groups.varying(held)
        times = [name for name in TIMES if any(value.value for entry in held if (value := entry.record.value(name)))]
        times = times or list(TIMES[:1])
        rows: list[list[Sentence]] = []
        for entry in held:
            cells = [_time_cell(entry, name, first=name == times[0]) for name in times]
            rows.append([*lead(entry, settings), *cells, *(_count_cell(entry, kind) for kind in COUNTED)])
        heads = [*lead_heads(settings), *(Head(label(name, "ms")) for name in times)]
        heads += [Head(f"{name_of(f'counted_{kind}')}, TFLOP") for kind in COUNTED]
        found.append((machine, Table([heads], rows, notes=[say("profile"), *same_for_all(held, settings)])))
    return found


def _time_cell(entry: Entry, quantity: str, *, first: bool) -> Sentence:
    value, cell = entry.record.value(quantity), value_cell(entry, quantity, first)
    whole = sum(held.value for held in entry.record.values if held.quantity in TIMES)
    if value is None or not whole:
        return cell
    share = digits("share", 100 * value.value / whole)
    return (*cell, " ", derived(f"{share} %", f"{name_of(quantity)} in the time of {entry.name}", entry))


def _count_cell(entry: Entry, kind: str) -> Sentence:
    counted, formula = entry.record.value(f"counted_{kind}"), entry.record.value(f"work_{kind}")
    if counted is None:
        return (Note("–"),)
    cell: Sentence = (number(entry, counted),)
    if formula is None or not formula.value:
        return cell
    off = 100 * (counted.value / formula.value - 1)
    sign = "+" if off > 0 else ""
    return (*cell, " ", derived(f"{sign}{digits('share', off)} %", f"counted over formula, {entry.name}", entry))
