"""What working in parts does to an image: the tiles of a convolutional auto-encoder, the chunks of a ViTok.

Tiles change the model: norms and attention see a tile and not the image. Chunks do not: a token goes through a block's
matrices by itself, so that all they may change is rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from vitok_lib.errors import RequestError
from vitok_lib.images.manifest import Manifest
from vitok_lib.images.sets import ImageSet, check_resolution, load_image, open_image_set
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.outcomes import Batch, Failure, failure_of, outcome_of
from vitok_lib.measure.common.reproduce import Measurement, command
from vitok_lib.measure.common.reuse import Asked, answer, say_damage
from vitok_lib.measure.quality.aggregate import interval_of_mean, per_image_table
from vitok_lib.measure.quality.metric_suite import as_tensor
from vitok_lib.measure.quality.request import images_identity, subset_of
from vitok_lib.measure.quality.seams import BAND
from vitok_lib.measure.quality.tiling_pairs import Pair, Result, in_parts, load_pair
from vitok_lib.measure.speed.state import unloaded_weights
from vitok_lib.metrics.pixel import from_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Kind, Outcome, OutcomeStatus, Record, Value
from vitok_lib.records.store import atomic, record_path, write_record
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import checked
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded
from vitok_lib.tokenizers.registry import describe

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
    config: RunConfig,
    *,
    images: str | Path | ImageSet,
    resolution: int,
    rule: str | None = None,
    samples: int | None = None,
    subset_seed: int | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Compare ``config`` in tiles, or in chunks, with the same tokenizer on whole images, and keep the record.

    Of a convolutional auto-encoder: PSNR of either against the original and of one against the other, the error at
    seams (:func:`vitok_lib.measure.quality.seams.seam_error`) and the largest difference in 8-bit levels. Of a ViTok:
    the largest difference, as a share of the images' range. Images of one part alone say nothing and are left out.
    Means carry an interval over images.

    Args:
        config: of a ViTok, ``chunk`` is the tokens of a chunk, by default 256.
        images, rule, subset_seed: an image set, or what :func:`vitok_lib.images.sets.open_image_set` opens.
        resolution, samples: as in :func:`vitok_lib.measure.quality.evaluate`.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
    """
    check_resolution(resolution)
    own, started, config = Context(**context), datetime.now(UTC), in_parts(checked(config))
    image_set = images
    if isinstance(image_set, str | Path):
        image_set = open_image_set(image_set, rule=rule, subset_seed=subset_seed)
    manifest = image_set.manifest(resolution, samples)
    identity, settings = describe(config.name, config.blocks).identity(unloaded_weights(config)), config.settings
    pair, failure = None, None
    try:
        pair = load_pair(config)
        identity, settings = pair.parts.spec.identity(pair.parts.weights), pair.parts.settings
    except RequestError:
        raise
    except Exception as error:  # a model raises what it likes
        failure = failure_of(error)
    settings = settings.model_copy(update={"batch": 1})
    shown = images_identity(image_set, manifest, samples)
    suffix = config.suffix(identity.weights, **subset_of(shown))
    path = record_path(own.study, BENCHMARK, resolution, identity.name, suffix)
    kept = answer(path, Asked(config, identity, settings, shown, device=config.device), own)
    if kept is not None:
        return kept
    say_damage(path, own)
    results: dict[str, Result] = {}
    outcome = Outcome()
    if pair is not None:
        results, failure, outcome = _go_through(pair, image_set, manifest, config, resolution)
    if failure is not None:
        ended = outcome_of(failure, config.device, Batch(1, resolution, resolution))
        outcome = ended.model_copy(update={"total": outcome.total, "done": outcome.done})
    table = path.with_suffix(".parquet") if results else None
    request = {
        "images": getattr(image_set, "opened_as", None) or image_set.name,
        "resolution": resolution,
        "rule": getattr(image_set, "chosen_rule", None),
        "samples": samples,
        "subset_seed": image_set.subset_seed,
        "study": own.study,
    }
    record = Record(
        benchmark=BENCHMARK,
        resolution=resolution,
        tokenizer=identity,
        images=shown,
        requested=config,
        settings=settings,
        outcome=outcome,
        values=_values(list(results.values())),
        choices=dict(getattr(pair.parts, "choices", {})) if pair else {},
        samples=table.name if table else None,
        provenance=own.provenance(command(Measurement("measure_tiling", (config,), request)), started, config.device),
    )
    if table is not None:
        with atomic(table) as temporary:
            digests = {entry.name: entry.sha256 for entry in manifest.entries}
            per_image_table(results, digests).to_parquet(temporary, index=False)
    write_record(record, path)
    return record


def _go_through(
    pair: Pair, image_set: ImageSet, manifest: Manifest, config: RunConfig, resolution: int
) -> tuple[dict[str, Result], Failure | None, Outcome]:
    """The values of each image that has more than one part, what ended the run, and the outcome but for that."""
    results: dict[str, Result] = {}
    failure, single = None, 0
    for entry in manifest.entries:
        try:
            original = as_tensor([load_image(image_set, entry.name, resolution)]).to(config.device)
            if not pair.cuts(*original.shape[2:]):
                single += 1
                continue
            whole, parts = (_reconstructed(tokenizer, original) for tokenizer in (pair.whole, pair.parts))
            results[entry.name] = pair.compare(original[0], whole[0], parts[0])
        except RequestError:
            raise
        except Exception as error:  # a model raises what it likes
            failure = failure_of(error)
            break
    total, detail = len(manifest.entries), None
    if failure is None and not results:
        failure = Failure(OutcomeStatus.UNSUPPORTED, f"at {resolution} px no image has more than one part")
    elif single:
        detail = f"{single} of {total} images are one part and were left out"
    return results, failure, Outcome(detail=detail, total=total, done=len(results))


@torch.no_grad()
def _reconstructed(tokenizer: Tokenizer, original: Tensor) -> Tensor:
    images = decoded(tokenizer, encoded(tokenizer, from_uint8(original)), original.shape)
    check_finite(images)
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
            interval, value = interval_of_mean(column, quantity), math.fsum(column) / column.size
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
