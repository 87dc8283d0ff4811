"""Which errors say that memory ran out, and which that a GPU is lost."""

from __future__ import annotations

import pytest
import torch

from vitok_lib.measure.common.outcomes import is_gpu_lost, is_out_of_memory, requested_bytes


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("CUDA driver error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:126] . DefaultCPUAllocator: can't allocate memory"),
        MemoryError("Unable to allocate 7.63 MiB for an array"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_memory_that_ran_out_is_told_by_type_or_words(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"),
        RuntimeError("out of resource: shared memory, Required: 245760, Hardware limit: 232448"),
        ValueError("out of memory"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_other_errors_are_none_of_memory(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_the_bytes_asked_for_are_told_where_the_message_has_them() -> None:
    assert requested_bytes(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")) == 2 * 2**30
    assert requested_bytes(torch.AcceleratorError("CUDA error: out of memory")) is None


def test_a_card_is_lost_once_it_answers_with_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def illegal() -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "synchronize", illegal)
    assert not is_gpu_lost(), "nothing ran on a GPU so far"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert is_gpu_lost()
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert not is_gpu_lost()
