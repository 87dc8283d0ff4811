"""A tokenizer whose output is no reconstruction ends no measurement as ok, and is named with what it gave."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.fakes.terminal import status_of
from tests.fakes.tokenizers import Identity
from vitok_lib.errors import RequestError
from vitok_lib.measure.memory.worker import measure_peaks
from vitok_lib.measure.quality.evaluate import evaluate, reconstruct_pixels
from vitok_lib.measure.speed.profile import measure_profile
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.records.store import read_records
from vitok_lib.tokenizers.conformance import check
from vitok_lib.tokenizers.interface import Latent
from vitok_lib.tokenizers.outputs import NonFiniteError, check_finite

WRONG: dict[str, Callable[[Tensor], Any]] = {
    "uint8": lambda images: ((images + 1) * 127.5).to(torch.uint8),
    "complex64": lambda images: images.to(torch.complex64),
    "one channel": lambda images: images[:, :1],
    "too narrow": lambda images: images[..., 1:],
    "an image too many": lambda images: torch.cat([images, images[:1]]),
    "no batch": lambda images: images[0],
    "ndarray": lambda images: images.numpy(),
    "NoneType": lambda images: None,
}
LATENTS: dict[str, Callable[[Latent], Any]] = {
    "a Tensor": lambda latent: latent.values,
    "a Latent with a list": lambda latent: Latent(latent.values.tolist(), latent.height, latent.width),  # type: ignore[arg-type]
    "[0, ": lambda latent: Latent(latent.values[:0], latent.height, latent.width),
}
MODULE = """
import torch
from tests.tokenizers.test_outputs import LATENTS, WRONG, Broken, BrokenLatent, NotFinite

def make():
    return {made}
"""


class Broken(Identity):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def decoded(self, images: Tensor) -> Any:
        return WRONG[self.kind](images)


class BrokenLatent(Identity):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def encode(self, images: Tensor) -> Any:
        return LATENTS[self.kind](super().encode(images))

    def decode(self, latent: Any) -> Tensor:
        return torch.zeros(1, 3, 16, 16)


class NotFinite(Identity):
    def decoded(self, images: Tensor) -> Tensor:
        return images.index_fill(3, torch.tensor([0]), torch.nan)


class _Meter:
    def start(self, held: int) -> None:
        pass

    def peak(self) -> int:
        return 1


ALL = [*(Broken(kind) for kind in WRONG), *(BrokenLatent(kind) for kind in LATENTS)]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Make a module with a factory of what the expression makes; its name."""

    def named(made: str) -> str:
        module = f"outputs_{tmp_path.name}_{abs(hash(made))}"
        (tmp_path / f"{module}.py").write_text(MODULE.format(made=made), encoding="utf-8")
        return f"{module}:make"

    monkeypatch.syspath_prepend(tmp_path)
    return named


@pytest.mark.parametrize("tokenizer", ALL, ids=lambda tokenizer: tokenizer.kind)
def test_what_is_no_reconstruction_is_refused_by_an_evaluation_and_named(tokenizer: Any) -> None:
    with pytest.raises(RequestError, match=r"tokenizer 'identity' (gave|encoded)") as caught:
        evaluate(tokenizer, images="leaves", resolution=16, samples=2, batch=2, workers=0)
    words = {"one channel": "[2, 1, 16, 16]", "an image too many": "[3, 3, 16, 16]"}
    words |= {"too narrow": "[2, 3, 16, 15]", "no batch": "[3, 16, 16]"}
    assert words.get(tokenizer.kind, tokenizer.kind) in str(caught.value)
    assert not read_records()


@pytest.mark.parametrize("tokenizer", [*ALL, NotFinite()], ids=lambda tokenizer: getattr(tokenizer, "kind", "NaN"))
def test_neither_memory_nor_a_picture_nor_conformance_takes_it_for_one(tokenizer: Any) -> None:
    assert measure_peaks(tokenizer, 16, 1, _Meter(), 0).failure is not None
    with pytest.raises(ValueError, match=r"tokenizer 'identity'|finite"):
        reconstruct_pixels(tokenizer, torch.zeros(16, 16, 3, dtype=torch.uint8).numpy())
    broken = [finding for finding in check(tokenizer) if not finding.passed]
    assert "output" in {finding.rule for finding in broken} or "grid" in {finding.rule for finding in broken}
    assert not any("AttributeError" in finding.detail for finding in broken if finding.rule != "sizes")


@pytest.mark.parametrize("made", [*(f"Broken({kind!r})" for kind in WRONG), "BrokenLatent('a Tensor')", "NotFinite()"])
def test_no_timing_of_it_ends_as_ok(
    made: str, plugin: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = plugin(made)
    words = ["speed", name, "--resolution", "16", "--seconds", "0", "--iterations", "1"]
    assert status_of(monkeypatch, *words) == (1 if made == "NotFinite()" else 2)
    assert ("finite" if made == "NotFinite()" else f"tokenizer '{name}' ") in capsys.readouterr().err
    status = OutcomeStatus.NON_FINITE if made == "NotFinite()" else OutcomeStatus.ERROR
    assert all(record.outcome.status is status and not record.value("latency") for record in read_records())


def test_a_profile_of_values_that_are_no_numbers_is_an_outcome(plugin: Callable[[str], str]) -> None:
    record = measure_profile(RunConfig(name=plugin("NotFinite()")), resolution=16)
    assert record.outcome.status is OutcomeStatus.NON_FINITE
    assert "not finite numbers" in (record.outcome.detail or "")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_one_value_that_is_no_finite_number_is_found_in_every_dtype(dtype: torch.dtype) -> None:
    images = torch.full((2, 3, 8, 8), 300.0, dtype=dtype)  # whose sum overflows in 16 bits
    check_finite(images)
    name = str(dtype).removeprefix("torch.")
    for value in (torch.nan, torch.inf, -torch.inf):
        images[1, 2, 7, 7] = value
        with pytest.raises(NonFiniteError, match=re.escape(f"0.26 % of the values of the reconstruction ({name})")):
            check_finite(images)
