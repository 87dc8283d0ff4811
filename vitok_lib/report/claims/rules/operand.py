"""What a comparison compares: a quantity of a tokenizer as the document prints it, as measured, or as computed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from vitok_lib.cost.flops import block_matrices
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.report.claims.evidence import (
    PETA,
    PREDICTED,
    Figure,
    amount,
    arithmetic,
    document,
    figures_on_gpu,
    flops,
    on_gpu,
    planned,
    printed,
    released,
    resolution_of,
    say,
    variant_of,
)
from vitok_lib.report.claims.verdict import Claim, Entries
from vitok_lib.report.data.record_view import Entry
from vitok_lib.report.page.content import Number, Sentence
from vitok_lib.tokenizers.registry import describe, find

FLOPS = {"flops": ("encoder", "decoder"), "flops_encoder": ("encoder",), "flops_decoder": ("decoder",)}
PRINTED_AS = {"flops_encoder": "encoder_work", "flops_decoder": "decoder_work", "flops_convolutions": "decoder_work"}
"""The quantity by which the document prints FLOPs."""

CONVOLUTIONS, FLOAT8 = "flops_convolutions", "float8_saving"
FACTS = ("downsampling", "latent_channels")
WITHOUT_CASE = ("parameters", "window", FLOAT8, *FACTS)
ARCHITECTURE = ("tokens", CONVOLUTIONS, *FLOPS, *WITHOUT_CASE)
"""Quantities that arithmetic gives: parameters in thousands of millions, FLOPs in PFLOP, memory in GB."""

PROFILE = "profile"
TIMES = {
    "time_linear": "linear layers",
    "time_attention": "attention",
    "time_convolution": "convolutions",
    "time_elementwise": "elementwise operations",
    "time_copy": "copies",
    "time_other": "other operations",
}
"""What a profile tells apart."""

MATRICES_OF_A_BLOCK = 4  # qkv_proj, out_proj, fc1, fc2
MATRICES_OF_A_SIDE = 2  # its embedding and its head
MEASURED_AS = {
    "latency": "latency",
    "latency_max_autotune": "latency",
    "throughput": "throughput",
    "peak_memory": "evaluation_peak",
    **{name: name for name in TIMES},
}
"""Our quantity for a printed one of time or memory; it needs a GPU and no particular weights."""


class Operand(BaseModel):
    """A quantity of ``tokenizer`` on ``case``. ``compile`` selects our own runs; the document names no such mode."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    tokenizer: str
    quantity: str
    case: str | None = None
    window: int | None = None
    compile: Literal["eager", "default", "max-autotune"] | None = None

    @model_validator(mode="after")
    def _has_its_case(self) -> Self:
        if (self.case is None) != (self.quantity in WITHOUT_CASE):
            raise ValueError(f"'{self.quantity}' {'needs a' if self.case is None else 'has no'} case")
        return self

    @property
    def of_machine(self) -> bool:
        """Whether it is a time or a memory."""
        return self.quantity in MEASURED_AS

    @property
    def resolution(self) -> int:
        return resolution_of(self.case or "")

    def printed(self, entries: Entries, source: str | None = None) -> Figure | None:
        """What ``source`` gives, or None; without one, the document's figure, which has to be there.

        It prints no profile.
        """
        if self.quantity in TIMES:
            return None
        place = (entries, self.tokenizer, self.case or "", self.quantity, self.window)
        return printed(*place, source) if source else document(*place)

    def measured(self, entries: Entries, n: int | None) -> list[Figure]:
        """Our figures, the best first; of a distance over ``n`` images alone."""
        if not self.of_machine:
            found = released(entries, self.tokenizer, self.case or "", self.quantity, self.window, n)
            return [found] if found else []
        figures = figures_on_gpu(entries, self.tokenizer, self.resolution, MEASURED_AS[self.quantity], self.window)
        mode = None if self.compile == "eager" else self.compile
        return [
            figure
            for figure in figures
            if self.compile is None or figure.entry.record.settings.compile == mode
            if self.quantity != "peak_memory" or figure.entry.record.settings.batch in (None, 1)
        ]

    def predicted(self, entries: Entries) -> list[Figure]:
        """The predicted peak of one image, untiled."""
        found = planned(entries, self.tokenizer, self.resolution, PREDICTED)
        same = [figure for figure in found if figure.entry.record.settings.window == self.window]
        return [figure for figure in same if not figure.entry.record.settings.tiling]

    def computed(self, claim: Claim, entries: Entries) -> tuple[float, list[Sentence]]:
        """What arithmetic on the architecture gives, and how."""
        if self.quantity in FACTS:
            fact = getattr(describe(self.tokenizer), self.quantity)
            number = arithmetic(str(fact), f"architecture {find(self.tokenizer).architecture}")
            return fact, [say(self.quantity, tokenizer=self.tokenizer, number=number)]
        if self.quantity == "window":
            return self.window or 0, [say("window", operand=self)]
        variant = variant_of(self.tokenizer)
        if self.quantity == "parameters":
            found = variant.parameters / 1e9
            number = arithmetic(amount(found), f"{variant.parameters:,} parameters of {variant.text}")
            return found, [say("parameters", tokenizer=self.tokenizer, count=number)]
        if self.quantity == FLOAT8:
            formula = f"{variant.parameters:,} weights at one byte instead of two"
            saved = arithmetic(amount(variant.parameters / 2**30, "GiB"), formula)
            return -variant.parameters / 1e9, [say("float8_saves", saved=saved)]
        if self.quantity == "tokens":
            found = variant.tokens(self.resolution, self.resolution)
            number = arithmetic(f"{found:,}", f"({self.resolution} / {variant.patch})²")
            return found, [say("tokens", operand=self, side=self.resolution // variant.patch, count=number)]
        figure = printed(entries, self.tokenizer, self.case or "", PRINTED_AS.get(self.quantity, ""))
        stated = figure.shown if figure and figure.amount == claim.published else None
        found, evidence = (
            self._convolutions(entries, stated) if self.quantity == CONVOLUTIONS else self._flops(claim, stated)
        )
        return found, [say("printed", figure=figure), *evidence] if figure else evidence

    def _flops(self, claim: Claim, stated: Number | None) -> tuple[float, list[Sentence]]:
        work = flops(self.tokenizer, self.resolution, self.window)
        sides = [getattr(work, side) for side in FLOPS[self.quantity]]
        linear, attention, total = (
            sum(getattr(side, part) for side in sides) for part in ("linear", "attention", "total")
        )
        numbers = [
            arithmetic(amount(count / PETA, "PFLOP"), "from the architecture") for count in (linear, attention, total)
        ]
        evidence = [say("flops", operand=self, numbers=numbers)]
        if stated and claim.agrees(linear / PETA) and not claim.agrees(total / PETA):
            share = arithmetic(amount(100 * attention / total, "%"), f"{attention:,} of {total:,} FLOPs")
            evidence.append(say("linear_layers_alone", claimed=stated, share=share, total=numbers[2]))
        return total / PETA, evidence

    def _convolutions(self, entries: Entries, stated: Number | None) -> tuple[float, list[Sentence]]:
        """FLOPs of the decoder's convolutions: its linear layers hold all that is no bias, norm or scale."""
        variant = variant_of(self.tokenizer)
        side = variant.decoder
        matrices = side.depth * block_matrices(variant, side) + side.width * (variant.channels + variant.patch_values)
        layers = MATRICES_OF_A_SIDE + MATRICES_OF_A_BLOCK * side.depth
        work = flops(self.tokenizer, self.resolution).decoder.linear / PETA
        rest = variant.decoder_parameters() - matrices
        evidence = [
            say(
                "linear_layers",
                operand=self,
                layers=arithmetic(str(layers), f"{MATRICES_OF_A_BLOCK} × {side.depth} blocks + {MATRICES_OF_A_SIDE}"),
                flops=arithmetic(amount(work, "PFLOP"), "2 × tokens × the weights of the decoder's matrices"),
                weights=arithmetic(f"{matrices:,}", f"of {variant.decoder_parameters():,} parameters of the decoder"),
                rest=arithmetic(f"{rest:,}", f"{variant.decoder_parameters():,} − {matrices:,}"),
            )
        ]
        evidence += [
            time_share(entry, "time_convolution") for entry in profiles(entries, self.tokenizer, self.resolution)
        ]
        return 0.0, [*evidence, say("no_convolutions", operand=self, stated=stated)]


def profiles(entries: Entries, tokenizer: str, resolution: int) -> list[Entry]:
    """Our profiles on a GPU, the baseline preset first."""
    return [
        entry
        for entry in on_gpu(entries, tokenizer, resolution)
        if entry.record.benchmark == PROFILE
        and entry.record.outcome.status == OutcomeStatus.OK
        and sum(_times(entry).values()) > 0
    ]


def time_share(entry: Entry, quantity: str) -> Sentence:
    """The share of the profiled time that a type of operation takes."""
    times = _times(entry)
    share = 100 * times.get(quantity, 0.0) / sum(times.values())
    figures = [Figure(entry, value) for name in times if (value := entry.record.value(name))]
    shown = arithmetic(amount(share, "%"), "share of the profiled time", *figures)
    value = entry.record.value(quantity)
    time = Figure(entry, value).shown if value else None
    return say("time_share", entry=entry, share=shown, time=time, operations=TIMES[quantity])


def _times(entry: Entry) -> dict[str, float]:
    return {name: value.value for name in TIMES if (value := entry.record.value(name))}
