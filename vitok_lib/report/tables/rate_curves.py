"""The tables of true rates: what a latent takes in bits at little loss, and Bjøntegaard differences to a codec."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.errors import unknown
from vitok_lib.metrics.quantities import UNQUANTISED
from vitok_lib.metrics.signature import METRICS
from vitok_lib.metrics.statistics import mean_interval
from vitok_lib.records.schema import Interval, Kind
from vitok_lib.report.data.formatting import number
from vitok_lib.report.data.paired import interval_of
from vitok_lib.report.data.rate_curves import Bjontegaard, RateCurve, bd_quality, bd_rate, curves
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Head, Link, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import bracket, digits, name_of, signed
from vitok_lib.report.page.templates import sentences

say = sentences("rate")

LITTLE_LOSS = 1.0
"""dB of mean PSNR."""
_VALUE_BITS = 16


def true_rate_table(entries: Sequence[Entry], case: str) -> Table:
    """A row a tokenizer: its rate at 16 bits a value, and the least rate written at which PSNR falls by at most 1 dB.

    Raises:
        RequestError: nothing measured in ``case`` ended well.
    """
    heads = (
        *("Tokenizer", "16 bits a value, bit/px", "Quantiser", "Written, bit/px", "Bits a value", "Times fewer bits"),
        *("PSNR unquantised, dB", "Δ PSNR, dB"),
    )
    held = [curve for curve in curves(entries, case) if curve.entry.record.value(f"psnr:{UNQUANTISED}")]
    return Table(
        heads=[[Head(head) for head in heads]],
        rows=[_true_rate_row(curve) for curve in held],
        notes=[say("true_rate", loss=f"{LITTLE_LOSS:g}", images=f"{len(held[0].entry.per_image):,}")] if held else [],
    )


def _true_rate_row(curve: RateCurve) -> list[Sentence]:
    entry = curve.entry
    nominal, whole = (entry.value(f"{of}:{UNQUANTISED}") for of in ("bpp", "psnr"))
    cells: list[Sentence] = [
        (Link(curve.name, entry.anchor),),
        (number(entry, nominal).without_interval,),
    ]
    point = least_point(curve)
    if point is None:
        none: Sentence = (Note("none loses so little"),)
        return [*cells, none, (), (), (), (number(entry, whole).without_interval,), ()]
    written = entry.value(f"bpp:{point}")
    share = written.value / nominal.value
    tip = f"{written.quantity} over {nominal.quantity} of {entry.name}"
    loss = curve.single("psnr", point) - curve.single("psnr", UNQUANTISED)
    return [
        *cells,
        (point,),
        (number(entry, written).without_interval,),
        (_derived(digits("speedup", _VALUE_BITS * share), tip, entry),),
        (_derived(f"{digits('speedup', 1 / share)}×", tip, entry),),
        (number(entry, whole).without_interval,),
        (_change("psnr", float(loss.mean()), interval_of(mean_interval(loss)), "paired by image", entry),),
    ]


def least_point(curve: RateCurve) -> str | None:
    """The point of the least rate whose mean PSNR is at most 1 dB below that of the unquantised latent."""
    least = curve.entry.value(f"psnr:{UNQUANTISED}").value - LITTLE_LOSS
    return next((point for point, _, decibels in curve.means() if decibels >= least), None)


def bjontegaard_table(entries: Sequence[Entry], case: str, baseline: str, quality: str) -> Table:
    """A row a tokenizer or codec: how much more rate it takes than a baseline at equal quality, and the reverse.

    ``quality`` is one of :data:`vitok_lib.metrics.quantities.RATE_QUALITIES`.

    Raises:
        RequestError: nothing measured in ``case`` ended well and holds ``quality``, or not the baseline.
    """
    held = curves(entries, case, quality)
    by_name = {curve.name: curve for curve in held}
    if baseline not in by_name:
        raise unknown(f"curve in '{case}'", baseline, by_name)
    base = by_name[baseline]
    others = [curve for curve in held if curve is not base]
    rows: list[list[Sentence]] = []
    for curve in others:
        rate, at_rate = (difference(curve, base, len(others)) for difference in (bd_rate, bd_quality))
        cells = [_cell("share", rate, curve.entry, baseline), _cell(quality, at_rate, curve.entry, baseline)]
        rows.append([(Link(curve.name, curve.entry.anchor),), *cells])
    name = name_of(quality)
    unit = METRICS[quality].unit
    by_quality = f"BD-{name} to {baseline}" + (f", {unit}" if unit else "")
    heads = ["Tokenizer", f"BD-rate to {baseline}, %", by_quality]
    images = f"{len(base.entry.per_image):,}"
    note = say("bjontegaard", quality=name, baseline=baseline, images=images, comparisons=len(others))
    return Table(heads=[[Head(head) for head in heads]], rows=rows, notes=[note])


def quantiser_table(entries: Sequence[Entry], case: str) -> Table:
    """A row a tokenizer: how one step for all channels changes the rate at equal PSNR, to the two other quantisers.

    Raises:
        RequestError: nothing measured in ``case`` ended well.
    """
    kinds = {"step": "steps of each channel", "bits": "bits over each range"}
    rows: list[list[Sentence]] = []
    for curve in curves(entries, case):
        common = curve.of_kind("common")
        if common.points:
            cells = [_to_kind(common, curve.of_kind(kind), len(kinds)) for kind in kinds]
            rows.append([(Link(curve.name, curve.entry.anchor),), *cells])
    heads = ["Tokenizer", *(f"Common step to {words}, %" for words in kinds.values())]
    return Table(heads=[[Head(head) for head in heads]], rows=rows, notes=[say("quantisers")])


def _to_kind(common: RateCurve, other: RateCurve, comparisons: int) -> Sentence:
    found = bd_rate(common, other, comparisons) if other.points else None
    return _cell("share", found, common.entry, "it")


def _cell(quantity: str, found: Bjontegaard | None, entry: Entry, other: str) -> Sentence:
    if found is None:
        return (Note(f"no part shared with {other}"),)
    shown = _change(quantity, found.mean, found.interval, f"mean over {found.n} images", entry)
    partly: list[Part] = [Note(f" ({found.n} of {found.images} images)")] if found.n < found.images else []
    return (shown, *partly)


def _change(quantity: str, mean: float, interval: Interval | None, how: str, entry: Entry) -> Number:
    return _derived(signed(quantity, mean), how, entry, bracket(quantity, interval, neutral=0.0) if interval else None)


def _derived(text: str, how: str, entry: Entry, interval: str | None = None) -> Number:
    """A number that follows from the record of ``entry``."""
    return Number(text, Kind.DERIVED, f"derived: {how}", entry.anchor, interval)
