"""The fake machine, and a folder of images, for tests of speed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.images import encoded, write_folder
from tests.measure.speed.fake_machine import FakeMachine
from vitok_lib.measure.speed.timer import Clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "images", {f"{index}.png": encoded(index, (64, 40)) for index in range(3)})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMachine]:
    fake = FakeMachine()

    class FakeClock(Clock):
        def time(self, call: Callable[[], Any]) -> tuple[Any, float]:
            began = fake.now
            return call(), fake.now - began

    reached = {"float32": 2e12, "bfloat16": 2e12, "fp8": 8e12}  # FLOP/s
    monkeypatch.setattr("vitok_lib.measure.speed.interleaved.Clock", FakeClock)
    monkeypatch.setattr("vitok_lib.measure.speed.state.load", fake.load)
    monkeypatch.setattr("vitok_lib.measure.speed.numerical_error.load", fake.load)
    monkeypatch.setattr(
        "vitok_lib.measure.speed.benchmark.measure_peak_rates",
        lambda precisions, *_: {name: reached[name] for name in precisions} | {"copy": 3e9},
    )
    yield fake
    gc.collect()
