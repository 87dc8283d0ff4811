"""Peaks, caps and failures on a GPU, which stands in for torch.cuda here."""

from __future__ import annotations

import pytest
import torch
from torch.cuda._utils import _get_device_index

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.outcomes import Failure
from vitok_lib.measure.memory import probe as probe_module
from vitok_lib.measure.memory.peak import measure_memory
from vitok_lib.measure.memory.probe import MemoryProbe, ProbeSpec, capped
from vitok_lib.measure.memory.worker import ProbeResult
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Settings, Weights
from vitok_lib.tokenizers.interface import Latent, TokenizerSpec

GIB = 2**30
ILLEGAL = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be reported at other calls"
MESSAGE = "CUDA out of memory. Tried to allocate 33.00 GiB. GPU 0 has …"
RANDOM = RunConfig(name="w32_d2_h2/8x6", weights="random")


class OnGpu:
    """A tokenizer that is taken for one on a GPU, whose counters say what it takes."""

    spec = TokenizerSpec("on-gpu", "test", 1, 3, "a test")
    weights = Weights(source="none")
    settings = Settings(device="cpu", dtype="float32")

    def encode(self, images: torch.Tensor) -> Latent:
        return Latent(images.movedim(1, -1), *images.shape[2:])

    def decode(self, latent: Latent) -> torch.Tensor:
        return latent.values.movedim(-1, 1)


class FakeGpu:
    """Stands for torch.cuda: 80 GiB, 1 GiB in use by others, peaks as given; a ``lost`` one answers with errors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, peaks: list[int]) -> None:
        self.fractions: list[float] = []
        self.allocated = [GIB, 3 * GIB]  # before and after loading
        self.peaks = peaks
        self.lost = False
        properties = type("Properties", (), {"total_memory": 80 * GIB})
        for name, value in {
            "is_available": lambda: True,
            "is_initialized": lambda: True,
            "device_count": lambda: 1,
            "current_device": lambda: 0,
            "get_device_properties": lambda device: properties,
            "memory_allocated": lambda device: self.allocated.pop(0),
            "max_memory_allocated": lambda device: self.peaks.pop(0),
            "reset_peak_memory_stats": lambda device: None,
            "set_per_process_memory_fraction": self.set_fraction,
            "synchronize": self.answer,
            "empty_cache": self.answer,
            "mem_get_info": self.answer,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)

    def answer(self, device: object = None) -> tuple[int, int]:
        if self.lost:
            raise torch.AcceleratorError(ILLEGAL)
        return 79 * GIB, 80 * GIB

    def set_fraction(self, fraction: float, device: object) -> None:
        self.answer()
        assert _get_device_index(device) == 0, "it takes no device without a number"
        self.fractions.append(fraction)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_cap_on_a_gpu_leaves_the_others_their_memory_and_goes_afterwards(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = FakeGpu(monkeypatch, [])
    with pytest.raises(torch.OutOfMemoryError), capped(device, 24 * GIB, 1 * GIB):
        raise torch.OutOfMemoryError
    assert gpu.fractions == [25 / 80, 1.0]
    with capped(device, None, 0):
        pass
    assert len(gpu.fractions) == 2


def test_on_a_gpu_the_allocator_counts_less_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, [11 * GIB, 12 * GIB])
    monkeypatch.setattr(probe_module, "load", lambda config: OnGpu())
    probe = MemoryProbe(ProbeSpec(RANDOM.replace(device="cuda"), limit_gib=24))
    result = probe.attempt(32)
    assert (result.weights, result.model_peak, result.evaluation_peak) == (2 * GIB, 10 * GIB, 11 * GIB)
    assert gpu.fractions == [25 / 80, 1.0]


def test_what_runs_out_of_memory_on_a_gpu_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeGpu(monkeypatch, [])

    class Large(OnGpu):
        def encode(self, images: torch.Tensor) -> Latent:
            raise torch.OutOfMemoryError(MESSAGE)

    monkeypatch.setattr(probe_module, "load", lambda config: Large())
    result = MemoryProbe(ProbeSpec(RANDOM.replace(device="cuda"), limit_gib=24)).attempt(32)
    assert result == ProbeResult(Failure(OutcomeStatus.OOM, MESSAGE, 33 * GIB), 2 * GIB)


class Failing(OnGpu):
    """Fails on images of 32 px, on one that is ``lost`` with it for good."""

    def __init__(self, gpu: FakeGpu, lost: bool) -> None:
        self.gpu, self.lose = gpu, lost

    def encode(self, images: torch.Tensor) -> Latent:
        if images.shape[2] == 32:
            self.gpu.lost = self.lose
            raise torch.AcceleratorError(ILLEGAL if self.lose else "CUDA error: invalid configuration argument")
        return super().encode(images)


def test_what_loses_the_gpu_ends_every_try_that_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, [])
    monkeypatch.setattr(probe_module, "load", lambda config: Failing(gpu, lost=True))
    probe = MemoryProbe(ProbeSpec(RANDOM.replace(device="cuda"), limit_gib=24))
    first, second = probe.attempt(32), probe.attempt(16)
    probe.close()
    assert first.failure is not None
    assert second.failure is not None
    assert first.failure.status is second.failure.status is OutcomeStatus.ERROR
    assert first.failure.detail.startswith("AcceleratorError: CUDA error: an illegal memory access")
    expected = f"nothing runs on 'cuda' in this process any more, after 32 px ended in {first.failure.detail}"
    assert second.failure.detail == expected
    monkeypatch.setattr(probe_module, "load", lambda config: pytest.fail("loaded"))
    gpu.allocated.append(GIB)
    record = measure_memory(RANDOM.replace(device="cuda"), resolution=16, limit_gib=24)
    assert record.outcome.status is OutcomeStatus.ERROR
    assert record.outcome.detail == "nothing runs on 'cuda' in this process any more, after an earlier error"
    assert record.values == ()


def test_an_error_that_does_not_lose_the_gpu_is_of_its_try_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, [2 * GIB] * 2)
    monkeypatch.setattr(probe_module, "load", lambda config: Failing(gpu, lost=False))
    probe = MemoryProbe(ProbeSpec(RANDOM.replace(device="cuda"), limit_gib=24))
    assert [probe.attempt(side).fits for side in (32, 16)] == [False, True]
    assert gpu.fractions == [25 / 80, 1.0] * 2


def test_a_cap_beyond_the_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeGpu(monkeypatch, [])
    monkeypatch.setattr(probe_module, "load", lambda config: OnGpu())
    with pytest.raises(RequestError, match=r"memory limit \(=96 GiB\) is more than the 80 GiB that 'cuda' has"):
        MemoryProbe(ProbeSpec(RANDOM.replace(device="cuda"), limit_gib=96))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(RequestError, match="device 'cuda' cannot be used here"):
        measure_memory(RANDOM.replace(device="cuda"), resolution=64, limit_gib=24)
