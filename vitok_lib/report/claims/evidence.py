"""What the rules look at, and how they print it: figures of the document, of the later page, and our own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vitok_lib.errors import RequestError
from vitok_lib.metrics.statistics import mean_interval
from vitok_lib.records.schema import Interval, Kind, OutcomeStatus, Settings, Value
from vitok_lib.report.claims.verdict import Claim, Entries
from vitok_lib.report.data.paired import interval_of
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.report.page.formatting import number
from vitok_lib.report.page.labels import bracket, count_words, digits, is_distance, name_of

DOCUMENT = "evaluation-summary"
LATER = "project-page"
RELEASED = "released"
UNLIKE = {
    "fid": (
        "ViTok's public evaluation code (vitok/metrics.py) feeds the Inception network pixels from 0 to 1 where its "
        "weights expect −1 to 1: what it prints is no FID, and none that is measured here compares with it."
    ),
    "ssim": (
        "ViTok's public evaluation code (vitok/metrics.py) takes the SSIM of ViTok's outputs unclamped and of the "
        "baselines' clamped, and rounds neither to 8 bits: one compares neither with the other nor with any that is "
        "measured here."
    ),
}
"""Why the document's figures of a quantity compare with none of ours."""
FIRST_PATH = "reference"
"""The published maths, run as they are: what a claim about the published model is judged by where it was measured."""


@dataclass(frozen=True)
class Figure:
    """A number with the record that holds it."""

    entry: Entry
    value: Value

    @property
    def amount(self) -> float:
        return self.value.value

    @property
    def shown(self) -> Number:
        return number(self.entry, self.value, unit=True)


def arithmetic(text: str, formula: str, *figures: Figure) -> Number:
    """The result of arithmetic, as strong as the weakest of ``figures``; without any it is on the architecture."""
    kinds = {figure.value.kind for figure in figures}
    weakest = next((kind for kind in (Kind.ESTIMATED, Kind.PUBLISHED) if kind in kinds), Kind.DERIVED)
    anchor = figures[0].entry.anchor if figures else None
    caveat = next((figure.shown.caveat for figure in figures if figure.shown.caveat), None)
    return Number(text, weakest, f"{weakest.value}: {formula}", anchor, caveat=caveat)


def amount(value: float, unit: str = "", quantity: str = "") -> str:
    """A number in print, to four significant digits or as its quantity asks."""
    return digits(quantity, value) + (f" {unit}" if unit else "")


def printed(
    entries: Entries, tokenizer: str, case: str, quantity: str, window: int | None = None, source: str = DOCUMENT
) -> Figure | None:
    """What a published source gives for ``quantity``, or None."""
    for entry in entries:
        record = entry.record
        value = record.value(quantity)
        same = (entry.case, record.tokenizer.name, record.settings.window) == (case, tokenizer, window)
        if same and value is not None and entry.origin == source:
            return Figure(entry, value)
    return None


def document(entries: Entries, tokenizer: str, case: str, quantity: str, window: int | None = None) -> Figure:
    """The document's own figure.

    Raises:
        RequestError: it gives none, so the rule asks for what is not there.
    """
    figure = printed(entries, tokenizer, case, quantity, window)
    if figure is None:
        of_window = "" if window is None else f" at window {window}"
        raise RequestError(f"the document prints no '{quantity}' of {tokenizer} in '{case}'{of_window}")
    return figure


def quoted(claim: Claim, figure: Figure) -> Figure:
    """``figure``, which the claim has to quote as it was printed.

    Raises:
        RequestError: the claim gives another number or kind than the published record.
    """
    if (claim.published, claim.kind) != (figure.amount, figure.value.kind):
        raise RequestError(
            f"claim '{claim.id}' quotes {claim.published} ({claim.kind.value}), "
            f"the record '{figure.entry.name}' holds {figure.amount:g} ({figure.value.kind.value})"
        )
    return figure


