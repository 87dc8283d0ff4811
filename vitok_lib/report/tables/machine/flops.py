"""The FLOPs of ViToks by formula: a table by encoder and decoder and type of operation. No record is read."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.cost.flops import Flops, vitok_flops
from vitok_lib.cost.peak_rates import TERA
from vitok_lib.errors import RequestError
from vitok_lib.report.data.speedups import derived
from vitok_lib.report.page.content import Head, Note, Number, Part, Sentence, Table
from vitok_lib.report.page.labels import digits
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

PETA = 1e15


def flops_table(names: Sequence[str], resolutions: Sequence[int], windows: Sequence[int | None]) -> Table:
    """FLOPs that encode and decode one square image, by encoder and decoder and by type of operation.

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
                    work = vitok_flops(variant, resolution, resolution, window)
                    rows.append([(name,), (f"{resolution} px",), (shown,), *_cells(count, work)])
    flops_heads = ("Linear, encoder", "Linear, decoder", "Attention, encoder", "Attention, decoder", "All")
    heads = ["Tokenizer", "Size", "Radius", "Tokens", *(f"{head}, TFLOP" for head in flops_heads), "Attention, %"]
    return Table([[Head(head) for head in heads]], rows)


def _cells(count: int, work: Flops) -> list[Sentence]:
    by_type = (work.encoder.linear, work.decoder.linear, work.encoder.attention, work.decoder.attention, work.total)
    attention = work.encoder.attention + work.decoder.attention
    return [
        (by_formula(digits("tokens", count)),),
        *((by_formula(digits("work", flops / TERA)),) for flops in by_type),
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
        raise RequestError(f"tokenizer '{name}' is no ViTok, so its FLOPs have no formula here")
    return parse_variant(entry.architecture)
