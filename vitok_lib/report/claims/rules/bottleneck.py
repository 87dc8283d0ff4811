"""What takes the time of a model: FLOPs are shown, a profile decides.

Only what a model has none of is ruled out without a profile.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Literal

from vitok_lib.cost.flops import Flops
from vitok_lib.errors import RequestError
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import PETA, Figure, amount, arithmetic, flops, on_gpu, say, variant_of
from vitok_lib.report.claims.verdict import Claim, Entries, EvaluatedClaim, Rule, Verdict, decide
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.tokenizers.registry import SHIPPED

PROFILE = "profile"
ATTENTION, CONVOLUTION = "time_attention", "time_convolution"
TIMES = {
    "time_linear": "linear layers",
    ATTENTION: "attention",
    CONVOLUTION: "convolutions",
    "time_elementwise": "elementwise operations",
    "time_copy": "copies",
    "time_other": "other operations",
}
MATRICES_OF_A_BLOCK = 4  # qkv_proj, out_proj, fc1, fc2
MATRICES_OF_A_SIDE = 2  # its embedding and its head
CONVOLUTION_DIMENSIONS = 3
"""The weight of a linear layer has two dimensions, that of a convolution over an image four."""

_HEADER_LENGTH = 8


class Convolutions(Rule):
    """Whether the decoder has convolutions; ``like`` is a shipped file of the same layers."""

    name: Literal["convolutions"]
    tokenizer: str
    resolution: int
    like: str

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        depth = variant_of(self.tokenizer).decoder.depth
        shapes = weight_shapes(SHIPPED / self.like / "decoder.safetensors")
        found = sum(len(shape) >= CONVOLUTION_DIMENSIONS for shape in shapes.values())
        linear = flops(self.tokenizer, self.resolution).decoder.linear / PETA
        none = arithmetic(str(found), f"weights of {CONVOLUTION_DIMENSIONS} dimensions or more in {self.like}")
        layers = arithmetic(
            str(MATRICES_OF_A_SIDE + MATRICES_OF_A_BLOCK * depth),
            f"{MATRICES_OF_A_BLOCK} × {depth} blocks + {MATRICES_OF_A_SIDE}",
        )
        shown = arithmetic(amount(linear, "PFLOP"), "2 × tokens × the weights of the decoder's matrices")
        evidence = [
            say("convolutions", like=self.like, count=none),
            say("linear_layers", rule=self, layers=layers, flops=shown),
            *(_time_share(entry, CONVOLUTION) for entry in _profiles(entries, self.tokenizer, self.resolution)),
        ]
        if found:
            return decide(claim, Verdict.NOT_MEASURED, evidence)
        evidence.append(say("no_convolutions"))
        if claim.published is not None and claim.near(linear):
            evidence.append(say("flops_of_linear_layers"))
        return decide(claim, Verdict.REFUTED, evidence)


class AttentionIsMinor(Rule):
    """Whether another type of operation takes more time than attention, in a profile on a GPU.

    One of the widest window confirms; of any window, one in which attention takes the most refutes.
    """

    name: Literal["attention-is-minor"]
    tokenizer: str
    resolution: int
    windows: list[int]

    def evaluate(self, claim: Claim, entries: Entries) -> EvaluatedClaim:
        evidence = [
            say(
                "attention_share", window=window, share=_attention_share(flops(self.tokenizer, self.resolution, window))
            )
            for window in (*self.windows, None)
        ]
        profiles: dict[int, Entry] = {}
        for entry in _profiles(entries, self.tokenizer, self.resolution):
            if entry.record.settings.window in self.windows:
                profiles.setdefault(entry.record.settings.window, entry)  # the baseline preset comes first
        for entry in profiles.values():
            evidence += [_time_share(entry, name) for name in dict.fromkeys((ATTENTION, _slowest(entry)))]
        if any(_slowest(entry) == ATTENTION for entry in profiles.values()):
            return decide(claim, Verdict.REFUTED, evidence)
        if max(self.windows) in profiles:
            return decide(claim, Verdict.CONFIRMED, evidence)
        evidence.append(say("to_decide_bottleneck", rule=self, window=max(self.windows)))
        return decide(claim, Verdict.NOT_MEASURED, evidence)


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


def _attention_share(work: Flops) -> Number:
    share = 100 * (work.encoder.attention + work.decoder.attention) / work.total
    return arithmetic(amount(share, "%"), f"of {amount(work.total / PETA)} PFLOP")


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
    return say("time_share", entry=entry, share=shown, operations=TIMES[quantity])
