"""Trying one tokenizer at one size after another, each try under a cap on memory where one is given.

A cap stands in for a smaller card: what does not fit under it fails in torch's own allocator, as it would there. On a
GPU torch counts in this process, which loads a tokenizer once; an error that loses the card, such as an illegal
access, ends all tries that come after it. A CPU's memory is that of a process, so each try gets one of its own, which
the cap binds and which may die of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vitok_lib.errors import RequestError, UnsupportedError, unknown
from vitok_lib.measure.common.outcomes import is_gpu_lost
from vitok_lib.measure.memory.worker import CardMeter, Trial, failed, probe, warm
from vitok_lib.measure.predict.plan import predict
from vitok_lib.measure.predict.prediction import Plan
from vitok_lib.measure.speed.state import OPTIONS, allocated_bytes, free
from vitok_lib.records.schema import OutcomeStatus, Settings, TokenizerIdentity, Weights
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer
from vitok_lib.tokenizers.registry import describe

GIB = 2**30
_CHILD = "vitok_lib.measure.memory.worker"
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**17)}
"""Else glibc learns to keep what is freed, and a peak depends on the order of all that was done before it."""
_APART = ("dtype", "weights")
_PREDICTED_FROM = ("window", "tiling", "precision", "attention", "folded", "chunk")


@dataclass(frozen=True)
class Work:
    """A tokenizer as ``load_tokenizer`` takes it, so many images at once, and the bounds of a try.

    ``limit_gib`` None: all that the device has. After ``time_limit`` seconds a process on a CPU is ended; None: never.

    Raises:
        RequestError: an option, the batch or a bound is none.
    """

    name: str
    device: str
    dtype: str
    weights: str | Path
    options: Mapping[str, Any]
    batch: int = 1
    limit_gib: float | None = None
    time_limit: float | None = None

    def __post_init__(self) -> None:
        known = [option for option in OPTIONS if option not in _APART]
        for option in self.options:
            if option not in known:
                raise unknown("option of a tokenizer", option, known)
        if self.batch < 1:
            raise RequestError(f"batch (={self.batch}) must be at least 1 image")
        for bound, value in {"memory limit": self.limit_gib, "time limit": self.time_limit}.items():
            if value is not None and not value > 0:
                raise RequestError(f"{bound} (={value:g}) must be above 0, or left out")

    @property
    def arguments(self) -> dict[str, Any]:
        return {"device": self.device, "dtype": self.dtype, "weights": str(self.weights), **self.options}

    @property
    def limit_bytes(self) -> int | None:
        return None if self.limit_gib is None else int(self.limit_gib * GIB)

    @property
    def on_a_card(self) -> bool:
        return self.device.startswith("cuda")

    def as_asked(self) -> tuple[TokenizerIdentity, Settings]:
        """What is known of the tokenizer and its settings where it cannot be loaded."""
        source = f"random:{self.options.get('seed', 0)}" if self.weights == "random" else "unknown"
        named = {
            name: value
            for name, value in self.options.items()
            if name in Settings.model_fields and value is not False and value != "mode"
        }
        return describe(self.name).identity(Weights(source=source)), Settings(
            device=self.device, dtype=self.dtype, **named
        )

    def plan(self, resolution: int) -> Plan | None:
        """What is predicted; None where a setting does not run here, or the card does not even tell its memory."""
        settings = {name: value for name, value in self.options.items() if name in _PREDICTED_FROM}
        try:
            return predict(self.name, resolution, device=self.device, dtype=self.dtype, batch=self.batch, **settings)
        except (UnsupportedError, torch.AcceleratorError):
            return None


class Bench:
    """The tokenizer of some work, ready for tries at any size; ``close`` lets go of it.

    Loading it tells its ``identity``, its ``settings`` and what those ``choices`` are that it made itself; ``failure``
    is why it could not be loaded, of which every try then ends. On a CPU it is let go of at once, since each try has a
    process that loads it again.
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.failure: Trial | None = None
        self.choices: dict[str, str] = {}
        self._tokenizer: Tokenizer | None = None
        self._others = allocated_bytes(work.device)
        self._weights = 0
        self.identity, self.settings = work.as_asked()
        try:
            if work.on_a_card and is_gpu_lost():
                self._lose("an earlier error")
            else:
                self._check_weights()
                self._load()
        except RequestError:
            raise
        except Exception as error:  # a model raises what it likes
            self.failure = failed(error)
        self._check_limit()
        self.settings = self.settings.model_copy(update={"batch": work.batch, "memory_limit_gib": work.limit_gib})

    def attempt(self, resolution: int, model_alone: bool = True) -> Trial:
        """Take squares of that side through it; whatever goes wrong is the status of the trial.

        ``model_alone``: the model by itself first, and then the evaluation, which is else all that is tried.
        """
        if self.failure is not None:
            return self.failure
        if self._tokenizer is None:
            return _in_a_child(self.work, resolution, model_alone)
        trial = self._on_the_card(self._tokenizer, resolution, model_alone)
        if trial.status is OutcomeStatus.ERROR and is_gpu_lost():
            self._lose(f"{resolution} px ended in {trial.detail}")
        return trial

    def close(self) -> None:
        self._tokenizer = None
        free()

    def _on_the_card(self, tokenizer: Tokenizer, resolution: int, model_alone: bool) -> Trial:
        batch, device = self.work.batch, self.work.device
        with capped(device, self.work.limit_bytes, self._others):
            try:
                warm(tokenizer, resolution, batch)
            except Exception as error:  # a model raises what it likes
                return failed(error, Trial(weights=self._weights))
            meter = CardMeter(device, self._others)
            return probe(tokenizer, resolution, batch, meter, self._weights, model_alone)

    def _lose(self, why: str) -> None:
        """End all later tries, of which none would run."""
        detail = f"nothing runs on '{self.work.device}' in this process any more, after {why}"
        self._tokenizer, self.failure = None, Trial(status=OutcomeStatus.ERROR, detail=detail)

    def _load(self) -> None:
        tokenizer = load_tokenizer(self.work.name, **self.work.arguments)
        self.identity = tokenizer.spec.identity(tokenizer.weights)
        self.settings = tokenizer.settings
        self.choices = dict(getattr(tokenizer, "choices", {}))
        if self.work.on_a_card:
            self._weights = allocated_bytes(self.work.device) - self._others
            self._tokenizer = tokenizer

    def _check_weights(self) -> None:
        """On a CPU the system would end this process where on a GPU an allocation would fail."""
        plan = self.work.plan(1)
        if plan is None or plan.weight_bytes is None or plan.available_bytes is None:
            return
        if not self.work.on_a_card and plan.weight_bytes > plan.available_bytes:
            weights, there = (f"{count / GIB:.3g} GiB" for count in (plan.weight_bytes, plan.available_bytes))
            raise MemoryError(f"the weights alone take {weights}, and {there} are free")

    def _check_limit(self) -> None:
        if self._tokenizer is not None and self.work.limit_bytes is not None:
            there = torch.cuda.get_device_properties(self.work.device).total_memory
            if self.work.limit_bytes > there:
                raise RequestError(
                    f"memory limit (={self.work.limit_gib:g} GiB) is more than the {there / GIB:.4g} GiB that "
                    f"'{self.work.device}' has; give less, or leave it out"
                )


