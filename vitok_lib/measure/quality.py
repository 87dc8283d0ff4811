"""Reconstruction quality of a tokenizer over an image set, kept as a record with its per-image values."""

from __future__ import annotations

import hashlib
import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from vitok_lib.errors import RequestError
from vitok_lib.images.prepare import ImageError
from vitok_lib.images.sets import ImageSet, Manifest, check_resolution, open_image_set
from vitok_lib.measure.journal import Journal
from vitok_lib.metrics.pixel import PIXEL_METRICS, from_uint8, to_uint8
from vitok_lib.metrics.signature import Metric, find_metric
from vitok_lib.metrics.statistics import RESAMPLES, bootstrap_mean
from vitok_lib.records.provenance import provenance
from vitok_lib.records.schema import (
    ImagesIdentity,
    Interval,
    Kind,
    Outcome,
    OutcomeStatus,
    Record,
    Settings,
    TokenizerIdentity,
    Value,
)
from vitok_lib.records.store import LOCAL, atomic, read_record, record_path, write_record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.registry import load_tokenizer

INTERVAL_METHOD = f"percentile bootstrap over images, {RESAMPLES} resamples"
Progress = Callable[[int, int], None]
"""Called with the number of images done and of all."""


@dataclass(frozen=True)
class _Request:
    """Everything that must be equal for two results to be the same result."""

    benchmark: str
    resolution: int
    tokenizer: TokenizerIdentity
    images: ImagesIdentity
    settings: Settings
    metrics: tuple[Metric, ...]

    @property
    def key(self) -> str:
        parts = [self.benchmark, str(self.resolution), *(metric.signature for metric in self.metrics)]
        models = [model.model_dump_json() for model in (self.tokenizer, self.images, self.settings)]
        return hashlib.sha256("\n".join(parts + models).encode()).hexdigest()

    def is_answered_by(self, record: Record) -> bool:
        """Whether ``record`` is of this request, whichever way it ended."""
        same = (record.tokenizer, record.images, record.settings) == (self.tokenizer, self.images, self.settings)
        if not same or record.outcome.status is not OutcomeStatus.OK:
            return same
        found = {value.signature for value in record.values}
        return {metric.signature for metric in self.metrics} <= found


def evaluate(
    tokenizer: Tokenizer | str,
    *,
    images: str | Path | ImageSet,
    resolution: int,
    samples: int | None = None,
    metrics: Sequence[str] = ("psnr", "ssim"),
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
    image_set = open_image_set(images) if isinstance(images, str | Path) else images
    chosen = tuple(find_metric(name) for name in metrics)
    loaded = load_tokenizer(tokenizer) if isinstance(tokenizer, str) else tokenizer
    manifest = image_set.manifest(resolution, samples)
    request = _Request(
        benchmark=image_set.name,
        resolution=resolution,
        tokenizer=loaded.spec.identity(loaded.weights),
        images=_images_identity(image_set, manifest),
        settings=loaded.settings.model_copy(update={"batch": 1}),
        metrics=chosen,
    )
    path = record_path(
        study, image_set.name, resolution, loaded.spec.name, settings_label(loaded, samples, len(image_set.names()))
    )
    if path.exists():
        recorded = read_record(path)
        done = recorded.outcome.status is OutcomeStatus.OK or not retry
        if done and request.is_answered_by(recorded):
            return recorded
    started = datetime.now(UTC)
    journal = Journal(path.with_suffix(".partial.jsonl"), request.key)
    outcome = _measure(loaded, image_set, manifest, request, journal, progress)
    samples_table = pd.DataFrame(
        [journal.entries[entry.name] for entry in manifest.entries if entry.name in journal.entries]
    )
    record = Record(
        benchmark=request.benchmark,
        resolution=resolution,
        tokenizer=request.tokenizer,
        images=request.images,
        settings=request.settings,
        outcome=outcome,
        values=_values(samples_table, chosen),
        samples=path.with_suffix(".parquet").name if len(samples_table) else None,
        provenance=provenance(
            _command(loaded, images, image_set, resolution, samples, metrics, study),
            notebook,
            parameters or {},
            started,
            loaded.settings.device or "cpu",
        ),
    )
    if record.samples:
        with atomic(path.with_suffix(".parquet")) as temporary:
            samples_table.to_parquet(temporary, index=False)
    write_record(record, path)
    journal.remove()
    return record


def _measure(
    tokenizer: Tokenizer,
    image_set: ImageSet,
    manifest: Manifest,
    request: _Request,
    journal: Journal,
    progress: Progress | None,
) -> Outcome:
    """Evaluate what the journal does not hold yet."""
    for index, entry in enumerate(manifest.entries, start=1):
        if entry.name not in journal.entries:
            try:
                pixels = image_set.load(entry.name, request.resolution)
                journal.append({"image": entry.name, **_image_values(tokenizer, pixels, request.metrics)})
            except ImageError as error:
                journal.append({"image": entry.name, "error": str(error)})
            except RequestError:
                raise
            except Exception as error:
                return _failure(error, entry.name, index - 1)
        if progress is not None:
            progress(index, len(manifest.entries))
    broken = [entry["error"] for entry in journal.entries.values() if "error" in entry]
    if broken:
        detail = f"{len(broken)} of {len(manifest.entries)} images could not be read: {'; '.join(broken)}"
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


def _images_identity(image_set: ImageSet, manifest: Manifest) -> ImagesIdentity:
    return ImagesIdentity(
        name=image_set.name,
        description=image_set.description,
        count=len(manifest.entries),
        manifest_sha256=manifest.sha256,
        rule=image_set.rule,
    )


def settings_label(tokenizer: Tokenizer, samples: int | None, available: int) -> str:
    """What sets this run apart from the default one, for the record's file name; empty for the default."""
    settings, weights = tokenizer.settings, tokenizer.weights
    parts = []
    if samples is not None and samples < available:
        parts.append(f"samples={samples}")
    if settings.window is not None:
        parts.append(f"window={settings.window}")
    if settings.dtype not in (None, "float32"):
        parts.append(f"dtype={settings.dtype}")
    if settings.device not in (None, "cpu"):
        parts.append(f"device={settings.device}")
    if weights.source.startswith("random"):
        parts.append(f"weights={weights.source.replace(':', '')}")
    elif weights.source == "file":
        digest = hashlib.sha256("".join(sorted(weights.files.values())).encode()).hexdigest()
        parts.append(f"weights={digest[:8]}")
    return ",".join(parts)


def _command(
    tokenizer: Tokenizer,
    images: str | Path | ImageSet,
    image_set: ImageSet,
    resolution: int,
    samples: int | None,
    metrics: Sequence[str],
    study: str,
) -> str:
    """The command line that measures the same again."""
    settings = tokenizer.settings
    source = Path(images).name if isinstance(images, str | Path) else image_set.name
    words = ["vitok", "eval", tokenizer.spec.name, "--images", source, "--resolution", str(resolution)]
    optional = {
        "--samples": samples,
        "--metrics": ",".join(metrics) if tuple(metrics) != ("psnr", "ssim") else None,
        "--window": settings.window,
        "--dtype": settings.dtype if settings.dtype != "float32" else None,
        "--device": settings.device if settings.device != "cpu" else None,
        "--weights": "random" if tokenizer.weights.source.startswith("random") else None,
        "--study": study if study != LOCAL else None,
    }
    for option, value in optional.items():
        words += [option, str(value)] if value is not None else []
    return shlex.join(words)
