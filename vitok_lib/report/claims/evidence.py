"""The figures that rules compare, printed and our own; ``findings/templates/claims.jinja`` has their sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vitok_lib.cost.flops import Flops, vitok_flops
from vitok_lib.errors import RequestError
from vitok_lib.metrics.statistics import mean_interval
from vitok_lib.published.sources import EVALUATION_CODE
from vitok_lib.records.schema import Interval, Kind, OutcomeStatus, Value
from vitok_lib.report.claims.verdict import Claim, Entries
from vitok_lib.report.data.formatting import counted, number, rounded
from vitok_lib.report.data.groups import INTERLEAVED, is_whole
from vitok_lib.report.data.paired import interval_of
from vitok_lib.report.data.real_models import settings_asked
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Part, Sentence, WebLink
from vitok_lib.report.page.labels import bracket, digits, is_distance, name_of, signed
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

say = sentences("claims")
"""``say("printed", figure=...)``: the sentence of that macro."""

DOCUMENT = "evaluation-summary"
LATER = "project-page"
BENCHMARK = "div8k"
RELEASED = "released"
BASELINE = "reference"
"""The preset that runs the published model as it is; a claim is decided by it where it was measured."""

UNLIKE = ("fid", "ssim")
"""Quantities that the document computes in another way; the templates say how."""

PLANS, PREDICTED, WITH_MARGIN = "fits", "predicted_peak", "peak_with_margin"
"""The benchmark whose records are predictions for GPUs, the peak, and one that errs on the safe side."""

PETA = 1e15

Paired = tuple[float, Interval | None, int]
"""A mean difference, its interval, which is None at n = 1, and n."""


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

    @property
    def short(self) -> Number:
        """To three significant digits, for the sentence that says what holds; the evidence has them all."""
        return rounded(self.shown, self.value, self.value.unit)

    @property
    def publisher(self) -> Part:
        """Who prints it, with a link to the line or section where it can be read."""
        name = "The document" if self.entry.origin == DOCUMENT else "The project page"
        source = self.entry.record.source
        if source is None or source.address is None:
            return name
        return WebLink(name, f"{source.address}#{self.value.at}" if self.value.at else source.address)

    @property
    def name(self) -> str:
        """The name of its quantity; a word begins small, an abbreviation stays as it is."""
        name = name_of(self.value.quantity)
        return name[0].lower() + name[1:] if name[1:2].islower() else name

    @property
    def what(self) -> str:
        """Such as "PSNR of 5B-f16x64 on div8k-1024"."""
        return f"{self.name} of {self.entry.title} on {self.entry.case}"

    @property
    def counted(self) -> str:
        """Its n in brackets, where it has one."""
        return f" ({counted(self.entry, self.value)})" if self.value.n is not None else ""


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
        RequestError: the claim gives another number or evidence level than the published record.
    """
    if (claim.published, claim.kind) != (figure.amount, figure.value.kind):
        raise RequestError(
            f"claim '{claim.id}' quotes {claim.published} ({claim.kind.value}), "
            f"the record '{figure.entry.name}' holds {figure.amount:g} ({figure.value.kind.value})"
        )
    return figure


def released(
    entries: Entries, tokenizer: str, case: str, quantity: str, window: int | None = None, n: int | None = None
) -> Figure | None:
    """Our measurement of the released weights, of several that with the fewest settings: the model as it is published.

    A distance is that at exactly ``n``, the source's number of images.
    """
    found: list[Figure] = []
    for entry in entries:
        record = entry.record
        same = (entry.case, record.tokenizer.name, record.settings.window) == (case, tokenizer, window)
        if not (entry.measured and same and record.outcome.status == OutcomeStatus.OK):
            continue
        value = entry.by_count(quantity).get(n) if is_distance(quantity) and n is not None else record.value(quantity)
        if record.tokenizer.weights.source == RELEASED and is_whole(entry) and value is not None:
            found.append(Figure(entry, value))
    return min(found, key=lambda figure: settings_asked(figure.entry), default=None)


def on_gpu(entries: Entries, tokenizer: str, resolution: int) -> list[Entry]:
    """Our runs of the architecture on a GPU at ``resolution``, with any weights; the baseline preset comes first.

    Runs under an emulated memory limit, of a part of the blocks or in tiles of this project are left out, and so are
    plans, which ran nowhere.
    """
    found = [
        entry
        for entry in entries
        if entry.measured
        and entry.record.benchmark != PLANS
        and entry.record.tokenizer.name == tokenizer
        and entry.record.resolution == resolution
        and (entry.record.settings.device or "").startswith("cuda")
        and entry.record.settings.memory_limit_gib is None
        and is_whole(entry)
    ]
    return sorted(found, key=lambda entry: entry.record.settings.preset not in (None, BASELINE))


