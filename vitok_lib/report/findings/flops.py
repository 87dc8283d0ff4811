"""Findings on the FLOPs of ViToks: by formula from the architecture, and next to those that a source reports."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitok_lib.cost.flops import vitok_flops
from vitok_lib.report.data.formatting import held_number
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.data.speedups import times
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import digits
from vitok_lib.report.page.templates import sentences
from vitok_lib.report.tables.machine.flops import PETA, by_formula, variant_named
from vitok_lib.tokenizers.vitok.variant import parse_variant

say = sentences("flops")


def where_attention_equals_linear(names: Sequence[str]) -> list[Sentence]:
    """Of each ViTok the number of tokens from which full attention takes more FLOPs than all matrices.

    Matrices take a·N FLOPs and full attention b·N², so that the two are equal at N = a / b.

    Raises:
        RequestError: a name is no ViTok.
    """
    found: list[Sentence] = []
    for name in names:
        variant = variant_named(name)
        one = vitok_flops(variant, variant.patch, variant.patch)
        linear, attention = one.encoder.linear + one.decoder.linear, one.encoder.attention + one.decoder.attention
        count = linear / attention
        side = by_formula(f"{variant.patch * math.sqrt(count):,.0f} px")
        found.append(say("attention_equals_matrices", tokenizer=name, tokens=by_formula(f"{count:,.0f}"), side=side))
    return found


def patches_compared(coarse: str, fine: str, resolutions: Sequence[int]) -> list[Sentence]:
    """The FLOPs of the tokenizer with the finer patch over those of the one with the coarser, by formula.

    Raises:
        RequestError: a name is no ViTok.
    """
    found: list[Sentence] = []
    for resolution in resolutions:
        flops = [vitok_flops(variant_named(name), resolution, resolution).total for name in (fine, coarse)]
        ratio = times(flops[0] / flops[1], "FLOPs of the one over those of the other, by formula")
        found.append(say("patches", resolution=resolution, fine=fine, coarse=coarse, ratio=ratio))
    return found


def published_flops(entries: Sequence[Entry]) -> list[Sentence]:
    """The FLOPs that a source reports next to those of the matrices by the formula, where it reports any."""
    found: list[Sentence] = []
    for entry in entries:
        encoder, decoder = entry.record.value("encoder_work"), entry.record.value("decoder_work")
        variant, resolution = entry.record.tokenizer.variant, entry.record.resolution
        if not entry.published or variant is None or encoder is None or decoder is None:
            continue
        work = vitok_flops(parse_variant(variant), resolution, resolution)
        matrices = [side.linear / PETA for side in (work.encoder, work.decoder)]
        shown = [by_formula(f"{digits('work', flops)} PFLOP") for flops in matrices]
        found.append(
            say(
                "published",
                origin=entry.origin,
                tokenizer=entry.title,
                resolution=resolution,
                encoder=held_number(entry, "encoder_work", unit=True),
                encoder_matrices=shown[0],
                decoder=held_number(entry, "decoder_work", unit=True),
                decoder_matrices=shown[1],
                without_attention=[round(flops, 2) for flops in matrices] == [encoder.value, decoder.value],
            )
        )
    return found
