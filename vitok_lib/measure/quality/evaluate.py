"""Reconstruction quality of a tokenizer over an image set, kept as a record with its per-image values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

import numpy as np
import torch

from vitok_lib.errors import RequestError, unknown
from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.common.reuse import say_damage
from vitok_lib.measure.quality.journal import Journal
from vitok_lib.measure.quality.merging import merged
from vitok_lib.measure.quality.metric_suite import Pixels, as_tensor
from vitok_lib.measure.quality.recording import (
    keep,
    loaded_of,
    record_of,
    recorded_answer,
    remove_parts,
    remove_whole,
    seconds_of,
)
from vitok_lib.measure.quality.request import DEFAULT_METRICS, Request, request_of
from vitok_lib.measure.quality.runner import Engine, Limits, Run
from vitok_lib.measure.quality.shards import known_results, missing, parse_shard, take_up
from vitok_lib.metrics.pixel import from_uint8, to_uint8
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import read_record
from vitok_lib.tokenizers.folder import Paired, Reconstructions
from vitok_lib.tokenizers.interface import Tokenizer, choices_of
from vitok_lib.tokenizers.load import load
from vitok_lib.tokenizers.outputs import check_finite, decoded, encoded

AFTER_OUT_OF_MEMORY = ("batch", "tiling")


def evaluate(
    tokenizer: Tokenizer | RunConfig | str,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    samples: int | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    batch: int | None = None,
    retry: bool = False,
    time_limit: float | None = None,
    on_oom: Collection[str] = (),
    workers: int | None = None,
    shard: str | None = None,
    cluster: Engine | None = None,
    **context: Unpack[ContextOptions],
) -> Record:
    """Measure ``tokenizer`` on ``images`` and keep the record; what is already recorded is not done again.

    Each result is kept as it comes, by the content of its image, so that an interrupted run goes on where it
    stopped and gives the same record, and a run over more images goes on with those of a run over fewer. Running
    out of memory or out of time, failing, and not being able to are outcomes: they are recorded, returned, and not
    tried again unless asked. An image that cannot be read, or that the tokenizer fails on, is counted and named,
    and the run goes on.

    Args:
        tokenizer: a loaded tokenizer, or a configuration, or a name for one with the defaults, which is loaded only
            where no record answers.
        images: an image set, or whatever :func:`vitok_lib.images.sets.open_image_set` opens.
        resolution: cap of the longest side in pixels, or the size that a drawn set is drawn at; ``"native"``: images
            are not resized.
        samples: take only the first so many images; None: all.
        metrics: names from :data:`vitok_lib.metrics.signature.METRICS`.
        batch: so many images of one size go through the tokenizer together; None: as configured, 1 by default.
        retry: go on with what was recorded with another outcome than ok.
        time_limit: seconds after which no further image is begun; the first is always done.
        on_oom: what may be changed after running out of memory: ``"batch"`` (half of it, noted in the record),
            ``"tiling"`` (a record of its own, since tiles change the result).
        workers: threads that prepare images ahead of the tokenizer; 0: none; None: as many as suit its device.
        shard: only a part of the images, such as ``"3/16"``, chosen by their content. Other processes, here or on
            machines with the same results folder, measure the others; the last one makes the record. A part that
            is not the last gives the record of its own images, which is not written.
        cluster: where images are measured instead of in this process, such as
            :class:`vitok_lib.measure.cluster.engine.Cluster`; each of its workers loads the tokenizer.
        context: the fields of :class:`vitok_lib.measure.common.context.Context`, such as ``study``.

    Raises:
        RequestError: the request is wrong, or the results folder cannot be written.
        UnsupportedError: the tokenizer has no preset of this name.
    """
    _check_numbers(samples, time_limit, workers)
    for choice in on_oom:
        if choice not in AFTER_OUT_OF_MEMORY:
            raise unknown("choice after running out of memory", choice, AFTER_OUT_OF_MEMORY)
    if cluster is not None and "tiling" in on_oom:
        raise RequestError("on_oom 'tiling' is for one process; with a cluster leave it out, and give tiling itself")
    asked = Context(**context)
    limits = Limits(time_limit, "batch" in on_oom, workers)
    part = None if shard is None else parse_shard(shard)
    image_set, side = sized(opened(images), resolution)

    def requested(given: Tokenizer | RunConfig) -> Request | None:
        return request_of(given, image_set, side, samples, metrics, batch, asked.study, part)

    given = RunConfig(name=tokenizer) if isinstance(tokenizer, str) else tokenizer
    if isinstance(given, RunConfig):
        request = requested(given)
        recorded = recorded_answer(request, limits, asked, retry) if request else None
        if recorded is not None and (recorded.outcome.status is not OutcomeStatus.OOM or "tiling" not in on_oom):
            return recorded
        if request and part is not None and _is_measured(request, asked, retry):
            return _measured_once(None, request, limits, retry, asked)
        if request and cluster is not None:
            return _measured_once(None, request, limits, retry, asked, cluster)
        given = load(given)
        for setting, reason in choices_of(given).items():
            asked.log(f"{given.spec.name}: {setting}: {reason}")
    request = requested(given)
    assert request is not None
    record = _measured_once(given, request, limits, retry, asked, cluster)
    tiled = getattr(given, "tiled", None)
    if record.outcome.status is not OutcomeStatus.OOM or "tiling" not in on_oom or tiled is None:
        return record
    return evaluate(
        tiled(),
        images=image_set,
        resolution=side,
        samples=samples,
        metrics=metrics,
        batch=batch,
        retry=retry,
        time_limit=time_limit,
        on_oom=[choice for choice in on_oom if choice != "tiling"],
        workers=workers,
        shard=shard,
        **context,
    )


def is_recorded(
    config: RunConfig,
    *,
    images: ImageSet,
    resolution: int,
    samples: int | None,
    metrics: Sequence[str],
    retry: bool,
    time_limit: float | None,
    context: Context,
    shard: str | None = None,
) -> bool:
    """Whether :func:`evaluate` would answer without loading the tokenizer: from a record, or from a shard's results."""
    part = None if shard is None else parse_shard(shard)
    request = request_of(config, images, resolution, samples, metrics, None, context.study, part)
    if request is None:
        return False
    if part is not None and _is_measured(request, context, retry):
        return True
    return recorded_answer(request, Limits(time_limit), context, retry) is not None


