"""The work of ViToks by formula: a table by side and type of operation, and what follows from it. No record is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitok_lib.cost.flops import Work, vitok_work
from vitok_lib.errors import RequestError
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import derived, times
from vitok_lib.report.page.content import Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.formatting import number
from vitok_lib.report.page.labels import digits
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

TERA = 1e12
PETA = 1e15


def work_table(names: Sequence[str], resolutions: Sequence[int], windows: Sequence[int | None]) -> Table:
    """Operations that encode and decode one square image, by side and type.

    A window as wide as the image or wider is full attention and has no row of its own.

    Raises:
        RequestError: a name is no ViTok.
    """
    rows: list[list[Sentence]] = []
    for name in names:
        variant = variant_named(name)
        for resolution in resolutions:
            count = variant.tokens(resolution, resolution)
            for window in windows:
                if window is None or window < count - 1:
                    shown: Part = Note("full") if window is None else f"{window:,}"
                    work = vitok_work(variant, resolution, resolution, window)
                    rows.append([(name,), (f"{resolution} px",), (shown,), *_cells(count, work)])
    work_heads = ("Linear, encoder", "Linear, decoder", "Attention, encoder", "Attention, decoder", "All")
    heads = ["Tokenizer", "Size", "Radius", "Tokens", *(f"{head}, TFLOP" for head in work_heads), "Attention, %"]
    return Table([[Head(head) for head in heads]], rows)


def _cells(count: int, work: Work) -> list[Sentence]:
    by_type = (work.encoder.linear, work.decoder.linear, work.encoder.attention, work.decoder.attention, work.total)
    attention = work.encoder.attention + work.decoder.attention
    return [
        (by_formula(digits("tokens", count)),),
        *((by_formula(digits("work", operations / TERA)),) for operations in by_type),
        (by_formula(digits("share", 100 * attention / work.total)),),
    ]


def by_formula(text: str) -> Number:
    return derived(text, "by formula from the architecture")


def variant_named(name: str) -> Variant:
    """The architecture of a ViTok by its name.

    Raises:
        RequestError: the registry has no such name, or it is no ViTok.
    """
    entry = find(name)
    if entry.family != "vitok":
        raise RequestError(f"tokenizer '{name}' is no ViTok, so its work has no formula here")
    return parse_variant(entry.architecture)


def where_attention_equals_linear(names: Sequence[str]) -> list[Sentence]:
    """Of each ViTok the number of tokens from which full attention takes more operations than all matrices.

    Linear work is a·N and full attention b·N², so that the two are equal at N = a / b.

    Raises:
        RequestError: a name is no ViTok.
    """
    sentences: list[Sentence] = []
    for name in names:
        variant = variant_named(name)
        one = vitok_work(variant, variant.patch, variant.patch)
        linear, attention = one.encoder.linear + one.decoder.linear, one.encoder.attention + one.decoder.attention
        count = linear / attention
        side = variant.patch * math.sqrt(count)
        sentences.append(
            (
                f"Full attention of {name} takes as many operations as its matrices at ",
                by_formula(f"{count:,.0f}"),
                " tokens, a square of ",
                by_formula(f"{side:,.0f} px"),
                "; above, attention is the larger part.",
            )
        )
    return sentences


def patches_compared(coarse: str, fine: str, resolutions: Sequence[int]) -> list[Sentence]:
    """How many times the operations of the tokenizer with the larger patch the other one takes, by formula.

    Raises:
        RequestError: a name is no ViTok.
    """
    sentences: list[Sentence] = []
    for resolution in resolutions:
        works = [vitok_work(variant_named(name), resolution, resolution).total for name in (fine, coarse)]
        ratio = times(works[0] / works[1], "operations of the one over those of the other, by formula")
        before = f"At {resolution} px with full attention, {fine} takes "
        sentences.append((before, ratio, f" the operations of {coarse}."))
    return sentences


def published_work(entries: Sequence[Entry]) -> list[Sentence]:
    """The work that a source prints beside the linear work of the formula, where it prints one."""
    sentences: list[Sentence] = []
    for entry in entries:
        printed = [entry.record.value(f"{side}_work") for side in ("encoder", "decoder")]
        variant = entry.record.tokenizer.variant
        if entry.measured or variant is None or not all(printed):
            continue
        resolution = entry.record.resolution
        work = vitok_work(parse_variant(variant), resolution, resolution)
        parts: list[Part] = [f"{entry.origin} prints for {entry.title} at {resolution} px "]
        linear = [side.linear / PETA for side in (work.encoder, work.decoder)]
        for side, value, matrices in zip(("encoder", "decoder"), printed, linear, strict=True):
            assert value is not None
            parts += [" and " if len(parts) > 1 else "", number(entry, value, unit=True), f" of the {side}, where the "]
            parts += ["matrices take ", by_formula(f"{digits('work', matrices)} PFLOP")]
        same = all(value and round(matrices, 2) == value.value for value, matrices in zip(printed, linear, strict=True))
        sentences.append((*parts, "; so what is printed leaves attention out." if same else "."))
    return sentences
