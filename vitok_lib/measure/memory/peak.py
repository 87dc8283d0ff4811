"""Peak memory of a tokenizer at one size: of the model alone, and of an evaluation with it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.random_images import NAMED_BY_PATH, noise_identity, settings_text
from vitok_lib.measure.memory.probe import GIB, Bench, Work
from vitok_lib.measure.memory.worker import Trial
from vitok_lib.records.provenance import describe_host, provenance
from vitok_lib.records.schema import (
    ImagesIdentity,
    Kind,
    Outcome,
    OutcomeStatus,
    OutOfMemory,
    Record,
    Settings,
    TokenizerIdentity,
    Value,
)
from vitok_lib.records.store import LOCAL, read_record, record_path, write_record

BENCHMARK = "memory"


def measure_memory(
    name: str,
    *,
    resolution: int,
    batch: int = 1,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str | Path = "released",
    options: Mapping[str, Any] | None = None,
    limit_gib: float | None = None,
    time_limit: float | None = None,
    study: str = LOCAL,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    again: bool = False,
) -> Record:
    """The peak memory of ``name`` on ``batch`` squares of ``resolution`` pixels a side, kept as a record.

    The model's peak is that of its weights, of images in its dtype while it encodes, and of all that it makes of them.
    The evaluation's is that of the model between 8-bit images and their 8-bit reconstructions, with PSNR and SSIM. On a
    CPU both are resident memory beyond that of Python and libraries, on a GPU what torch's allocator gave. Not to fit
    is an outcome, which the record holds, and so are an error and a try that takes too long.

    Args:
        options: arguments of ``load_tokenizer`` beside those here, such as ``{"tiling": True}`` or ``{"chunk": 0}``.
        limit_gib: memory of the card to stand in for, in GiB; None: no cap.
        time_limit: seconds after which a process on a CPU is ended; a GPU is never interrupted.
        study: the folder of ``results`` that the record goes to.
        notebook, parameters: the notebook that asks, for the provenance.
        again: measure even though there is a record of this tokenizer, these settings and this machine.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(resolution)
    work = Work(name, device, dtype, weights, options or {}, batch, limit_gib, time_limit)
    started = datetime.now(UTC)
    bench = Bench(work)
    images = noise_identity(batch, resolution, resolution)
    path = place(study, BENCHMARK, resolution, bench.identity, bench.settings, work.options)
    kept = None if again else answer(path, bench.identity, bench.settings, images, device)
    if kept is not None:
        bench.close()
        return kept
    trial = bench.attempt(resolution)
    bench.close()
    arguments = {"resolution": resolution, "batch": batch, "limit_gib": limit_gib, "time_limit": time_limit}
    record = Record(
        benchmark=BENCHMARK,
        resolution=resolution,
        tokenizer=bench.identity,
        images=images,
        settings=bench.settings,
        outcome=outcome_of(trial, work, resolution),
        values=(*_measured(trial, work), *_predicted(work, resolution)),
        choices=bench.choices,
        provenance=provenance(
            command(measure_memory, work, study, arguments),
            notebook,
            parameters or {},
            started,
            device,
        ),
    )
    write_record(record, path)
    return record


def _measured(trial: Trial, work: Work) -> list[Value]:
    counted = "allocated" if work.on_a_card else "resident"
    signatures = {
        "weights": "memory|weights|tensors|v1",
        "model_peak": f"memory|encode+decode|peak-{counted}|batch:{work.batch}|v1",
        "evaluation_peak": f"memory|encode+decode+psnr+ssim|peak-{counted}|batch:{work.batch}|v1",
    }
    return [
        Value(quantity=quantity, value=count / GIB, unit="GiB", kind=Kind.MEASURED, signature=signature)
        for quantity, signature in signatures.items()
        if (count := getattr(trial, quantity)) is not None
    ]


def _predicted(work: Work, resolution: int) -> list[Value]:
    """The peak that is predicted of the evaluation."""
    plan = work.plan(resolution)
    if plan is None or plan.total_bytes is None:
        return []
    return [Value(quantity="predicted_peak", value=plan.total_bytes / GIB, unit="GiB", kind=Kind.DERIVED)]


def outcome_of(trial: Trial, work: Work, resolution: int, fits: int | None = None) -> Outcome:
    """How a try at ``resolution`` ended; ``fits`` is the largest size known to go through."""
    if trial.status is not OutcomeStatus.OOM:
        return Outcome(status=trial.status, detail=trial.detail)
    memory = OutOfMemory(
        requested_bytes=trial.requested_bytes,
        device=work.device,
        batch=work.batch,
        height=resolution,
        width=resolution,
        fit_batch=work.batch if fits else None,
        fit_height=fits,
        fit_width=fits,
    )
    bound = "" if work.limit_gib is None else f" within {work.limit_gib:g} GiB"
    detail = f"out of memory{bound} on {resolution} × {resolution} pixels at batch {work.batch}: {trial.detail}"
    return Outcome(status=OutcomeStatus.OOM, detail=detail, memory=memory)


def place(
    study: str,
    benchmark: str,
    resolution: int,
    identity: TokenizerIdentity,
    settings: Settings,
    options: Mapping[str, Any],
) -> Path:
    """Where the record of a tokenizer goes whose settings differ from the default by ``options``."""
    asked = [name for name in NAMED_BY_PATH if (value := options.get(name)) is not None and value is not False]
    text = settings_text(settings, identity.weights, resolution, resolution, asked)
    return record_path(study, benchmark, resolution, identity.name, text)


def answer(
    path: Path, identity: TokenizerIdentity, settings: Settings, images: ImagesIdentity, device: str
) -> Record | None:
    """The record at ``path`` if it is of just that, on this machine and these libraries."""
    record = read_record(path) if path.exists() else None
    if record is None or record.provenance is None or record.provenance.host != describe_host(device):
        return None
    same = (record.tokenizer, record.settings, record.images) == (identity, settings, images)
    return record if same else None


def command(function: Callable[..., Record], work: Work, study: str, arguments: Mapping[str, Any]) -> str:
    """The command line that measures the same again; what is None is left out."""
    usual = {"device": "cpu", "dtype": "float32", "weights": "released", "options": {}, "batch": 1, "study": LOCAL}
    asked = {
        **arguments,
        "device": work.device,
        "dtype": work.dtype,
        "weights": str(work.weights),
        "options": dict(work.options),
        "study": study,
    }
    given = [f"{key}={value!r}" for key, value in asked.items() if value is not None and usual.get(key) != value]
    call = f"{function.__name__}({', '.join([repr(work.name), *given])})"
    return shlex.join(["python", "-c", f"from {function.__module__} import {function.__name__}; {call}"])
