"""Rules that arithmetic on an architecture decides: tokens, parameters, work by kind of layer. Nothing is run."""

from __future__ import annotations

from typing import Literal

from vitok_lib.cost.flops import SideWork, Work, vitok_work
from vitok_lib.report.claims.evidence import amount, arithmetic
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, by_tolerance, ruling
from vitok_lib.report.page.content import Sentence
from vitok_lib.tokenizers.registry import describe, find
from vitok_lib.tokenizers.vitok.variant import Variant, parse_variant

PETA = 1e15
SideName = Literal["encoder", "decoder"]


def tokens(claim: Claim, entries: Entries, *, tokenizer: str, resolution: int) -> Ruling:
    """The tokens of a square image."""
    variant = _variant(tokenizer)
    count = variant.tokens(resolution, resolution)
    rows = resolution // variant.patch
    shown = arithmetic(f"{count:,}", f"({resolution} / {variant.patch})²")
    evidence = (f"A square of {resolution:,} px is {rows} × {rows} tokens of {tokenizer}: ", shown, ".")
    return ruling(by_tolerance(claim, count), [evidence])


def token_ratio(claim: Claim, entries: Entries, *, tokenizer: str, over: str, resolution: int) -> Ruling:
    """How many times the tokens of another tokenizer."""
    first, second = (_variant(name).tokens(resolution, resolution) for name in (tokenizer, over))
    shown = arithmetic(f"{amount(first / second)}×", f"{first:,} / {second:,} tokens at {resolution} px")
    evidence = (f"At {resolution:,} px, {tokenizer} has {first:,} tokens and {over} {second:,}: ", shown, ".")
    return ruling(by_tolerance(claim, first / second), [evidence])


def window_ratio(claim: Claim, entries: Entries, *, wide: int, narrow: int) -> Ruling:
    """How many times wider one radius is than another."""
    shown = arithmetic(f"{amount(wide / narrow)}×", f"{wide} / {narrow}")
    return ruling(by_tolerance(claim, wide / narrow), [(f"The radii are {wide:,} and {narrow:,} tokens: ", shown, ".")])


def facts(claim: Claim, entries: Entries, *, tokenizer: str, downsampling: int, channels: int) -> Ruling:
    """The stride in pixels and the values of a latent position."""
    spec = describe(tokenizer)
    ours = (spec.downsampling, spec.latent_channels)
    shown = [arithmetic(str(fact), f"architecture {find(tokenizer).architecture}") for fact in ours]
    evidence = (f"{tokenizer} has ", shown[0], " px a side to a latent position, and ", shown[1], " values in it.")
    verdict = Verdict.CONFIRMED if ours == (downsampling, channels) else Verdict.REFUTED
    return ruling(verdict, [evidence])


def parameters(claim: Claim, entries: Entries, *, tokenizer: str) -> Ruling:
    """The parameters of both sides, in thousands of millions."""
    count = _variant(tokenizer).parameters
    shown = arithmetic(amount(count / 1e9), f"{count:,} parameters of {find(tokenizer).architecture}")
    return ruling(by_tolerance(claim, count / 1e9), [(f"{tokenizer} has ", shown, " thousand million parameters.")])


def side_work(
    claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, side: SideName, window: int
) -> Ruling:
    """The PFLOP of one side, attention included."""
    part = _side(vitok_work(_variant(tokenizer), resolution, resolution, window), side)
    flops = (part.linear, part.attention, part.total)
    parts = [arithmetic(amount(count / PETA, "PFLOP"), "from the architecture") for count in flops]
    start = f"The {side} at {resolution:,} px and window {window:,}: linear layers "
    evidence: list[Sentence] = [(start, parts[0], ", attention ", parts[1], ", together ", parts[2], ".")]
    if claim.near(part.linear / PETA) and not claim.near(part.total / PETA):
        evidence.append(("The document's number is that of the linear layers alone.",))
    return ruling(by_tolerance(claim, part.total / PETA), evidence)


def side_share(
    claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, side: SideName, window: int
) -> Ruling:
    """The share of one side in the work of both, in percent."""
    work = vitok_work(_variant(tokenizer), resolution, resolution, window)
    part = _side(work, side)
    share = 100 * part.total / work.total
    formula = f"{amount(part.total / PETA)} of {amount(work.total / PETA)} PFLOP at window {window}"
    shown = arithmetic(amount(share, "%"), formula)
    return ruling(by_tolerance(claim, share), [(f"The {side}'s share of the work is ", shown, f": {formula}.")])


def _variant(tokenizer: str) -> Variant:
    return parse_variant(find(tokenizer).architecture)


def _side(work: Work, side: SideName) -> SideWork:
    return work.encoder if side == "encoder" else work.decoder
