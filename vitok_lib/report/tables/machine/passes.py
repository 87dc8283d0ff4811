"""Bytes of each pass between a ViTok's matrix products: as it is compiled, as it is fused, and what must move."""

from __future__ import annotations

from vitok_lib.cost.passes import Pass, passes
from vitok_lib.cost.peak_rates import GIGA, PeakRates, recorded_peak_rates
from vitok_lib.report.data.speedups import derived
from vitok_lib.report.page.content import Head, Note, Sentence, Table
from vitok_lib.report.page.labels import three_digits
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.tables.machine.flops import by_formula, variant_named

say = sentences("tables")
_PATHS = ("fp8", "fused", "least")


def passes_table(name: str, resolution: int) -> Table:
    """A row a pass of one square image, and the whole at the newest peak bandwidth of a GPU, if one is on record.

    Raises:
        RequestError: the name is no ViTok.
    """
    found = passes(variant_named(name), resolution, resolution)
    whole = Pass("All", *(sum(getattr(each, path) for each in found) for path in _PATHS))
    rows = [[(each.name,), *_bytes(each), *_ratios(each)] for each in (*found, whole)]
    rates = recorded_peak_rates("cuda", "bfloat16", "fp8")
    notes = [say("passes", name=name, size=resolution)]
    if rates is not None:
        rows.append([("All, ms at peak bandwidth",), *_times(whole, rates[0]), *_ratios(whole)])
        notes.append(say("passes_bandwidth", machine=rates[1]))
    heads = ["Pass", "fp8, GB", "fused-fp8, GB", "Must move, GB", "fp8 over must", "fused-fp8 over must"]
    return Table([[Head(head) for head in heads]], rows, notes=notes, groups=[len(found)])


def _bytes(each: Pass) -> list[Sentence]:
    return [(by_formula(three_digits(getattr(each, path) / GIGA)),) for path in _PATHS]


def _times(whole: Pass, rates: PeakRates) -> list[Sentence]:
    how = "bytes by formula over the measured peak bandwidth"
    return [(derived(three_digits(1e3 * getattr(whole, path) / rates.copy), how),) for path in _PATHS]


def _ratios(each: Pass) -> list[Sentence]:
    if not each.least:
        return [(Note("–"),), (Note("–"),)]
    return [(by_formula(f"{three_digits(getattr(each, path) / each.least)}×"),) for path in _PATHS[:2]]
