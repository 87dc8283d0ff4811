"""A machine where time passes only in tokenizers, each of which takes a known time."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pandas as pd
from torch import Tensor

from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record, Settings, Weights
from vitok_lib.records.store import results_root
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.presets import resolve
from vitok_lib.tokenizers.registry import describe

NAME = "w32_d2_h2/8x6"
QUICK: dict[str, Any] = {"resolution": 32, "seconds": 0.0, "iterations": 6}
MILLISECONDS = {"reference": (30.0, 50.0), "folded": (10.0, 10.0), "dense": (40.0, 40.0), "fast": (5.0, 5.0)}


class FakeMachine:
    """``now`` in milliseconds; ``log`` says which preset was called for what; ``trouble`` is called before each."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[tuple[str, str]] = []
        self.inputs: list[Tensor] = []
        self.alive: weakref.WeakSet[FakeTokenizer] = weakref.WeakSet()
        self.loaded: list[str] = []
        self.trouble: Callable[[FakeTokenizer, str], None] = lambda tokenizer, stage: None

    def load(self, config: RunConfig) -> FakeTokenizer:
        tokenizer = FakeTokenizer(self, resolve(config))
        self.loaded.append(tokenizer.preset)
        return tokenizer


class FakeTokenizer:
    """Gives images back as they are, and takes the time of its preset for it."""

    def __init__(self, machine: FakeMachine, config: RunConfig) -> None:
        self.machine, self.preset = machine, config.preset or "reference"
        self.spec = describe(config.name)
        self.weights = Weights(source=f"random:{config.seed}")
        self.settings: Settings = config.settings
        self.choices = {"kernel": f"of {self.preset}"}
        machine.alive.add(self)

    def _take(self, stage: str) -> None:
        self.machine.trouble(self, stage)
        self.machine.log.append((self.preset, stage))
        self.machine.now += MILLISECONDS[self.preset][("encode", "decode").index(stage)]

    def encode(self, images: Tensor) -> Latent:
        self.machine.inputs.append(images)
        self._take("encode")
        return Latent(images.movedim(1, -1), images.shape[2], images.shape[3])

    def decode(self, latent: Latent) -> Tensor:
        self._take("decode")
        return latent.values.movedim(-1, 1)

    def reconstruct(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))


def configs(*presets: str, **options: Any) -> list[RunConfig]:
    fields = {"name": NAME, "weights": "random", "window": 3, **options}
    return [RunConfig(preset=preset, **fields) for preset in presets]


def samples() -> list[pd.DataFrame]:
    return [pd.read_parquet(path) for path in sorted(results_root().rglob("*.parquet"))]


def values_of(record: Record) -> dict[str, float]:
    return {value.quantity: value.value for value in record.values}