@contextmanager
def capped(device: str, limit_bytes: int | None, others: int) -> Iterator[None]:
    """A GPU of which tensors get ``limit_bytes`` beside the ``others`` there are already; all of it again afterwards.

    What the allocator keeps in reserve counts, as it does on a smaller card; the context of CUDA does not.
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


def _in_a_child(work: Work, resolution: int, model_alone: bool) -> Trial:
    asked = {
        "name": work.name,
        "arguments": work.arguments,
        "resolution": resolution,
        "batch": work.batch,
        "limit_bytes": work.limit_bytes,
        "model_alone": model_alone,
    }
    environment = {**os.environ, **GIVE_BACK, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", _CHILD]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=work.time_limit, env=environment
        )
    except subprocess.TimeoutExpired:
        detail = f"{resolution} px took longer than {work.time_limit:g} s, loading included"
        return Trial(status=OutcomeStatus.TIMEOUT, detail=detail)
    if done.returncode == 0:
        told = json.loads(done.stdout.splitlines()[-1])
        return Trial(**{**told, "status": OutcomeStatus(told["status"])})
    if done.returncode == -signal.SIGKILL:
        return Trial(status=OutcomeStatus.OOM, detail="the system killed the process, as it does when memory runs out")
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return Trial(status=OutcomeStatus.ERROR, detail=f"the process ended with status {done.returncode}: {last}")