def figures_on_gpu(
    entries: Entries, tokenizer: str, resolution: int, quantity: str, window: int | None
) -> list[Figure]:
    """Our figures on a GPU with ``window``; if the document names none, with any, without a window first."""
    found = [
        Figure(entry, value)
        for entry in on_gpu(entries, tokenizer, resolution)
        if (window is None or entry.record.settings.window == window)
        and entry.record.outcome.status == OutcomeStatus.OK
        and (value := entry.record.value(quantity)) is not None
    ]
    return sorted(found, key=lambda figure: figure.entry.record.settings.window not in (None, window))


def planned(entries: Entries, tokenizer: str, resolution: int, quantity: str) -> list[Figure]:
    """What is predicted for one image on a GPU, in each configuration that was planned."""
    return [
        Figure(entry, value)
        for entry in entries
        if (entry.record.benchmark, entry.record.tokenizer.name) == (PLANS, tokenizer)
        and entry.record.resolution == resolution
        and entry.record.settings.batch in (None, 1)
        and (value := entry.record.value(quantity)) is not None
    ]


def unlike(quantity: str) -> list[Sentence]:
    """Why the document's ``quantity`` compares with none of ours, with the lines of the public evaluation code."""
    if quantity not in UNLIKE:
        return []
    links = [WebLink(*place) for place in EVALUATION_CODE[quantity].places]
    return [say(f"unlike_{quantity}", links=links)]


def one_run(first: Entry, second: Entry, varied: Iterable[str]) -> bool:
    """Whether two records are of one study, machine, benchmark and settings but for those ``varied``.

    Timings are of one run, which its start identifies.
    """
    ours, theirs = first.record.provenance, second.record.provenance
    if ours is None or theirs is None or ours.host != theirs.host:
        return False
    if first.record.benchmark in INTERLEAVED and ours.started != theirs.started:
        return False
    settings, others = (entry.record.settings.model_copy(update=dict.fromkeys(varied)) for entry in (first, second))
    return (first.study, first.case, settings) == (second.study, second.case, others)


def paired_means(first: Entry, second: Entry, quantity: str) -> Paired | None:
    """The mean of ``first`` minus ``second`` over the images of both; None where they have no image in common."""
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


def paired_sentence(quantity: str, pairs: Paired, first: Figure, second: Figure) -> Sentence:
    """The mean difference of :func:`paired_means` in words."""
    mean, interval, n = pairs
    difference = arithmetic(signed(quantity, mean), f"paired over n = {n:,} images", first, second)
    return say("paired", difference=difference, interval=interval and bracket(quantity, interval, neutral=0.0))


def arithmetic(text: str, formula: str, *figures: Figure) -> Number:
    """The result of arithmetic, as strong as the weakest of ``figures``; without any it is on the architecture."""
    kinds = {figure.value.kind for figure in figures}
    weakest = next((kind for kind in (Kind.ESTIMATED, Kind.PUBLISHED) if kind in kinds), Kind.DERIVED)
    anchor = figures[0].entry.anchor if figures else None
    caveat = next((figure.shown.caveat for figure in figures if figure.shown.caveat), None)
    return Number(text, weakest, f"{weakest.value}: {formula}", anchor, caveat=caveat)


def quote(claim: Claim) -> Number | None:
    """The number that the document gives in ``claim``, ready for print."""
    if claim.published is None:
        return None
    text = f"{claim.published:,g} {claim.unit}".strip().replace("-", "−")
    return Number(text, claim.kind, f"{claim.kind.value}: the document, {claim.where}")


def amount(value: float, unit: str = "", quantity: str = "") -> str:
    """A number in print, to four significant digits or as its quantity asks."""
    return digits(quantity, value) + (f" {unit}" if unit else "")


def resolution_of(case: str) -> int:
    """Of ``div8k-1024`` the 1024."""
    return int(case.rpartition("-")[2])


def variant_of(tokenizer: str) -> Variant:
    return parse_variant(find(tokenizer).architecture)


def flops(tokenizer: str, resolution: int, window: int | None = None) -> Flops:
    """The FLOPs of both sides for a square image; without a window each token attends to all."""
    return vitok_flops(variant_of(tokenizer), resolution, resolution, window)
