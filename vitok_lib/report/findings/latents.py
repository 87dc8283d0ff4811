"""Findings on latents: how many channels they use, and what a shift of the latent or noise in it costs."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.report.data.formatting import held_number
from vitok_lib.report.data.record_view import Entry, of_case
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.templates import sentences

say = sentences("latents")


def latents_measured(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """A sentence on the effective ranks of ``case``, and for each tokenizer one on shifts and one on noise.

    Raises:
        RequestError: there is no record of ``case``.
    """
    held = of_case(entries, case)
    ranks = [
        {"name": entry.title, "rank": rank, "channels": entry.record.tokenizer.latent_channels}
        for entry in held
        if (rank := held_number(entry, "effective_rank"))
    ]
    found = [say("rank", case=case, of=ranks)] if ranks else []
    for macro, quantities in (
        ("shift", {"quarter": "shift_quarter_loss", "whole": "shift_whole_loss"}),
        ("noise", {"clean": "noise_0_psnr", "small": "noise_10_psnr", "large": "noise_100_psnr"}),
    ):
        for entry in held:
            numbers = {name: held_number(entry, quantity, unit=True) for name, quantity in quantities.items()}
            if all(numbers.values()):
                found.append(say(macro, case=case, name=entry.title, **numbers))
    return found
