"""Records of what a window, or fewer blocks, cost a ViTok: each choice against the whole model, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitok_lib.cost.flops import raster_radius
from vitok_lib.metrics.statistics import METHOD, leaves_out, mean_interval
from vitok_lib.records.config import square_radius
from vitok_lib.records.schema import Interval, Kind, Value
from vitok_lib.report.data.record_view import Entry, natural
from vitok_lib.report.page.content import Number, unclear
from vitok_lib.report.page.labels import bracket, signed

WINDOWS, BLOCKS = "window-quality", "truncated-depth"
SETTINGS = {WINDOWS: "window", BLOCKS: "blocks"}
"""The setting that varies, by benchmark."""
QUANTITY = "psnr_difference"


@dataclass(frozen=True)
class Change:
    """A difference of PSNR in dB, paired by image, in print, and whether its interval leaves out zero."""

    number: Number
    clear: bool

    @property
    def said(self) -> Number:
        """The number with its unit, for a sentence."""
        return replace(self.number, text=f"{self.number.text} dB")

    @property
    def remark(self) -> str:
        """What is said of a change that is not significant."""
        return unclear(self.number.interval, self.clear)


def varied(entries: Sequence[Entry], benchmark: str) -> list[Entry]:
    """The measured records of a benchmark of :data:`SETTINGS` that hold a choice, by tokenizer and resolution."""
    held = [entry for entry in entries if entry.measured and entry.record.benchmark == benchmark and choices(entry)]
    return sorted(held, key=lambda entry: (natural(entry.record.tokenizer.name), entry.record.resolution))


def choices(entry: Entry) -> list[str]:
    """The choices of the setting that varies, such as ``64``, in the order of the record."""
    start = f"difference@{SETTINGS[entry.record.benchmark]}="
    names = (value.quantity for value in entry.record.values)
    return [name.removeprefix(start) for name in names if name.startswith(start)]


def change(entry: Entry, choice: str) -> Change:
    """What ``choice`` adds to the PSNR of the whole model, as the record holds it."""
    value = entry.value(_quantity(entry, choice))
    return _change(entry, value, f"measured: PSNR with {choice} minus that of the whole model, paired by image")


def between(entry: Entry, choice: str, other: str) -> Change | None:
    """PSNR of ``choice`` minus that of ``other``, paired by image; None where single images are not kept."""
    columns = [_quantity(entry, name) for name in (choice, other)]
    if entry.samples_path is None or not set(columns) <= set(entry.per_image.columns):
        return None
    differences = (entry.per_image[columns[0]] - entry.per_image[columns[1]]).to_numpy(np.float64)
    ends = mean_interval(differences)
    value = Value(
        quantity=QUANTITY,
        value=float(differences.mean()),
        unit="dB",
        kind=Kind.DERIVED,
        n=len(differences),
        interval=Interval(low=ends[0], high=ends[1], method=f"{METHOD} over paired differences") if ends else None,
    )
    return _change(entry, value, f"derived: PSNR with {choice} minus that with {other}, paired by image")


def pairs_of_one_cost(entry: Entry) -> list[tuple[int, str | None, str | None]]:
    """The windows by the tokens that one sees: that in row order and that of rows and columns, None where none is."""
    found: dict[int, list[str | None]] = {}
    for choice in choices(entry):
        square = square_radius(choice) is not None
        seen = 2 * raster_radius(choice if square else int(choice)) + 1
        found.setdefault(seen, [None, None])[square] = choice
    return [(seen, *found[seen]) for seen in sorted(found)]  # type: ignore[misc]


def _quantity(entry: Entry, choice: str) -> str:
    return f"difference@{SETTINGS[entry.record.benchmark]}={choice}"


def _change(entry: Entry, value: Value, what: str) -> Change:
    interval = value.interval
    facts = [what, f"n = {value.n:,} images", f"study {entry.study}"]
    facts += [f"{interval.level:.0%} interval, {interval.method}"] if interval else []
    shown = Number(
        text=signed(QUANTITY, value.value),
        kind=value.kind,
        tip=" · ".join(facts),
        anchor=entry.anchor,
        interval=bracket(QUANTITY, interval, neutral=0.0) if interval else None,
    )
    return Change(shown, interval is not None and leaves_out(0, interval.low, interval.high))
