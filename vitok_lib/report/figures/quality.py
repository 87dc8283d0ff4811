"""The figures of measured and published quality, a row a tokenizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import paired, protocol
from vitok_lib.report.data.protocol import Ranked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.figures.bias import distance_by_n
from vitok_lib.report.figures.by_image import by_image
from vitok_lib.report.figures.direct_labels import Label
from vitok_lib.report.figures.drawing import (
    GUIDE_COLOUR,
    MARKERS,
    STYLE,
    Drawing,
    draw_spread,
    finished,
    in_rows,
    looks,
    range_text,
    row_panels,
    value_text,
)
from vitok_lib.report.figures.rate import bits_and_quality, rate_and_quality
from vitok_lib.report.figures.rate_curves import rate_curves
from vitok_lib.report.page.labels import digits, label
from vitok_lib.report.page.templates import sentences

say = sentences("captions")


def by_tokenizer(entries: Sequence[Entry], cases: Sequence[str], quantity: str) -> Drawing:
    """Measured means, a panel a case, each with a dot for each of few images or its interval; PCA as a line.

    Raises:
        RequestError: nothing measured in one of ``cases`` holds ``quantity``.
    """
    found = {case: protocol.common(entries, case, quantity) for case in cases}
    rows = in_rows({case: group for case, (_, group) in found.items()})
    words, places = [], {title: place for place, title in enumerate(rows)}
    with matplotlib.rc_context(STYLE):
        figure, drawn = row_panels(len(cases), list(rows.values()))
        for axes, (case, (shared, group)) in zip(drawn, found.items(), strict=True):
            for held in group:
                row, look = places[held.entry.title], looks([held.entry.title])[held.entry.title]
                draw_spread(axes, row, held, look["color"], upright=False)
                axes.plot(held.value.value, row, marker="d", markersize=8, color=look["color"], linestyle="none")
                if paired.is_baseline(held.entry):
                    axes.axvline(held.value.value, color=GUIDE_COLOUR, linestyle="--", linewidth=1)
            axes.set_title(f"{case} (study {shared.origin}, {shared.count})", fontsize=10)
            axes.set_xlabel(label(quantity, group[0].value.unit))
            values = ", ".join(value_text(held) for held in group)
            words.append(f"{case}: {range_text(group)}; all: {values}")
        return finished(
            figure,
            f"Dot plot of the mean {label(quantity)} of each tokenizer. " + ". ".join(words) + ".",
            say.text("by_tokenizer", metric=label(quantity)),
        )


def by_resolution(entries: Sequence[Entry], benchmark: str, quantity: str) -> Drawing:
    """Values at each resolution, a panel a source, and one for the study with the most rows.

    The mark names the resolution; estimated values are hollow.

    Raises:
        RequestError: no tokenizer has ``quantity`` at two resolutions of ``benchmark``.
    """
    held: dict[str, dict[str, list[Entry]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.record.resolution):
        if entry.record.benchmark == benchmark and entry.record.value(quantity):
            held.setdefault(entry.origin, {}).setdefault(entry.title, []).append(entry)
    for origin, rows in held.items():
        held[origin] = {title: row for title, row in rows.items() if len({e.record.resolution for e in row}) > 1}
    held = {origin: rows for origin, rows in held.items() if rows}
    if not held:
        raise RequestError(f"no tokenizer has '{quantity}' at two resolutions of '{benchmark}'")
    studies = Counter({origin: len(rows) for origin, rows in held.items() if next(iter(rows.values()))[0].measured})
    kept = {origin for origin in held if origin not in studies} | {study for study, _ in studies.most_common(1)}
    return _by_resolution({origin: held[origin] for origin in sorted(kept)}, benchmark, quantity)


def _by_resolution(held: Mapping[str, Mapping[str, Sequence[Entry]]], benchmark: str, quantity: str) -> Drawing:
    every = [entry for rows in held.values() for row in rows.values() for entry in row]
    marks = dict(zip(sorted({entry.record.resolution for entry in every}), MARKERS, strict=False))
    rows = in_rows(
        {
            origin: [Ranked(row[0], row[0].value(quantity)) for row in of_origin.values()]
            for origin, of_origin in held.items()
        }
    )
    words, labels = [], []
    with matplotlib.rc_context(STYLE):
        figure, drawn = row_panels(len(held), list(rows.values()))
        for axes, (origin, of_origin) in zip(drawn, held.items(), strict=True):
            named: set[int] = set()
            for place, title in reversed(list(enumerate(rows))):
                for entry in of_origin.get(title, ()):
                    _mark(axes, place, entry, quantity, marks)
                    if entry.record.resolution not in named:
                        named.add(entry.record.resolution)
                        text, x = f"{entry.record.resolution} px", entry.value(quantity).value
                        labels.append(Label(axes, x, place, text, GUIDE_COLOUR))
                if title in of_origin:
                    words.append(f"{origin}, {title}: " + ", ".join(_at(entry, quantity) for entry in of_origin[title]))
            axes.set_xlabel(label(quantity, next(iter(of_origin.values()))[0].value(quantity).unit))
            axes.set_title(f"{benchmark}: {origin}", fontsize=10)
        guesses = any(entry.value(quantity).kind == Kind.ESTIMATED for entry in every)
        return finished(
            figure,
            f"{label(quantity)} at each resolution. " + "; ".join(words) + ".",
            say.text("by_resolution", metric=label(quantity), benchmark=benchmark, panels=len(held), estimates=guesses),
            labels,
        )


def _mark(axes: Axes, row: int, entry: Entry, quantity: str, marks: Mapping[int, str]) -> None:
    """The value of one tokenizer at one resolution."""
    value, colour = entry.value(quantity), looks([entry.title])[entry.title]["color"]
    fill = "white" if value.kind == Kind.ESTIMATED else colour
    marker = marks[entry.record.resolution]
    axes.plot(value.value, row, marker=marker, color=colour, markerfacecolor=fill, markersize=6.5, linestyle="none")


def _at(entry: Entry, quantity: str) -> str:
    value = entry.value(quantity)
    guess = " (estimated)" if value.kind == Kind.ESTIMATED else ""
    return f"{digits(quantity, value.value)}{guess} at {entry.record.resolution} px"


FIGURES = {
    "by-tokenizer": by_tokenizer,
    "rate-and-quality": rate_and_quality,
    "bits-and-quality": bits_and_quality,
    "distance-by-n": distance_by_n,
    "by-image": by_image,
    "rate-curves": rate_curves,
}
"""The figures over several cases, by the name that a page uses; ``by_resolution`` takes a benchmark instead."""
