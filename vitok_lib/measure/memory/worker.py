"""What one tokenizer takes at one size, found in a process that does nothing else.

``python -m vitok_lib.measure.memory.worker`` reads one JSON object from its standard input: ``config``,
``resolution``, ``limit_bytes`` or null, and ``model_alone`` as for
:func:`measure_peaks`. The last line that it prints is a :class:`ProbeResult` as JSON. What is measured of a process is
its resident memory, beyond that of the loaded and warm tokenizer, so that Python and its libraries do not count. On a
GPU torch's allocator counts; then no process is needed.
"""

from __future__ import annotations

import atexit
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from vitok_lib.errors import UnsupportedError
from vitok_lib.measure.common.outcomes import Failure, failure_of
from vitok_lib.measure.common.random_images import noise
from vitok_lib.measure.quality.metric_suite import MetricSuite
from vitok_lib.metrics.pixel import to_uint8
from vitok_lib.metrics.signature import find_metric
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.outputs import decoded, encoded

METRICS = ("psnr", "ssim")
WARM_UP = 64
"""Pixels a side of the image that loads libraries and starts threads."""
_STATUS = Path("/proc/self/status")
_FORGET_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class ProbeResult:
    """How one try ended, ``failure`` None: well; its peaks in bytes as far as it went; ``seconds`` it took."""

    failure: Failure | None = None
    weights: int | None = None
    model_peak: int | None = None
    evaluation_peak: int | None = None
    seconds: float = 0.0

    @property
    def fits(self) -> bool:
        return self.failure is None

    @classmethod
    def from_json(cls, text: str) -> ProbeResult:
        """The result that another process printed."""
        fields = json.loads(text)
        if fields["failure"] is not None:
            fields["failure"] = Failure(**fields["failure"] | {"status": OutcomeStatus(fields["failure"]["status"])})
        return cls(**fields)


class Meter(Protocol):
    """Reads the most memory in use since ``start``, in bytes; ``held`` of those in use at the start count as well."""

    def start(self, held: int) -> None: ...

    def peak(self) -> int: ...


class ProcessMeter:
    """The resident memory of this process, from Linux's ``/proc``.

    Raises:
        UnsupportedError: the system does not give it, or does not forget an earlier peak, such as that of loading.
    """

    def __init__(self) -> None:
        self._base = 0
        try:
            self.start(held=0)
        except OSError as error:
            raise UnsupportedError(f"this system does not give the peak memory of a process ({error})") from error

    def start(self, held: int) -> None:
        gc.collect()
        _FORGET_PEAK.write_text("5", encoding="ascii")
        self._base = in_use("VmRSS") - held

    def peak(self) -> int:
        return in_use("VmHWM") - self._base


class GpuMeter:
    """What torch's allocator gave to tensors on a GPU, less the ``others`` bytes that were there before loading.

    Libraries get their workspaces from it too. The context of CUDA, some hundred MiB, is not among it.
    """

    def __init__(self, device: str, others: int) -> None:
        self._device, self._others = device, others

    def start(self, held: int) -> None:
        torch.cuda.synchronize(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)

    def peak(self) -> int:
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - self._others


def in_use(field: str) -> int:
    """Bytes of a field of /proc/self/status, such as ``VmRSS``, ``VmHWM`` (its peak), ``VmData``."""
    line = _STATUS.read_text(encoding="ascii").partition(f"\n{field}:")[2].partition("\n")[0]
    return int(line.split()[0]) * 1024


def tensor_bytes(device: str) -> int:
    """Bytes of all tensors alive on ``device``, each storage once."""
    kind = torch.device(device).type
    # By type and not isinstance, which asks objects for their class and wakes lazy ones.
    tensors = [held for held in gc.get_objects() if issubclass(type(held), torch.Tensor) and held.device.type == kind]
    storages = [tensor.untyped_storage() for tensor in tensors]
    # A compiler's fake tensor names the device of the real one, and holds nothing there.
    real = [storage for storage in storages if storage.device.type == kind and storage.data_ptr()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in real}.values())


@torch.no_grad()
def warm(tokenizer: Tokenizer, resolution: int, batch: int) -> None:
    """Everything once on a small image, or where a compiler makes code for each size, on one of this size."""
    compiled = tokenizer.settings.compile is not None
    side, count = (resolution, batch) if compiled else (min(resolution, WARM_UP), 1)
    _evaluate(tokenizer, side, count)


@torch.no_grad()
def measure_peaks(
    tokenizer: Tokenizer,
    resolution: int,
    batch: int,
    meter: Meter,
    weights: int,
    model_alone: bool = True,
    capped: bool = False,
) -> ProbeResult:
    """The peaks of a warm tokenizer, whose weights take so many bytes, on ``batch`` squares of random pixels.

    The model alone encodes images that are there in its own dtype, and are let go of before it decodes; then an
    evaluation does the same from 8-bit pixels and with metrics, and holds no less. It is all that is done unless
    ``model_alone``. ``capped`` says that the memory of this process is limited.
    """
    result, began = ProbeResult(weights=weights), time.monotonic()
    try:
        if model_alone:
            result = replace(result, model_peak=_model_peak(tokenizer, resolution, batch, meter, weights))
        meter.start(weights)
        _evaluate(tokenizer, resolution, batch)
        return replace(result, evaluation_peak=meter.peak(), seconds=time.monotonic() - began)
    except Exception as error:  # a model raises what it likes
        return replace(result, failure=failure_of(error, capped=capped))


def _model_peak(tokenizer: Tokenizer, resolution: int, batch: int, meter: Meter, weights: int) -> int:
    dtype = getattr(torch, tokenizer.settings.dtype or "float32")
    images = next(noise(batch, resolution, resolution, tokenizer.settings.device or "cpu")).to(dtype)
    meter.start(weights + images.nbytes)
    latent = encoded(tokenizer, images)
    shape = images.shape
    del images
    decoded(tokenizer, latent, shape)
    return meter.peak()


def _evaluate(tokenizer: Tokenizer, resolution: int, batch: int) -> None:
    drawn = to_uint8(next(noise(batch, resolution, resolution, "cpu")))
    pixels = [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in drawn]  # as images come from files
    for result in MetricSuite(tokenizer, [find_metric(name) for name in METRICS]).measure(pixels):
        if "error" in result:
            raise ValueError(result["error"])


def cap(limit_bytes: int, weights: int) -> None:
    """Let this process have no more than ``limit_bytes`` of memory, of which its weights have some already.

    What it has besides, Python and libraries, a GPU would not hold: it does not count.
    """
    import resource  # only where a cap is asked for: Windows has none

    beside = in_use("VmData") - weights
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (beside + limit_bytes, hard))


def main() -> None:
    atexit.register(gc.freeze)  # else all of torch is searched for garbage before the process ends: half a second
    asked: dict[str, Any] = json.load(sys.stdin)
    print(json.dumps(asdict(_attempt(asked))))


def _attempt(asked: dict[str, Any]) -> ProbeResult:
    config, resolution, limit = RunConfig(**asked["config"]), asked["resolution"], asked["limit_bytes"]
    try:
        meter = ProcessMeter()
        before = tensor_bytes("cpu")
        tokenizer = load(config)
        weights = tensor_bytes("cpu") - before
        warm(tokenizer, resolution, config.batch)
        if limit is not None:
            cap(limit, weights)
    except Exception as error:  # a model raises what it likes
        return ProbeResult(failure_of(error, capped=limit is not None))
    return measure_peaks(
        tokenizer, resolution, config.batch, meter, weights, asked["model_alone"], capped=limit is not None
    )


if __name__ == "__main__":
    main()
