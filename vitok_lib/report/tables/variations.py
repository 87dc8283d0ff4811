"""The tables of what a window, or fewer blocks, cost a ViTok in PSNR."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.errors import RequestError
from vitok_lib.records.schema import Kind
from vitok_lib.report.data import variations
from vitok_lib.report.data.formatting import JOINT, number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.variations import BLOCKS, SETTINGS, WINDOWS, Change
from vitok_lib.report.page.content import Head, Link, Note, Number, Sentence, Table
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.vitok.variant import parse_variant

say = sentences("variations")

NONE: Sentence = (Note("–"),)


def variation_tables(entries: Sequence[Entry], benchmark: str) -> list[tuple[str, Table]]:
    """A table for each record of ``window-quality`` or ``truncated-depth``, with its title.

    Raises:
        RequestError: there is no such benchmark.
    """
    if benchmark not in SETTINGS:
        raise RequestError(f"'{benchmark}' varies no setting; give one of {', '.join(SETTINGS)}")
    make = {WINDOWS: _windows, BLOCKS: _blocks}[benchmark]
    return [(_title(entry), make(entry)) for entry in variations.varied(entries, benchmark)]


def _title(entry: Entry) -> str:
    record = entry.record
    return f"{record.tokenizer.name} on {record.images.name} at {record.resolution} px, study {entry.study}"


def _windows(entry: Entry) -> Table:
    """A row a cost: the window in row order and that of rows and columns which sees as many tokens."""
    rows: list[list[Sentence]] = []
    for seen, raster, square in variations.pairs_of_one_cost(entry):
        between = variations.between(entry, square, raster) if raster and square else None
        cells = [_of(entry, raster), _of(entry, square), _cell(between) if between else NONE]
        lead: list[Sentence] = [(f"{seen:,}",), (raster or Note("–"),), (square or Note("–"),)]
        rows.append([*lead, *cells])
    heads = ["Tokens seen", "Radius in row order", "Rows and columns", "Change in row order, dB"]
    heads += ["Change with rows and columns, dB", "Rows and columns − row order, dB"]
    return Table([[Head(text) for text in heads]], rows, notes=[_whole(entry)])


def _blocks(entry: Entry) -> Table:
    """A row a choice, with the share of the parameters that is left."""
    variant = parse_variant(entry.record.tokenizer.variant or "")
    rows: list[list[Sentence]] = []
    for choice in variations.choices(entry):
        left = 100 * variant.truncated(choice).parameters / variant.parameters
        tip = f"derived: parameters of {variant.text} with the first {choice} blocks over all of them"
        share = Number(f"{left:.0f} %", Kind.DERIVED, tip, entry.anchor)
        rows.append([(Link(choice, entry.anchor),), (share,), _of(entry, choice)])
    heads = ["Blocks of encoder/decoder", "Parameters left", "Change of PSNR, dB"]
    return Table([[Head(text) for text in heads]], rows, notes=[_whole(entry)])


def _whole(entry: Entry) -> Sentence:
    value = entry.value("whole_psnr")
    return say("whole", psnr=number(entry, value, unit=True), images=f"{value.n:,}")


def _of(entry: Entry, choice: str | None) -> Sentence:
    return NONE if choice is None else _cell(variations.change(entry, choice))


def _cell(change: Change) -> Sentence:
    return (change.number, JOINT, Note(change.remark)) if change.remark else (change.number,)
