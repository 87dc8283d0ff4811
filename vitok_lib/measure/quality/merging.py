"""One record of what shards measured apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack

from vitok_lib.errors import RequestError
from vitok_lib.images.sets import ImageSet, opened, sized
from vitok_lib.measure.common.context import Context, ContextOptions
from vitok_lib.measure.quality.journal import Journal
from vitok_lib.measure.quality.recording import keep, record_of, recorded_answer, remove_whole, seconds_of
from vitok_lib.measure.quality.request import DEFAULT_METRICS, Request, request_of
from vitok_lib.measure.quality.runner import Limits, Run
from vitok_lib.measure.quality.shards import journals_of_parts, missing, of_other_work, take_up
from vitok_lib.records.config import RunConfig
from vitok_lib.records.schema import Record
from vitok_lib.records.store import read_record, refresh
from vitok_lib.tokenizers.interface import Tokenizer
from vitok_lib.tokenizers.load import load


def merge(
    tokenizer: Tokenizer | RunConfig | str,
    *,
    images: str | Path | ImageSet,
    resolution: int | str,
    samples: int | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    **context: Unpack[ContextOptions],
) -> Record:
    """Make the one record of shards that were measured apart, as the last one of them does; nothing is measured.

    Arguments are those of :func:`evaluate`; a name or a configuration is loaded only where nothing else tells what it
    comes to.

    Raises:
        RequestError: an image has no result yet (the shards that lack it are named), two shards hold different results
            of one image, or the results are of another configuration or other metrics.
    """
    asked = Context(**context)
    image_set, side = sized(opened(images), resolution)
    given = RunConfig(name=tokenizer) if isinstance(tokenizer, str) else tokenizer
    request = request_of(given, image_set, side, samples, metrics, None, asked.study)
    if request is None:
        assert isinstance(given, RunConfig)
        request = request_of(load(given), image_set, side, samples, metrics, None, asked.study)
    assert request is not None
    refresh(request.path)
    if request.path.exists():
        request = request.along_with(read_record(request.path))
    return merged(request, Limits(), asked)


def merged(request: Request, limits: Limits, context: Context) -> Record:
    """The record of the whole from what its parts hold."""
    started = datetime.now(UTC)
    with Journal(request.journal_path, request.key) as journal:
        recorded = recorded_answer(request, limits, context, retry=True)
        if recorded is not None:  # it ended as ok; what ended otherwise is made again from what is there now
            remove_whole(request, journal)
            return recorded
        parts = journals_of_parts(request.journal_path)
        doubled = take_up(journal, request.key, request.journal_path, request.entries)
        if doubled:
            context.log(
                f"{request.tokenizer.name}: {doubled} images were measured by several shards, with equal results"
            )
        lacking = missing(request.entries, journal.results, [shard.count for shard in parts.values()])
        if lacking is not None:
            # Another process may have made the record while this one read, and removed what it is made of.
            recorded = recorded_answer(request, limits, context, retry=True)
            if recorded is not None:
                remove_whole(request, journal)
                return recorded
            others = of_other_work(request.journal_path, request.record_stem)
            hint = "run them, or 'vitok eval' without --shard, which measures what is missing"
            if others:
                names = ", ".join(path.name for path in others[:3])
                hint += f"; {names}: of other metrics, settings, weights or another size rule, and not counted"
            raise RequestError(f"{request.tokenizer.name}: {lacking}; {hint}")
        outcome = Run(None, request, journal, limits, context.progress).finish()
        device, earlier = request.device, seconds_of(request, journal)
        provenance = context.provenance(request.command(), started, device, earlier)
        record, table = record_of(request, journal, outcome, provenance)
        if keep(request, journal, record, table, context):
            return record
    return merged(request.along_with(read_record(request.path)), limits, context)
