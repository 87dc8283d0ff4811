"""Rules about what bounds a model, which is a matter of its time: operations are shown, a profile decides.

Only what a model has none of is ruled out without one, since what is not there takes no time.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

from vitok_lib.cost.flops import Work, vitok_work
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import Figure, amount, arithmetic, on_gpu
from vitok_lib.report.claims.verdict import Claim, Entries, Ruling, Verdict, ruling
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Sentence
from vitok_lib.tokenizers.registry import SHIPPED, find
from vitok_lib.tokenizers.vitok.variant import parse_variant

PETA = 1e15
PROFILE = "profile"
ATTENTION = "time_attention"
TIMES = {
    "time_linear": "linear layers",
    ATTENTION: "attention",
    "time_convolution": "convolutions",
    "time_elementwise": "elementwise operations",
    "time_copy": "copies",
    "time_other": "other operations",
}
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
    evidence += [_time_share(entry, "time_convolution") for entry in profiles]
    if found:
        return ruling(Verdict.NOT_MEASURED, evidence)
    evidence.append(("What is not there takes no time.",))
    if claim.published is not None and claim.near(work):
        evidence.append(("The number that the document gives to convolutions is that of the linear layers.",))
    return ruling(Verdict.REFUTED, evidence)


def attention_is_minor(
    claim: Claim, entries: Entries, *, tokenizer: str, resolution: int, windows: list[int]
) -> Ruling:
    """Whether some other kind of operation takes more time than attention, in a profile on a GPU.

    One of the widest window confirms it; of any window, one that shows attention to take the most refutes it.
    """
    variant = parse_variant(find(tokenizer).architecture)
    evidence: list[Sentence] = []
    for window in windows:
        work = vitok_work(variant, resolution, resolution, window)
        shown = arithmetic(amount(_attention_share(work), "%"), f"of {amount(work.total / PETA)} PFLOP")
        evidence.append((f"At window {window:,} attention is ", shown, " of the work."))
    whole = vitok_work(variant, resolution, resolution)
    shown = arithmetic(amount(_attention_share(whole), "%"), f"of {amount(whole.total / PETA)} PFLOP")
    evidence.append(("Without a window it would be ", shown, "."))
    profiles: dict[int, Entry] = {}
    for entry in _profiles(entries, tokenizer, resolution):
        if entry.record.settings.window in windows:
            profiles.setdefault(entry.record.settings.window, entry)  # the plain path comes first
    for entry in profiles.values():
        evidence += [_time_share(entry, name) for name in dict.fromkeys((ATTENTION, _slowest(entry)))]
    if any(_slowest(entry) == ATTENTION for entry in profiles.values()):
        return ruling(Verdict.REFUTED, evidence)
    if max(windows) in profiles:
        return ruling(Verdict.CONFIRMED, evidence)
    evidence.append(
        (
            "A bottleneck is what takes the most time, which counted operations do not tell; a profile on a GPU of "
            f"{tokenizer} at {resolution:,} px and window {max(windows):,} would.",
        )
    )
    return ruling(Verdict.NOT_MEASURED, evidence)


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


def _slowest(entry: Entry) -> str:
    times = _times(entry)
    return max(times, key=lambda name: times[name])


def _time_share(entry: Entry, quantity: str) -> Sentence:
    times = _times(entry)
    share = 100 * times.get(quantity, 0.0) / sum(times.values())
    figures = [Figure(entry, value) for name in TIMES if (value := entry.record.value(name))]
    shown = arithmetic(amount(share, "%"), "share of the profiled time", *figures)
    where = f"In the profile of {entry.title} (study {entry.study}), "
    return (where, shown, f" of the time goes to {TIMES[quantity]}.")
