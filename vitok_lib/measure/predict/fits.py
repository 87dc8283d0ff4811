"""Will it fit, how fast? Every tokenizer in the configuration that suits it, on a GPU that need not be here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitok_lib.cost.gpus import Gpu
from vitok_lib.cost.roofline import least_seconds
from vitok_lib.measure.predict.plan import predict
from vitok_lib.measure.predict.prediction import Plan
from vitok_lib.records.config import RunConfig
from vitok_lib.tokenizers.load import CONVOLUTIONAL
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import find
from vitok_lib.tokenizers.vitok.variant import parse_variant

FULL_ATTENTION_TOKENS, WINDOW = 65_536, 1024
"""Above this many tokens ViTok-v2 was published with a sliding window of this radius in tokens."""
_GIB = 2**30
_SETTINGS = ("device", "dtype", "window", "batch", "tiling", "precision", "attention", "folded", "chunk")


def plan_of(config: RunConfig, resolution: int) -> Plan:
    """The plan of a configuration; its preset counts as what it sets."""
    resolved = resolve(config)
    return predict(config.name, resolution, **{name: getattr(resolved, name) for name in _SETTINGS})


@dataclass(frozen=True)
class Fit:
    """A plan against ``memory`` bytes of a GPU; ``gpu`` None: only its memory is known."""

    config: RunConfig
    plan: Plan
    memory: int
    gpu: Gpu | None

    @property
    def fits(self) -> bool | None:
        """Whether the peak with its margin fits; None where nothing is known."""
        peak = self.plan.bytes_with_margin
        return None if peak is None else peak <= self.memory

    @property
    def least_seconds(self) -> float | None:
        """A lower bound: what encoding and decoding take at the peaks of the GPU's data sheet."""
        plan = self.plan
        if self.gpu is None or plan.encode_work is None or plan.decode_work is None:
            return None
        rates = self.gpu.rates(plan.precision)
        sides = ((plan.encode_work, plan.encode_moved), (plan.decode_work, plan.decode_moved))
        return sum(least_seconds(flops, moved, rates) for flops, moved in sides)

    def as_row(self) -> dict[str, str | int]:
        """As a row of a table; an empty cell is not known."""
        predicted, peak, least = self.plan.total_bytes, self.plan.bytes_with_margin, self.least_seconds
        row: dict[str, str | int] = {
            "tokenizer": self.config.name,
            "resolution": self.plan.resolution,
            "configuration": _described(self.config),
            "peak": "" if predicted is None else f"{predicted / _GIB:.3g} GiB",
            "with margin": "" if peak is None else f"{peak / _GIB:.3g} GiB",
            "fits": {True: "yes", False: "no", None: ""}[self.fits],
        }
        return row if self.gpu is None else row | {"least s": "" if least is None else f"{least:.3g}"}


def fits_on(names: Sequence[str], resolution: int, memory: int, gpu: Gpu | None, given: Mapping[str, Any]) -> list[Fit]:
    """Each tokenizer in each configuration that suits it, against ``memory`` bytes.

    Raises:
        RequestError: a name or the size is none, a ``given`` setting does not apply, or the GPU lacks a precision.
    """
    configs = [config for name in names for config in _suitable(name, resolution, given)]
    return [Fit(config, plan_of(config, resolution), memory, gpu) for config in configs]


def _suitable(name: str, resolution: int, given: Mapping[str, Any]) -> Iterator[RunConfig]:
    """bf16 on a GPU, apart from what is ``given``: ViToks attend as published, auto-encoders untiled and in tiles."""
    entry = find(name)
    options: dict[str, Any] = {"device": "cuda", "dtype": "bfloat16", **given}
    if entry.family == "vitok" and "window" not in given:
        tokens = parse_variant(entry.architecture).tokens(resolution, resolution)
        options["window"] = WINDOW if tokens > FULL_ATTENTION_TOKENS else None
    yield RunConfig(name=name, **options)
    if entry.family in CONVOLUTIONAL and "tiling" not in given:
        yield RunConfig(name=name, **options, tiling=True)


def _described(config: RunConfig) -> str:
    """How the tokenizer runs, in a few words; bf16 and one image at a time are not said."""
    family = find(config.name).family
    words = []
    if family == "vitok":
        words.append("full attention" if config.window is None else f"window {config.window}")
    elif family in CONVOLUTIONAL:
        words.append("in tiles" if config.tiling else "untiled")
    usual = {"device": "cuda", "dtype": "bfloat16"}
    words += [
        f"{name} {value}"
        for name, value in config.options.items()
        if usual.get(name) != value and name not in ("window", "tiling")
    ]
    return ", ".join(words)
