"""GPUs as their makers specify them: memory, peak throughput and peak bandwidth, each with its source.

Peaks of a data sheet are never reached: a time derived from them is the least that the work can take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vitok_lib.cost.peak_rates import GIGA, TERA, PeakRates
from vitok_lib.errors import RequestError, unknown

FP8 = "fp8"


@dataclass(frozen=True)
class Gpu:
    """``memory_gb`` in 10⁹ bytes; ``bf16`` and ``fp8`` in TFLOP/s of dense matrix products summed in float32, ``fp8``
    None where the GPU has no such unit; ``bandwidth`` in GB/s; ``source`` names the maker's document.

    A "24 GB" GPU holds 24 · 2³⁰ bytes. Counting 10⁹ for each GB leaves 7 % for the driver, the CUDA context and error
    correction, so that a prediction errs on the safe side.
    """

    name: str
    memory_gb: int
    bf16: float
    fp8: float | None
    bandwidth: float
    source: str

    @property
    def memory_bytes(self) -> int:
        """Memory that a model can count on."""
        return self.memory_gb * 10**9

    def is_called(self, name: str) -> bool:
        """Whether ``name`` is this GPU's, in any spelling, with or without its maker and its memory."""
        plain = _plain(self.name)
        return _plain(name) in (plain, f"{plain}{self.memory_gb}gb")

    def rates(self, precision: str | None = None) -> PeakRates:
        """The specified peak rates for linear layers in bf16 or, with ``precision`` ``"fp8"``, in fp8.

        Raises:
            RequestError: the GPU has no fp8 units.
        """
        if precision == FP8 and self.fp8 is None:
            raise RequestError(f"GPU '{self.name}' has no fp8 units; leave the precision out, or name a newer GPU")
        matmul = self.fp8 if precision == FP8 and self.fp8 is not None else self.bf16
        return PeakRates(matmul * TERA, self.bandwidth * GIGA, self.bf16 * TERA)


_ADA = "NVIDIA Ada GPU Architecture whitepaper, version 2.02, appendix A"
_AMPERE = "NVIDIA Ampere GA102 GPU Architecture whitepaper, version 2.1, table 3"
_BLACKWELL = "NVIDIA RTX Blackwell GPU Architecture whitepaper, version 1.1, appendix A"

GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("RTX 3090", 24, 71.0, None, 936, _AMPERE),
        Gpu("RTX 4080", 16, 97.5, 194.9, 716.8, _ADA),
        Gpu("RTX 4090", 24, 165.2, 330.3, 1008, _ADA),
        Gpu("RTX 5090", 32, 209.5, 419.0, 1792, _BLACKWELL),
        Gpu("A10", 24, 125.0, None, 600, "NVIDIA A10 data sheet"),
        Gpu("L4", 24, 121.0, 242.5, 300, "NVIDIA L4 data sheet"),
        Gpu("RTX A6000", 48, 154.8, None, 768, "NVIDIA RTX A6000 data sheet"),
        Gpu("RTX 6000 Ada", 48, 364.2, 728.5, 960, "NVIDIA RTX 6000 Ada Generation data sheet"),
        Gpu("L40S", 48, 362.05, 733.0, 864, "NVIDIA L40S data sheet"),
        Gpu("A100 40GB", 40, 312.0, None, 1555, "NVIDIA A100 Tensor Core GPU data sheet"),
        Gpu("A100 80GB", 80, 312.0, None, 2039, "NVIDIA A100 Tensor Core GPU data sheet"),
        Gpu("H100", 80, 989.4, 1978.9, 3350, "NVIDIA H100 Tensor Core GPU data sheet, SXM"),
        Gpu("H200", 141, 989.4, 1978.9, 4800, "NVIDIA H200 Tensor Core GPU data sheet, SXM"),
        Gpu("B200", 180, 2250.0, 4500.0, 8000, "NVIDIA HGX B200 data sheet"),
    )
}

_MAKER = re.compile(r"nvidia|geforce|tesla|sxm\d?|hbm\d?e?|[^a-z0-9]")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(MiB|GiB|GB)", re.IGNORECASE)
_UNITS = {"mib": 2**20, "gib": 2**30, "gb": 10**9}


def find_gpu(name: str) -> Gpu:
    """The GPU called ``name``; spelling, case and the maker's name do not matter, as in ``"NVIDIA H100 80GB HBM3"``.

    Raises:
        RequestError: it is not in the table; the nearest names are given.
    """
    for gpu in GPUS.values():
        if gpu.is_called(name):
            return gpu
    raise unknown("GPU", name, GPUS)


def parse_memory(text: str) -> int:
    """Bytes of a memory size such as ``24GiB``, ``24GB`` (10⁹ bytes each) or ``512MiB``.

    Raises:
        RequestError: the text is no size above 0.
    """
    read = _MEMORY.fullmatch(text.strip())
    size = int(float(read[1]) * _UNITS[read[2].lower()]) if read else 0
    if size <= 0:
        raise RequestError(f"memory '{text}' must read like 24GiB, 24GB or 512MiB")
    return size


def _plain(name: str) -> str:
    return _MAKER.sub("", name.lower())
