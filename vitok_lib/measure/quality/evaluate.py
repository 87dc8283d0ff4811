"""Reconstruction quality of a tokenizer over an image set, kept as a record with its per-image values."""

from __future__ import annotations

import glob
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images.sets import ImageSet, check_resolution, open_image_set
from vitok_lib.measure.common.context import Progress
from vitok_lib.measure.quality.aggregate import per_image_table, values_of
from vitok_lib.measure.quality.journal import Journal
from vitok_lib.measure.quality.metric_suite import Pixels, as_tensor, check_size
from vitok_lib.measure.quality.request import DEFAULT_METRICS, Request, answered
from vitok_lib.measure.quality.runner import Limits, Run
from vitok_lib.metrics.pixel import from_uint8, to_uint8
from vitok_lib.metrics.signature import find_metric
from vitok_lib.records.provenance import provenance
from vitok_lib.records.schema import Outcome, OutcomeStatus, Record
from vitok_lib.records.store import LOCAL, atomic, read_record, write_record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer

AFTER_OUT_OF_MEMORY = ("batch", "tiling")


@dataclass(frozen=True)
class Origin:
    """Who asks, for the provenance: the notebook, if it is one, and its parameters."""

    notebook: str | None
    parameters: dict[str, Any]


def evaluate(
    tokenizer: Tokenizer | str,
    *,
    images: str | Path | ImageSet,
    resolution: int,
    samples: int | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    batch: int = 1,
    study: str = LOCAL,
    retry: bool = False,
    time_limit: float | None = None,
    on_oom: Collection[str] = (),
    workers: int = 2,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Record:
    """Measure ``tokenizer`` on ``images`` and keep the record; what is already recorded is not done again.

    Each result is kept as it comes, by the content of its image, so that an interrupted run goes on where it
    stopped and gives the same record, and a run over more images goes on with those of a run over fewer. Running
    out of memory or out of time, failing, and not being able to are outcomes: they are recorded, returned, and not
    tried again unless asked. An image that cannot be read, or that the tokenizer fails on, is counted and named,
    and the run goes on.

    Args:
        tokenizer: a loaded tokenizer, or a name for :func:`load_tokenizer` with its defaults.
        images: an image set, or whatever :func:`open_image_set` opens.
        resolution: cap of the longest side in pixels, or the size that a drawn set is drawn at.
        samples: take only the first so many images; None: all.
        metrics: names from :data:`vitok_lib.metrics.signature.METRICS`.
        batch: so many images of one size go through the tokenizer together.
        study: the folder of ``results`` that the record goes to.
        retry: go on with what was recorded with another outcome than ok.
        time_limit: seconds after which no further image is begun; the first is always done.
        on_oom: what may be changed after running out of memory: ``"batch"`` (half of it, noted in the record),
            ``"tiling"`` (a record of its own, since tiles change the result).
        workers: threads that prepare images ahead of the tokenizer; 0: none.
        notebook, parameters: the notebook that asks, for the provenance.
        progress: called with the number of images that have a result, and of all.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(resolution)
    _check_numbers(samples, batch, time_limit, workers)
    for choice in on_oom:
        if choice not in AFTER_OUT_OF_MEMORY:
            raise unknown("choice after running out of memory", choice, AFTER_OUT_OF_MEMORY)
    request = Request(
        tokenizer=load_tokenizer(tokenizer) if isinstance(tokenizer, str) else tokenizer,
        image_set=open_image_set(images) if isinstance(images, str | Path) else images,
        resolution=resolution,
        samples=samples,
        metrics=tuple(dict.fromkeys(find_metric(name) for name in metrics)),
        study=study,
        batch=batch,
    )
    limits = Limits(time_limit, "batch" in on_oom, workers)
    origin = Origin(notebook, parameters or {})
    record = _measured_once(request, limits, retry, origin, progress)
    tiled = getattr(request.tokenizer, "tiled", None)
    if record.outcome.status is not OutcomeStatus.OOM or "tiling" not in on_oom or tiled is None:
        return record
    return evaluate(
        tiled(),
        images=request.image_set,
        resolution=resolution,
        samples=samples,
        metrics=metrics,
        batch=batch,
        study=study,
        retry=retry,
        time_limit=time_limit,
        on_oom=[choice for choice in on_oom if choice != "tiling"],
        workers=workers,
        notebook=notebook,
        parameters=parameters,
        progress=progress,
    )


def _measured_once(
    request: Request,
    limits: Limits,
    retry: bool,
    origin: Origin,
    progress: Progress | None,
) -> Record:
    """The record of ``request``, from the disk where it is there, and measured by one process alone where not."""
    recorded = _recorded(request)
    if recorded is not None and answered(request, recorded, retry):
        return recorded
    if recorded is not None:
        # One file holds all metrics of a request: what it has already is measured along, not lost.
        request = request.along_with(recorded)
    with Journal(request.journal_path, request.key) as journal:
        recorded = _recorded(request)  # another process may have written it while this one waited
        if recorded is not None and answered(request, recorded, retry):
            if recorded.outcome.status is OutcomeStatus.OK:
                journal.remove()
            return recorded
        for leftover in request.path.parent.glob(f".{glob.escape(request.path.stem)}.*.part"):
            leftover.unlink()  # of a process that was killed while it wrote this record
        if retry:
            journal.forget_failures()
        started = datetime.now(UTC)
        outcome = Run(request, journal, limits, progress).finish()
        record = _write(request, journal, outcome, started, origin)
        if outcome.status is OutcomeStatus.OK:
            journal.remove()
    return record


def _recorded(request: Request) -> Record | None:
    return read_record(request.path) if request.path.exists() else None


def _write(
    request: Request,
    journal: Journal,
    outcome: Outcome,
    started: datetime,
    origin: Origin,
) -> Record:
    entries = request.manifest.entries
    results = {entry.name: journal.results[entry.sha256] for entry in entries if entry.sha256 in journal.results}
    values, smaller_n = values_of(request.metrics, request.signatures, list(results.values()))
    samples = request.path.with_suffix(".parquet") if results else None
    record = Record(
        benchmark=request.image_set.name,
        resolution=request.resolution,
        tokenizer=request.tokenizer_identity,
        images=request.images_identity,
        settings=request.settings,
        outcome=outcome,
        values=values,
        smaller_n=smaller_n,
        metrics=request.signatures,
        choices=getattr(request.tokenizer, "choices", {}),
        samples=samples.name if samples else None,
        provenance=provenance(
            request.command(),
            origin.notebook,
            origin.parameters,
            started,
            request.settings.device or "cpu",
        ),
    )
    if samples is not None:
        table = per_image_table(results, {entry.name: entry.sha256 for entry in entries})
        with atomic(samples) as temporary:
            table.to_parquet(temporary, index=False)
    write_record(record, request.path)
    return record


def _check_numbers(samples: int | None, batch: int, time_limit: float | None, workers: int) -> None:
    if samples is not None and samples < 1:
        raise RequestError(f"samples (={samples}) must be at least 1, or left out for the whole set")
    if batch < 1:
        raise RequestError(f"batch (={batch}) must be at least 1 image")
    if time_limit is not None and not time_limit > 0:
        raise RequestError(f"time limit (={time_limit}) must be above 0 seconds, or left out")
    if workers < 0:
        raise RequestError(f"workers (={workers}) must be 0 or more threads")


@torch.no_grad()
def reconstruct_pixels(tokenizer: Tokenizer, pixels: Pixels) -> Pixels:
    """What ``tokenizer`` makes of an 8-bit image ``[H, W, 3]``, clamped and rounded to 8 bits again."""
    originals = as_tensor([pixels])
    images = tokenizer.decode(tokenizer.encode(from_uint8(originals)))
    check_size(tokenizer, originals, images)
    reconstruction: Pixels = to_uint8(images)[0].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(reconstruction)
