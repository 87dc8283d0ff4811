"""Reconstruction quality of a tokenizer over an image set, kept as a record with its per-image values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet, check_resolution, open_image_set
from vitok_lib.measure.journal import Journal
from vitok_lib.measure.request import DEFAULT_METRICS, Request
from vitok_lib.metrics.pixel import PIXEL_METRICS, from_uint8, to_uint8
from vitok_lib.metrics.signature import Metric, find_metric
from vitok_lib.metrics.statistics import RESAMPLES, bootstrap_mean
from vitok_lib.records.provenance import provenance
from vitok_lib.records.schema import (
    Interval,
    Kind,
    Outcome,
    OutcomeStatus,
    Record,
    Value,
)
from vitok_lib.records.store import LOCAL, atomic, read_record, write_record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load_tokenizer

INTERVAL_METHOD = f"percentile bootstrap over images, {RESAMPLES} resamples"
Progress = Callable[[int, int], None]
"""Called with the number of images done and of all."""


def evaluate(
    tokenizer: Tokenizer | str,
    *,
    images: str | Path | ImageSet,
    resolution: int,
    samples: int | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    study: str = LOCAL,
    retry: bool = False,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Record:
    """Measure ``tokenizer`` on ``images`` and keep the record; what is already recorded is not done again.

    Images are evaluated one by one and each result is kept as it comes, so that an interrupted run goes on
    where it stopped and gives the same record. Running out of memory and failing are outcomes: they are
    recorded, returned, and not tried again unless asked.

    Args:
        tokenizer: a loaded tokenizer, or a name for :func:`load_tokenizer` with its defaults.
        images: an image set, its name, or a folder of images.
        resolution: cap of the longest side in pixels, or the size that a drawn set is drawn at.
        samples: take only the first so many images; None: all.
        metrics: names from :data:`vitok_lib.metrics.signature.METRICS`.
        study: the folder of ``results`` that the record goes to.
        retry: measure again what was recorded with another outcome than ok.
        notebook, parameters: the notebook that asks, for the provenance.
        progress: called after each image.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(resolution)
    if samples is not None and samples < 1:
        raise RequestError(f"samples (={samples}) must be at least 1, or left out for the whole set")
    request = Request(
        tokenizer=load_tokenizer(tokenizer) if isinstance(tokenizer, str) else tokenizer,
        image_set=open_image_set(images) if isinstance(images, str | Path) else images,
        resolution=resolution,
        samples=samples,
        metrics=tuple(find_metric(name) for name in metrics),
        study=study,
    )
    path = request.path
    if path.exists():
        recorded = read_record(path)
        done = recorded.outcome.status is OutcomeStatus.OK or not retry
        if done and request.is_answered_by(recorded):
            return recorded
        # One file holds all metrics of a request: what it has already is measured along, not lost.
        request = request.along_with(recorded)
    started = datetime.now(UTC)
    journal = Journal(path.with_suffix(".partial.jsonl"), request.key)
    outcome = _measure(request, journal, progress)
    kept = [journal.entries[entry.name] for entry in request.manifest.entries if entry.name in journal.entries]
    per_image = pd.DataFrame(kept)
    record = Record(
        benchmark=request.image_set.name,
        resolution=resolution,
        tokenizer=request.tokenizer_identity,
        images=request.images_identity,
        settings=request.settings,
        outcome=outcome,
        values=_values(per_image, request.metrics),
        samples=path.with_suffix(".parquet").name if kept else None,
        provenance=provenance(
            request.command(images), notebook, parameters or {}, started, request.settings.device or "cpu"
        ),
    )
    if kept:
        with atomic(path.with_suffix(".parquet")) as temporary:
            per_image.to_parquet(temporary, index=False)
    write_record(record, path)
    journal.remove()
    return record


def _measure(request: Request, journal: Journal, progress: Progress | None) -> Outcome:
    """Evaluate what the journal does not hold yet."""
    entries = request.manifest.entries
    for index, entry in enumerate(entries, start=1):
        if entry.name not in journal.entries:
            try:
                pixels = request.image_set.load(entry.name, request.resolution)
                journal.append({"image": entry.name, **_image_values(request.tokenizer, pixels, request.metrics)})
            except ImageError as error:
                journal.append({"image": entry.name, "error": str(error)})
            except RequestError:
                raise
            except Exception as error:
                return _failure(error, entry.name, index - 1)
        if progress is not None:
            progress(index, len(entries))
    broken = [entry["error"] for entry in journal.entries.values() if "error" in entry]
    if broken:
        detail = f"{len(broken)} of {len(entries)} images could not be read: {'; '.join(broken)}"
        return Outcome(status=OutcomeStatus.ERROR, detail=detail)
    return Outcome()


def reconstruct_pixels(tokenizer: Tokenizer, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What ``tokenizer`` makes of an 8-bit image ``[H, W, 3]``, clamped and rounded to 8 bits again."""
    images = from_uint8(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None])
    return to_uint8(tokenizer.reconstruct(images))[0].permute(1, 2, 0).cpu().numpy()


def _image_values(tokenizer: Tokenizer, pixels: NDArray[np.uint8], metrics: tuple[Metric, ...]) -> dict[str, Any]:
    reconstruction = reconstruct_pixels(tokenizer, pixels)
    if reconstruction.shape != pixels.shape:
        shapes = f"{list(reconstruction.shape)} for an image of {list(pixels.shape)}"
        raise RequestError(f"tokenizer '{tokenizer.spec.name}' gave {shapes}; it must keep height and width")
    pair = [torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1) for image in (pixels, reconstruction)]
    values: dict[str, Any] = {"height": pixels.shape[0], "width": pixels.shape[1]}
    return values | {metric.name: PIXEL_METRICS[metric.name](*pair) for metric in metrics}


def _failure(error: Exception, image: str, done: int) -> Outcome:
    """An exception of the model as an outcome: out of memory, or an error with its own words."""
    words = " ".join(str(error).split())[:500]
    where = f"on image '{image}', after {done} images"
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "not enough memory" in words
    if memory:
        return Outcome(status=OutcomeStatus.OOM, detail=f"out of memory {where}: {words or 'no detail given'}")
    return Outcome(status=OutcomeStatus.ERROR, detail=f"{type(error).__name__} {where}: {words}")


def _values(samples: pd.DataFrame, metrics: tuple[Metric, ...]) -> tuple[Value, ...]:
    values = []
    for metric in metrics:
        if metric.name not in samples:
            continue
        column = samples[metric.name].to_numpy(np.float64)
        column = column[~np.isnan(column)]
        if column.size == 0:
            continue
        low, high = bootstrap_mean(column)
        values.append(
            Value(
                quantity=metric.name,
                value=math.fsum(column) / column.size,
                unit=metric.unit,
                kind=Kind.MEASURED,
                n=column.size,
                interval=Interval(low=low, high=high, method=INTERVAL_METHOD),
                signature=metric.signature,
            )
        )
    return tuple(values)
