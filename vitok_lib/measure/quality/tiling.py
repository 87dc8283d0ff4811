"""What working in parts does to an image: the tiles of a convolutional auto-encoder, the chunks of a ViTok.

Tiles change the model: norms and attention see a tile and not the image. Chunks do not: a token goes through a block's
matrices by itself, so that all they may change is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.images.manifest import Manifest
from vitok_lib.images.sets import ImageSet, check_resolution, open_image_set
from vitok_lib.measure.memory.peak import answer, command, outcome_of, place
from vitok_lib.measure.memory.probe import Work
from vitok_lib.measure.memory.worker import Trial, failed
from vitok_lib.measure.quality.aggregate import interval_of_mean, per_image_table
from vitok_lib.measure.quality.metric_suite import as_tensor, check_size
from vitok_lib.measure.quality.seams import BAND
from vitok_lib.measure.quality.tiling_pairs import Pair, Result, pair_of
from vitok_lib.metrics.pixel import from_uint8
from vitok_lib.records.provenance import provenance
from vitok_lib.records.schema import ImagesIdentity, Kind, Outcome, OutcomeStatus, Record, Value
from vitok_lib.records.store import LOCAL, atomic, write_record
from vitok_lib.tokenizers.interface import Tokenizer

BENCHMARK = "tiling"
_PSNR = "psnr|rgb|u8|per-image-mean|v1"
_MEANS = {
    "untiled_psnr": ("dB", _PSNR),
    "tiled_psnr": ("dB", _PSNR),
    "tiled_agreement": ("dB", "psnr|rgb|u8|tiled-to-untiled|per-image-mean|v1"),
    "seam_error": ("×", f"seam-error|rgb|u8|steps|band:{BAND}|tiled-to-untiled|per-image-mean|v1"),
}
_MAXIMA = {
    "max_difference": ("", "max-difference|rgb|u8|tiled-to-untiled|v1"),
    "chunked_difference": ("", "max-difference|rgb|chunked-to-whole|of-range|v1"),
}


def measure_tiling(
    name: str,
    *,
    images: str | Path | ImageSet,
    resolution: int,
    samples: int | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    weights: str | Path = "released",
    options: Mapping[str, Any] | None = None,
    study: str = LOCAL,
    notebook: str | None = None,
    parameters: dict[str, Any] | None = None,
    again: bool = False,
) -> Record:
    """Compare ``name`` in tiles, or in chunks, with the same tokenizer on whole images, and keep the record.

    Of a convolutional auto-encoder: PSNR of either against the original and of one against the other, the error at
    seams (:func:`vitok_lib.measure.quality.seams.seam_error`) and the largest difference in 8-bit levels. Of a ViTok:
    the largest difference, as a share of the images' range. Images of one part alone say nothing and are left out.
    Means carry an interval over images.

    Args:
        images, resolution, samples: as in :func:`vitok_lib.measure.quality.evaluate`.
        options: arguments of ``load_tokenizer`` beside those here; of a ViTok ``chunk`` is the tokens of a chunk.
        study: the folder of ``results`` that the record goes to.
        notebook, parameters: the notebook that asks, for the provenance.
        again: measure even though there is a record of this tokenizer, these settings and this machine.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(resolution)
    load = pair_of(name)
    work = Work(name, device, dtype, weights, options or {})
    image_set = open_image_set(images) if isinstance(images, str | Path) else images
    manifest = image_set.manifest(resolution, samples)
    identity, settings = work.as_asked()
    pair, outcome = None, Outcome()
    started = datetime.now(UTC)
    try:
        pair = load(work)
        identity, settings = pair.parts.spec.identity(pair.parts.weights), pair.parts.settings
    except RequestError:
        raise
    except Exception as error:  # a model raises what it likes
        outcome = outcome_of(failed(error), work, resolution)
    settings = settings.model_copy(update={"batch": 1})
    chunked = {"chunk": settings.chunk} if settings.chunk else {}
    path = place(study, BENCHMARK, resolution, identity, settings, {**work.options, **chunked})
    shown = _images_identity(image_set, manifest)
    kept = None if again else answer(path, identity, settings, shown, device)
    if kept is not None:
        return kept
    results: dict[str, Result] = {}
    if pair is not None:
        results, outcome = _go_through(pair, image_set, manifest, work, resolution)
    table = path.with_suffix(".parquet") if results else None
    opened = getattr(image_set, "opened_as", None) or image_set.name
    arguments = {"images": opened, "resolution": resolution, "samples": samples}
    record = Record(
        benchmark=BENCHMARK,
        resolution=resolution,
        tokenizer=identity,
        images=shown,
        settings=settings,
        outcome=outcome,
        values=_values(list(results.values())),
        choices=dict(getattr(pair.parts, "choices", {})) if pair else {},
        samples=table.name if table else None,
        provenance=provenance(
            command(measure_tiling, work, study, arguments),
            notebook,
            parameters or {},
            started,
            device,
        ),
    )
    if table is not None:
        with atomic(table) as temporary:
            digests = {entry.name: entry.sha256 for entry in manifest.entries}
            per_image_table(results, digests).to_parquet(temporary, index=False)
    write_record(record, path)
    return record


def _go_through(
    pair: Pair, image_set: ImageSet, manifest: Manifest, work: Work, resolution: int
) -> tuple[dict[str, Result], Outcome]:
    """The values of each image that has more than one part, and how it ended."""
    results: dict[str, Result] = {}
    single = 0
    for entry in manifest.entries:
        try:
            original = as_tensor([image_set.load(entry.name, resolution)]).to(work.device)
            if not pair.cuts(*original.shape[2:]):
                single += 1
                continue
            whole, parts = (_reconstructed(tokenizer, original) for tokenizer in (pair.whole, pair.parts))
            results[entry.name] = pair.compare(original[0], whole[0], parts[0])
        except RequestError:
            raise
        except Exception as error:  # a model raises what it likes
            trial = failed(error)
            break
    else:
        trial = Trial()
        if not results:
            detail = f"at {resolution} px no image has more than one part"
            trial = Trial(status=OutcomeStatus.UNSUPPORTED, detail=detail)
        elif single:
            trial = Trial(detail=f"{single} of {len(manifest.entries)} images are one part and were left out")
    counts = {"total": len(manifest.entries), "done": len(results)}
    return results, outcome_of(trial, work, resolution).model_copy(update=counts)


@torch.no_grad()
def _reconstructed(tokenizer: Tokenizer, original: Tensor) -> Tensor:
    images = tokenizer.decode(tokenizer.encode(from_uint8(original)))
    check_size(tokenizer, original, images)
    return images


def _values(results: Sequence[Result]) -> tuple[Value, ...]:
    values = []
    for quantity, (unit, signature) in {**_MEANS, **_MAXIMA}.items():
        column = np.array([result[quantity] for result in results if quantity in result], np.float64)
        column = column[~np.isnan(column)]
        if column.size == 0:
            continue
        interval, value = None, float(column.max())
        if quantity in _MEANS:
            interval, value = interval_of_mean(column), math.fsum(column) / column.size
        values.append(
            Value(
                quantity=quantity,
                value=value,
                unit=unit,
                kind=Kind.MEASURED,
                n=column.size,
                interval=interval,
                signature=signature,
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
        subset_seed=image_set.subset_seed,
        left_out=dict(getattr(image_set, "left_out", {})) or None,
    )