def in_prose(quantity: str) -> str:
    """The name of a quantity within a sentence: a word begins small, an abbreviation stays as it is."""
    name = name_of(quantity)
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def says(figure: Figure) -> Sentence:
    """What a published source gives, with its n."""
    what = f"{in_prose(figure.value.quantity)} of {figure.entry.record.tokenizer.name} on {figure.entry.case}"
    window = figure.entry.record.settings.window
    what += f", window {window:,}" if window is not None else ""
    who = "The document" if figure.entry.origin == DOCUMENT else "The later page"
    verb = "estimates" if figure.value.kind == Kind.ESTIMATED else "gives"
    counted = f" ({count_words(figure.value.quantity, figure.value.n)})" if figure.value.n is not None else ""
    return (f"{who} {verb} the {what} as ", figure.shown, f"{counted}.")


def later(entries: Entries, tokenizer: str, case: str, quantity: str) -> list[Sentence]:
    """What the other source prints for the same case, which decides nothing."""
    figure = printed(entries, tokenizer, case, quantity, source=LATER)
    return [says(figure)] if figure else []


def unlike(*quantities: str) -> list[Sentence]:
    """Why the document's figures of ``quantities`` compare with none of ours, where something is known."""
    return [(UNLIKE[quantity],) for quantity in quantities if quantity in UNLIKE]


def released(
    entries: Entries, tokenizer: str, case: str, quantity: str, window: int | None = None, n: int | None = None
) -> Figure | None:
    """Our measurement of the released weights; a distance at exactly ``n``, the source's number of images."""
    for entry in entries:
        record = entry.record
        same = (entry.case, record.tokenizer.name, record.settings.window) == (case, tokenizer, window)
        if not (entry.measured and same and record.outcome.status == OutcomeStatus.OK):
            continue
        held = entry.by_count(quantity)
        value = held.get(n) if is_distance(quantity) and n is not None else record.value(quantity)
        if record.tokenizer.weights.source == RELEASED and value is not None:
            return Figure(entry, value)
    return None


def measures(figure: Figure) -> Sentence:
    """What was measured here."""
    counted = f" ({count_words(figure.value.quantity, figure.value.n)})" if figure.value.n is not None else ""
    what = f"{in_prose(figure.value.quantity)} of {figure.entry.title} on {figure.entry.case}"
    return (f"Measured here (study {figure.entry.study}), the {what} is ", figure.shown, f"{counted}.")


def on_gpu(entries: Entries, tokenizer: str, resolution: int) -> Iterator[Entry]:
    """Our records of the architecture on a GPU at ``resolution``, whatever its weights; those of the plain path first.

    One that ran under an emulated smaller card says nothing of this one.
    """
    found = [
        entry
        for entry in entries
        if entry.measured
        and entry.record.tokenizer.name == tokenizer
        and entry.record.resolution == resolution
        and (entry.record.settings.device or "").startswith("cuda")
        and entry.record.settings.memory_limit_gib is None
    ]
    yield from sorted(found, key=lambda entry: entry.record.settings.preset not in (None, FIRST_PATH))


def one_run(first: Entry, second: Entry, varied: Iterable[str]) -> bool:
    """Whether two records are of one study, machine, benchmark and settings but for those ``varied``."""
    ours, theirs = first.record.provenance, second.record.provenance
    same_machine = ours is not None and theirs is not None and ours.host == theirs.host
    free = dict.fromkeys(varied)
    settings: Sequence[Settings] = [entry.record.settings.model_copy(update=free) for entry in (first, second)]
    same_place = (first.study, first.case) == (second.study, second.case)
    return same_machine and same_place and settings[0] == settings[1]


def paired_means(first: Entry, second: Entry, quantity: str) -> tuple[float, Interval | None, int] | None:
    """The mean of ``first`` minus ``second`` over the images of both, with its interval, None at n = 1, and n.

    None where they have no image in common.
    """
    if first.samples_path is None or second.samples_path is None:
        return None
    frames = [entry.per_image for entry in (first, second)]
    if any(quantity not in frame.columns for frame in frames):
        return None
    columns = [frame.set_index("image")[quantity].dropna() for frame in frames]
    difference = (columns[0] - columns[1]).dropna().to_numpy(np.float64)
    if difference.size == 0:
        return None
    return math.fsum(difference) / difference.size, interval_of(mean_interval(difference)), difference.size


def ends(quantity: str, interval: Interval | None) -> str:
    """An interval behind the mean that it belongs to, in print."""
    return f" {bracket(quantity, interval)}" if interval else ", of one image"
