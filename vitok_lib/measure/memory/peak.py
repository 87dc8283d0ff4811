"""Peak memory of a tokenizer at one size: of the model alone, and of an evaluation with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Unpack

from vitok_lib.images.prepare import check_resolution
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.outcomes import Batch, outcome_of
from vitok_lib.measure.common.random_images import noise_identity
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.common.reuse import answer
from vitok_lib.measure.memory.probe import GIB, MemoryProbe, ProbeSpec
from vitok_lib.measure.memory.worker import ProbeResult
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Outcome, Record, Value
from vitok_lib.records.store import write_record

BENCHMARK = "memory"


def measure_memory(
    config: RunConfig,
    *,
    resolution: int,
    limit_gib: float | None = None,
    time_limit: float | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """The peak memory of ``config`` on squares of ``resolution`` pixels a side, kept as a record.

    The model's peak is that of its weights, of images in its dtype while it encodes, and of all that it makes of them.
    The evaluation's is that of the model between 8-bit images and their 8-bit reconstructions, with PSNR and SSIM. On a
    CPU both are resident memory beyond that of Python and libraries, on a GPU what torch's allocator gave. Not to fit
    is an outcome, which the record holds, and so are an error and a try that takes too long.

    Args:
        limit_gib: memory of the smaller GPU that is emulated, in GiB; None: no cap.
        time_limit: seconds after which a process on a CPU is ended; a GPU is never interrupted.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(resolution)
    own, started = Context(**context), datetime.now(UTC)
    probe = MemoryProbe(ProbeSpec(config, limit_gib, time_limit))
    spec = probe.spec
    images = noise_identity(spec.config.batch, resolution, resolution)
    path = probe.record_path(own.study, BENCHMARK, resolution)
    kept = answer(path, probe.asked(images), own)
    if kept is not None:
        probe.close()
        return kept
    result = probe.attempt(resolution)
    probe.close()
    request = {"resolution": resolution, "limit_gib": limit_gib, "time_limit": time_limit, "study": own.study}
    repeated = command(Measurement("measure_memory", (spec.config,), request))
    record = Record(
        benchmark=BENCHMARK,
        resolution=resolution,
        tokenizer=probe.identity,
        images=images,
        requested=spec.config,
        settings=probe.settings,
        outcome=outcome_of_probe(result, spec, resolution),
        values=(*_measured(result, spec), *_predicted(spec, resolution)),
        choices=probe.choices,
        provenance=own.provenance(repeated, started, spec.config.device),
    )
    write_record(record, path)
    return record


def _measured(result: ProbeResult, spec: ProbeSpec) -> list[Value]:
    counted, batch = "allocated" if spec.on_gpu else "resident", spec.config.batch
    signatures = {
        "weights": "memory|weights|tensors|v1",
        "model_peak": f"memory|encode+decode|peak-{counted}|batch:{batch}|v1",
        "evaluation_peak": f"memory|encode+decode+psnr+ssim|peak-{counted}|batch:{batch}|v1",
    }
    return [
        Value(quantity=quantity, value=count / GIB, unit="GiB", kind=Kind.MEASURED, signature=signature)
        for quantity, signature in signatures.items()
        if (count := getattr(result, quantity)) is not None
    ]


def _predicted(spec: ProbeSpec, resolution: int) -> list[Value]:
    """The peak that is predicted of the evaluation."""
    plan = spec.plan(resolution)
    if plan is None or plan.total_bytes is None:
        return []
    return [Value(quantity="predicted_peak", value=plan.total_bytes / GIB, unit="GiB", kind=Kind.DERIVED)]


def outcome_of_probe(result: ProbeResult, spec: ProbeSpec, resolution: int, fits: int | None = None) -> Outcome:
    """How a try at ``resolution`` ended; ``fits`` is the largest size known to go through."""
    if result.failure is None:
        return Outcome()
    batch = spec.config.batch
    within = "" if spec.limit_gib is None else f" within {spec.limit_gib:g} GiB"
    tried, fitting = Batch(batch, resolution, resolution), Batch(batch, fits, fits) if fits else None
    return outcome_of(result.failure, spec.config.device, tried, fitting, f"{within} on")
