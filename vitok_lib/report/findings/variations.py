"""Findings on what a window and fewer blocks cost in PSNR, paired by image with the whole model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitok_lib.report.data import variations
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.variations import BLOCKS, WINDOWS
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.templates import sentences
from vitok_lib.tokenizers.vitok.variant import parse_variant

say = sentences("variations")


def windows(entries: Sequence[Entry]) -> list[Sentence]:
    """At the least and at the greatest cost: a window in row order against one of rows and columns."""
    found: list[Sentence] = []
    for entry in variations.varied(entries, WINDOWS):
        pairs = variations.pairs_of_one_cost(entry)
        both = [(seen, raster, square) for seen, raster, square in pairs if raster and square]
        for seen, raster, square in dict.fromkeys([*both[:1], *both[-1:]]):
            between = variations.between(entry, square, raster)
            if between is not None:
                changes = {"raster": variations.change(entry, raster), "square": variations.change(entry, square)}
                about = {
                    "lead": _lead(entry),
                    "seen": f"{seen:,}",
                    "radius": raster,
                    "rows": square.removeprefix("2d:"),
                }
                found.append(say("windows", **about, **changes, between=between))
    return found


def blocks(entries: Sequence[Entry]) -> list[Sentence]:
    """What the encoder's blocks, and the decoder's last one, are worth to a trained model."""
    found: list[Sentence] = []
    for entry in variations.varied(entries, BLOCKS):
        variant, held = parse_variant(entry.record.tokenizer.variant or ""), variations.choices(entry)
        encoder, decoder = variant.encoder.depth, variant.decoder.depth
        cuts = {"encoder": f"0/{decoder}", "decoder": f"{encoder}/{decoder - 1}", "both": "0/0"}
        if set(cuts.values()) <= set(held):
            changes = {side: variations.change(entry, choice) for side, choice in cuts.items()}
            found.append(say("blocks", lead=_lead(entry), count=encoder, **changes))
    return found


def _lead(entry: Entry) -> str:
    record = entry.record
    return f"{record.tokenizer.name} on {record.images.name} at {record.resolution} px"


FINDINGS: dict[str, Callable[[Sequence[Entry]], list[Sentence]]] = {"window-quality": windows, "blocks": blocks}
"""The findings by the name that a page uses."""
