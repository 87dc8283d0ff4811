"""Rules about what bounds a model: which layers hold its work, and where a profile was measured, its time."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.measure.work import Work, vitok_work
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claim_evidence import Figure, amount, arithmetic, on_gpu
from vitok_lib.report.entries import Entry
from vitok_lib.report.parts import Sentence
from vitok_lib.report.rulings import Claim, Entries, Ruling, Verdict, ruling
from vitok_lib.tokenizers.registry import SHIPPED, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

PETA = 1e15
PROFILE = "profile"
TIMES = ("time_linear", "time_attention", "time_convolution", "time_elementwise", "time_copy", "time_other")
MATRICES_OF_A_BLOCK = 4  # qkv_proj, out_proj, fc1, fc2
MATRICES_OF_A_SIDE = 2  # its embedding and its head
CONVOLUTION_DIMENSIONS = 3
"""The weight of a linear layer has two dimensions, that of a convolution over an image four."""

_HEADER_LENGTH = 8


def no_convolutions(claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, like: str) -> Ruling:
    """Whether the decoder has convolutions for the work to go to; ``like``: a shipped file of the same layers."""
    variant = parse_variant(find(tokenizer).architecture)
    shapes = weight_shapes(SHIPPED / like / "decoder.safetensors")
    found = sum(len(shape) >= CONVOLUTION_DIMENSIONS for shape in shapes.values())
    linear = MATRICES_OF_A_SIDE + MATRICES_OF_A_BLOCK * variant.decoder.depth
    work = vitok_work(variant, resolution, resolution).decoder.linear / PETA
    none = arithmetic(str(found), f"weights of {CONVOLUTION_DIMENSIONS} dimensions or more in the header of {like}")
    layers = arithmetic(str(linear), f"{MATRICES_OF_A_BLOCK} × {variant.decoder.depth} blocks + {MATRICES_OF_A_SIDE}")
    shown = arithmetic(amount(work, "PFLOP"), "2 × tokens × the weights of the decoder's matrices")
    evidence: list[Sentence] = [
        (f"Convolutions in the decoder of {like}, a shipped file of the same layers: ", none, "."),
        (f"The decoder of {tokenizer} has ", layers, f" linear layers; at {resolution:,} px they do ", shown, "."),
    ]
    profiles = _profiles(entries, tokenizer, resolution)
    evidence += [_time_share(entry, "time_convolution", "convolutions") for entry in profiles]
    if found:
        return ruling(Verdict.NOT_MEASURED, evidence)
    if claim.published is not None and claim.near(work):
        evidence.append(("The number that the document gives to convolutions is that of the linear layers.",))
    return ruling(Verdict.REFUTED, evidence)


def attention_is_minor(
    claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, windows: list[int]
) -> Ruling:
    """Whether attention takes less than half: of the time where that was profiled, or else of the work."""
    variant = parse_variant(find(tokenizer).architecture)
    evidence: list[Sentence] = []
    shares = []
    for window in windows:
        work = vitok_work(variant, resolution, resolution, window)
        shares.append(_attention_share(work))
        shown = arithmetic(amount(shares[-1], "%"), f"of {amount(work.total / PETA)} PFLOP")
        evidence.append((f"At window {window:,} attention is ", shown, " of the work."))
    whole = vitok_work(variant, resolution, resolution)
    shown = arithmetic(amount(_attention_share(whole), "%"), f"of {amount(whole.total / PETA)} PFLOP")
    evidence.append(("Without a window it would be ", shown, "."))
    profiles = [entry for entry in _profiles(entries, tokenizer, resolution) if entry.record.settings.window in windows]
    evidence += [_time_share(entry, "time_attention", "attention") for entry in profiles]
    decisive = [_share_of_time(entry, "time_attention") for entry in profiles] or shares
    return ruling(Verdict.CONFIRMED if max(decisive) < 100 / 2 else Verdict.REFUTED, evidence)


def weight_shapes(path: Path) -> dict[str, list[int]]:
    """The shape of each tensor, from the header of a safetensors file: its length in 8 bytes, then JSON.

    Raises:
        RequestError: there is no such file.
    """
    if not path.is_file():
        raise RequestError(f"there is no file '{path}' to read the layers from")
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(_HEADER_LENGTH))
        header = json.loads(file.read(length))
    return {name: facts["shape"] for name, facts in header.items() if name != "__metadata__"}


def _attention_share(work: Work) -> float:
    return 100 * (work.encoder.attention + work.decoder.attention) / work.total


def _profiles(entries: Entries, tokenizer: str, resolution: int) -> list[Entry]:
    return [
        entry
        for entry in on_gpu(entries, tokenizer, resolution)
        if entry.record.benchmark == PROFILE
        and entry.record.outcome.status == OutcomeStatus.OK
        and sum(_times(entry).values()) > 0
    ]


def _times(entry: Entry) -> dict[str, float]:
    return {name: value.value for name in TIMES if (value := entry.record.value(name))}


def _share_of_time(entry: Entry, quantity: str) -> float:
    times = _times(entry)
    return 100 * times.get(quantity, 0.0) / sum(times.values())


def _time_share(entry: Entry, quantity: str, what: str) -> Sentence:
    figures = [Figure(entry, value) for name in TIMES if (value := entry.record.value(name))]
    shown = arithmetic(amount(_share_of_time(entry, quantity), "%"), "share of the profiled time", *figures)
    return (f"In the profile of {entry.title} (study {entry.study}), {what} take ", shown, " of the time.")