def _is_measured(request: Request, context: Context, retry: bool) -> bool:
    """Whether every image of a shard has a result that is not to be measured again."""
    if context.again:
        return False
    results = known_results(replace(request, shard=None).journal_path, request.key)
    return all(
        entry.sha256 in results and not (retry and "error" in results[entry.sha256]) for entry in request.entries
    )


def _measured_once(
    tokenizer: Tokenizer | None,
    request: Request,
    limits: Limits,
    retry: bool,
    context: Context,
    cluster: Engine | None = None,
) -> Record:
    """The record of ``request``, from the disk where it is there, and measured by one process alone where not.

    Of a shard: the record of all images if it is the last to end, else what it has by now, which is not written.
    ``tokenizer`` is None where every image has a result, or where a ``cluster`` measures them.
    """
    recorded = recorded_answer(request, limits, context, retry)
    if recorded is not None:
        return recorded
    paired = None if tokenizer is None else paired_with(tokenizer, request)
    if request.path.exists():
        # One file holds all metrics of a request: what it has already is measured along, not lost.
        request = request.along_with(read_record(request.path))
    whole = replace(request, shard=None)
    with Journal(request.journal_path, request.key) as journal:
        # Another process may have written it while this one waited.
        recorded = recorded_answer(request, limits, context, retry)
        if recorded is not None:
            if recorded.outcome.status is OutcomeStatus.OK:
                remove_whole(request, journal)
            return recorded
        say_damage(request.path, context)
        if context.again:
            journal.forget_all()
        else:
            take_up(journal, request.key, whole.journal_path, request.entries)
            if retry:
                journal.forget_failures()
        started, earlier = datetime.now(UTC), seconds_of(request, journal)
        if cluster is None:
            run = Run(paired, request, journal, limits, context.progress)
        else:
            run = cluster.run(request, journal, limits, context)
        outcome = run.finish()
        if run.stages.sentence is not None:
            context.log(run.stages.sentence)
        if cluster is not None:  # the seconds of all workers together, as of shards
            started, earlier = datetime.now(UTC), seconds_of(request, journal)
        if tokenizer is not None and journal.results:
            journal.note(loaded_of(tokenizer))
        ended_by = limits.time_limit if outcome.status is OutcomeStatus.TIMEOUT else None
        device = request.device
        provenance = context.provenance(request.command(ended_by), started, device, earlier)
        if run.host is not None:
            provenance = provenance.model_copy(update={"host": run.host})
        record, table = record_of(request, journal, outcome, provenance)
        if request.shard is None:
            if keep(request, journal, record, table, context):
                return record
            remove_whole(request, journal)  # what it holds is of these metrics alone
        elif any(entry.sha256 not in journal.results for entry in request.entries):
            return record
    if request.shard is None:
        all_metrics = request.along_with(read_record(request.path))
        context.log(
            f"{request.tokenizer.name}: another process recorded further metrics meanwhile; now measuring "
            f"{', '.join(metric.name for metric in all_metrics.metrics)} together, so that one record holds them"
        )
        return _measured_once(tokenizer, all_metrics, limits, retry, context, cluster)
    known = known_results(whole.journal_path, request.key)
    lacking = missing(whole.entries, known, [request.shard.count])
    if lacking is None:
        return merged(whole, limits, context)
    recorded = recorded_answer(whole, limits, context, retry=True)
    if recorded is not None:  # another process made it meanwhile, and removed the results of the other shards
        remove_parts(whole)
        return recorded
    parts = [record.outcome.detail, f"shard {request.shard} is done; {lacking}"]
    return record.model_copy(
        update={"outcome": record.outcome.model_copy(update={"detail": "; ".join(filter(None, parts))})}
    )


def paired_with(tokenizer: Tokenizer, request: Request) -> Tokenizer | Paired:
    """``tokenizer``; a folder of reconstructions next to the images that they are of."""
    if isinstance(tokenizer, Reconstructions):
        return tokenizer.paired(request.manifest.entries, request.image_set.names())
    return tokenizer


def _check_numbers(samples: int | None, time_limit: float | None, workers: int | None) -> None:
    if samples is not None and samples < 1:
        raise RequestError(f"samples (={samples}) must be at least 1, or left out for the whole set")
    if time_limit is not None and not time_limit > 0:
        raise RequestError(f"time limit (={time_limit}) must be above 0 seconds, or left out")
    if workers is not None and workers < 0:
        raise RequestError(f"workers (={workers}) must be 0 or more threads")


@torch.no_grad()
def reconstruct_pixels(tokenizer: Tokenizer, pixels: Pixels) -> Pixels:
    """What ``tokenizer`` makes of an 8-bit image ``[H, W, 3]``, clamped and rounded to 8 bits again."""
    originals = as_tensor([pixels])
    images = decoded(tokenizer, encoded(tokenizer, from_uint8(originals)), originals.shape)
    check_finite(images)
    reconstruction: Pixels = to_uint8(images)[0].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(reconstruction)
