"""Trying one tokenizer at one size after another, each try under a cap on memory where one is given.

A cap emulates a smaller GPU: what does not fit under it fails in torch's own allocator, as it would there. On a GPU
torch counts in this process, which loads a tokenizer once; an error that loses the GPU's context, such as an illegal
access, ends all tries that come after it. A CPU's memory is that of a process, so each try gets one of its own, which
the cap binds and which may die of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from vitok_lib.errors import RequestError, UnsupportedError
from vitok_lib.measure.common.device_memory import allocated_bytes, free
from vitok_lib.measure.common.outcomes import Failure, failure_of, is_gpu_lost
from vitok_lib.measure.common.reuse import Asked
from vitok_lib.measure.memory.worker import GpuMeter, ProbeResult, measure_peaks, warm
from vitok_lib.measure.predict.plan import plan_of
from vitok_lib.measure.predict.prediction import Plan
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import ImagesIdentity, OutcomeStatus
from vitok_lib.records.store import record_path
from vitok_lib.tokenizers.identify import unloaded_weights
from vitok_lib.tokenizers.interface import Tokenizer, choices_of
from vitok_lib.tokenizers.load import checked, load
from vitok_lib.tokenizers.registry import check_runs, describe

GIB = 2**30
_CHILD = "vitok_lib.measure.memory.worker"
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**17)}
"""Else glibc learns to keep what is freed, and a peak depends on the order of all that was done before it."""


@dataclass(frozen=True)
class ProbeSpec:
    """A configuration and the bounds of a try.

    ``limit_gib`` None: all that the device has. After ``time_limit`` seconds a process on a CPU is ended; None: never.

    Raises:
        RequestError: a setting does not apply to the tokenizer, or a bound is not above 0.
    """

    config: RunConfig
    limit_gib: float | None = None
    time_limit: float | None = None

    def __post_init__(self) -> None:
        check_runs(self.config.name)
        object.__setattr__(self, "config", checked(self.config))
        for bound, value in {"memory limit": self.limit_gib, "time limit": self.time_limit}.items():
            if value is not None and not value > 0:
                raise RequestError(f"{bound} (={value:g}) must be above 0, or left out")

    @property
    def limit_bytes(self) -> int | None:
        return None if self.limit_gib is None else int(self.limit_gib * GIB)

    @property
    def on_gpu(self) -> bool:
        return self.config.device.startswith("cuda")

    def plan(self, resolution: int) -> Plan | None:
        """What is predicted; None where a setting does not run here, or the GPU does not even give its memory."""
        try:
            return plan_of(self.config, resolution)
        except (UnsupportedError, torch.AcceleratorError):
            return None


class MemoryProbe:
    """A tokenizer that is ready for tries at any size; ``close`` lets go of it.

    Loading it gives its ``identity``, its ``settings`` and the ``choices`` that it made itself; ``failure`` is why it
    could not be loaded, of which every try then ends. On a CPU it is let go of at once, since each try has a process
    that loads it again.
    """

    def __init__(self, spec: ProbeSpec) -> None:
        self.spec = spec
        self.failure: Failure | None = None
        self.choices: dict[str, str] = {}
        self._tokenizer: Tokenizer | None = None
        self._others = allocated_bytes(spec.config.device)
        self._weights = 0
        self.identity = describe(spec.config.name, spec.config.blocks).identity(unloaded_weights(spec.config))
        self.settings = spec.config.settings
        try:
            if spec.on_gpu and is_gpu_lost():
                self._lose("an earlier error")
            else:
                self._check_weights()
                self._load()
        except RequestError:
            raise
        except Exception as error:  # a model raises what it likes
            self.failure = failure_of(error)
        self._check_limit()
        bounds = {"batch": spec.config.batch, "memory_limit_gib": spec.limit_gib}
        self.settings = self.settings.model_copy(update=bounds)

    def record_path(self, study: str, benchmark: str, resolution: int, **others: object) -> Path:
        """Where the record goes; ``others``: what else is unusual in the measurement, as for ``RunConfig.suffix``."""
        limit = None if self.spec.limit_gib is None else f"{self.spec.limit_gib:g}GiB"
        suffix = self.spec.config.suffix(self.identity.weights, limit=limit, **others)
        return record_path(study, benchmark, resolution, self.identity.name, suffix)

    def asked(self, images: ImagesIdentity) -> Asked:
        """What a record must be of to answer."""
        config = self.spec.config
        return Asked(
            config, self.identity, self.settings, images, device=config.device, time_limit=self.spec.time_limit
        )

    def attempt(self, resolution: int, model_alone: bool = True) -> ProbeResult:
        """Take squares of that side through it; whatever goes wrong is the failure of the result.

        ``model_alone``: the model by itself first, and then the evaluation, which is else all that is tried.
        """
        if self.failure is not None:
            return ProbeResult(self.failure)
        if self._tokenizer is None:
            return _in_a_child(self.spec, resolution, model_alone)
        result = self._on_gpu(self._tokenizer, resolution, model_alone)
        failure = result.failure
        if failure is not None and failure.status is OutcomeStatus.ERROR and is_gpu_lost():
            self._lose(f"{resolution} px ended in {failure.detail}")
        return result

    def close(self) -> None:
        self._tokenizer = None
        free()

    def _on_gpu(self, tokenizer: Tokenizer, resolution: int, model_alone: bool) -> ProbeResult:
        batch, device = self.spec.config.batch, self.spec.config.device
        with capped(device, self.spec.limit_bytes, self._others):
            try:
                warm(tokenizer, resolution, batch)
            except Exception as error:  # a model raises what it likes
                return ProbeResult(failure_of(error), self._weights)
            meter = GpuMeter(device, self._others)
            return measure_peaks(tokenizer, resolution, batch, meter, self._weights, model_alone)

    def _lose(self, why: str) -> None:
        """End all later tries, of which none would run."""
        detail = f"nothing runs on '{self.spec.config.device}' in this process any more, after {why}"
        self._tokenizer, self.failure = None, Failure(OutcomeStatus.ERROR, detail)

    def _load(self) -> None:
        tokenizer = load(self.spec.config)
        self.identity = tokenizer.spec.identity(tokenizer.weights)
        self.settings = tokenizer.settings
        self.choices = dict(choices_of(tokenizer))
        if self.spec.on_gpu:
            self._weights = allocated_bytes(self.spec.config.device) - self._others
            self._tokenizer = tokenizer

    def _check_weights(self) -> None:
        """On a CPU the system would end this process where on a GPU an allocation would fail."""
        plan = self.spec.plan(1)
        if plan is None or plan.weight_bytes is None or plan.available_bytes is None:
            return
        if not self.spec.on_gpu and plan.weight_bytes > plan.available_bytes:
            weights, there = (f"{count / GIB:.3g} GiB" for count in (plan.weight_bytes, plan.available_bytes))
            raise MemoryError(f"the weights alone take {weights}, and {there} are free")

    def _check_limit(self) -> None:
        if self._tokenizer is not None and self.spec.limit_bytes is not None:
            there = torch.cuda.get_device_properties(self.spec.config.device).total_memory
            if self.spec.limit_bytes > there:
                raise RequestError(
                    f"memory limit (={self.spec.limit_gib:g} GiB) is more than the {there / GIB:.4g} GiB that "
                    f"'{self.spec.config.device}' has; give less, or leave it out"
                )


@contextmanager
def capped(device: str, limit_bytes: int | None, others: int) -> Iterator[None]:
    """A GPU of which tensors get ``limit_bytes`` on top of the ``others`` there already; all of it again afterwards.

    What the allocator keeps in reserve counts, as it does on a smaller GPU; the context of CUDA does not.
    """
    free()
    try:
        if limit_bytes is not None:
            there = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, (limit_bytes + others) / there), _index(device))
        yield
    finally:
        if limit_bytes is not None and not is_gpu_lost():
            torch.cuda.set_per_process_memory_fraction(1.0, _index(device))
        free()


def _index(device: str) -> int:
    """Its number, which torch asks for where it sets a cap."""
    index = torch.device(device).index
    return torch.cuda.current_device() if index is None else index


def _in_a_child(spec: ProbeSpec, resolution: int, model_alone: bool) -> ProbeResult:
    asked = {
        "config": spec.config.model_dump(),
        "resolution": resolution,
        "limit_bytes": spec.limit_bytes,
        "model_alone": model_alone,
    }
    environment = {**os.environ, **GIVE_BACK, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", _CHILD]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=spec.time_limit, env=environment
        )
    except subprocess.TimeoutExpired:
        detail = f"{resolution} px took longer than {spec.time_limit:g} s, loading included"
        return ProbeResult(Failure(OutcomeStatus.TIMEOUT, detail))
    if done.returncode == 0:
        return ProbeResult.from_json(done.stdout.splitlines()[-1])
    if done.returncode == -signal.SIGKILL:
        detail = "the system killed the process, as it does when memory runs out"
        return ProbeResult(Failure(OutcomeStatus.OOM, detail))
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return ProbeResult(Failure(OutcomeStatus.ERROR, f"the process ended with status {done.returncode}: {last}"))
