"""Findings on the true rate: which tokenizers need more bits than a codec at equal quality."""

from __future__ import annotations

from collections.abc import Sequence

from vitok_lib.metrics.quantities import RATE_QUALITIES
from vitok_lib.report.data.rate_curves import RateCurve, bd_rate, curves
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Sentence
from vitok_lib.report.page.labels import name_of
from vitok_lib.report.page.templates import sentences

say = sentences("rate")

BASELINES = ("jpeg", "avif")
"""The oldest codec here and, of those that everybody can open, the newest."""


def against_codec(entries: Sequence[Entry], case: str) -> list[Sentence]:
    """Which learned tokenizers take significantly more, or less, rate than JPEG, and than AVIF, at each equal quality.

    Where the curves of fewer than half of the images share a part, the two are not compared.
    """
    found = []
    for quality in RATE_QUALITIES:
        held = curves(entries, case, quality)
        learned = [curve for curve in held if curve.entry.record.tokenizer.family != "codec"]
        by_name = {curve.name: curve for curve in held}
        found += [_against(learned, by_name[name], case) for name in BASELINES if learned and name in by_name]
    return found


def _against(learned: Sequence[RateCurve], base: RateCurve, case: str) -> Sentence:
    every = {curve.name: bd_rate(curve, base, len(learned)) for curve in learned}
    found = {name: each for name, each in every.items() if each and 2 * each.n >= each.images}
    more = [name for name, each in found.items() if each.clear and each.mean > 0]
    less = [name for name, each in found.items() if each.clear and each.mean < 0]
    unclear = [name for name, each in found.items() if not each.clear]
    apart = [name for name in every if name not in found]
    names = {"case": case, "baseline": base.name, "quality": name_of(base.quality)}
    return say("against_codec", **names, more=more, less=less, unclear=unclear, apart=apart)
