"""The table of GPUs: found by any spelling, right against what was measured, and errors that name the way out."""

from __future__ import annotations

import pytest

from vitok_lib.cost.gpus import GPUS, Gpu, find_gpu, parse_memory
from vitok_lib.errors import RequestError


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("RTX 4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("l40s", "L40S"),
    ],
)
def test_a_gpu_is_found_by_any_spelling(spelling: str, name: str) -> None:
    assert find_gpu(spelling).name == name


def test_every_name_finds_itself() -> None:
    assert [find_gpu(name).name for name in GPUS] == list(GPUS)


def test_an_unknown_gpu_names_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"unknown GPU 'RTX 4091'.*RTX 4090"):
        find_gpu("RTX 4091")


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_fp8_doubles_bf16_where_a_gpu_has_it(gpu: Gpu) -> None:

    if gpu.fp8 is None:
        with pytest.raises(RequestError, match=gpu.name):
            gpu.rates("fp8")
        return
    assert gpu.fp8 / gpu.bf16 == pytest.approx(2, rel=0.02)
    assert gpu.rates("fp8").matmul == pytest.approx(gpu.fp8 * 1e12)
    assert gpu.rates("fp8").of_attention == gpu.rates().matmul  # attention stays in bf16


def test_specified_peaks_are_above_what_one_h100_reached() -> None:
    """Large matrix products and a large copy on one NVIDIA H100: 723 TFLOP/s in bf16, 1,310 in fp8, 3.0 TB/s."""
    specified = find_gpu("H100")
    assert 0.6 < 723 / specified.bf16 < 1
    assert specified.fp8 is not None
    assert 0.6 < 1310 / specified.fp8 < 1
    assert 0.8 < 3000 / specified.bandwidth < 1


def test_memory_counts_no_more_than_the_gpu_holds() -> None:
    assert find_gpu("RTX 4090").memory_bytes == 24 * 10**9 < 24 * 2**30


@pytest.mark.parametrize(
    ("text", "size"), [("24GiB", 24 * 2**30), ("24 GB", 24 * 10**9), ("0.5gib", 2**29), ("512MiB", 2**29)]
)
def test_memory_is_read_in_binary_and_decimal_units(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["24", "GiB", "-1GiB", "0GB", "24 TiB", "nanGiB", ""])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(RequestError, match=r"memory .* must read like 24GiB"):
        parse_memory(text)
