"""The record that results of images make, and its table of single values."""

from __future__ import annotations

import glob
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vitok_lib.measure.common.context import Context
from vitok_lib.measure.common.reuse import answer
from vitok_lib.measure.quality.aggregate import originals_said, per_image_table, values_of
from vitok_lib.measure.quality.journal import Journal, read_journal, remove_unheld
from vitok_lib.measure.quality.request import ONLY_LOADED, Request
from vitok_lib.measure.quality.runner import Limits
from vitok_lib.measure.quality.shards import journals_of_parts
from vitok_lib.records.lock import written_alone
from vitok_lib.records.object_store import object_store
from vitok_lib.records.schema import Outcome, OutcomeStatus, Provenance, Record
from vitok_lib.records.store import atomic, cannot_write, read_record, refresh, write_record
from vitok_lib.tokenizers.interface import Tokenizer, choices_of

if TYPE_CHECKING:
    import pandas as pd


def loaded_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """What a record says of a tokenizer that only loading it tells, as a journal keeps it."""
    identity = tokenizer.spec.identity(tokenizer.weights)
    return {
        "tokenizer": identity.model_dump(include=set(ONLY_LOADED)),
        "choices": dict(choices_of(tokenizer)),
    }


def record_of(
    request: Request, journal: Journal, outcome: Outcome, provenance: Provenance
) -> tuple[Record, pd.DataFrame | None]:
    """The record of what ``journal`` has of the images of ``request``, and a row for each image; neither is written.

    The record of a shard is never written, and has no rows.
    """
    entries = request.entries
    results = {entry.name: journal.results[entry.sha256] for entry in entries if entry.sha256 in journal.results}
    results, outcome = originals_said(results, outcome)
    values, smaller_n = values_of(request.metrics, request.signatures, list(results.values()))
    record = Record(
        benchmark=request.image_set.name,
        resolution=request.resolution,
        tokenizer=request.tokenizer.model_copy(update=journal.loaded.get("tokenizer", {})),
        images=request.images_identity,
        requested=request.requested,
        settings=request.settings,
        outcome=outcome,
        values=values,
        smaller_n=smaller_n,
        metrics=request.signatures,
        choices=journal.loaded.get("choices", {}),
        samples=request.path.with_suffix(".parquet").name if results else None,
        provenance=provenance,
    )
    if not results or request.shard is not None:
        return record, None
    return record, per_image_table(results, {entry.name: entry.sha256 for entry in entries})


def seconds_of(request: Request, journal: Journal) -> float:
    """What the results that ``journal`` has of the images of ``request`` took, whichever process measured them."""
    return sum(journal.seconds.get(sha256, 0.0) for sha256 in {entry.sha256 for entry in request.entries})


def recorded_answer(request: Request, limits: Limits, context: Context, retry: bool) -> Record | None:
    """The record that answers ``request`` as far as ``limits`` let it go."""
    asked = replace(request.asked, time_limit=limits.time_limit, smaller_batch=limits.smaller_batch)
    return answer(request.path, asked, context, retry=retry)


def keep(request: Request, journal: Journal, record: Record, table: pd.DataFrame | None, context: Context) -> bool:
    """Write the record; journals whose results it holds go, except where failed images may be tried again.

    Nothing is written over a complete record of the same work by a run that did not end well, unless it was to measure
    again. Nor is it where another process recorded further metrics since this one began.

    Returns:
        Whether all metrics that are recorded of this work are among those of the request; if not, nothing was written.

    Raises:
        RequestError: the record cannot be written.
    """
    path = request.path
    ended = record.outcome.status is OutcomeStatus.OK
    try:
        with written_alone(path):
            refresh(path)
            there = read_record(path) if path.exists() else None
            if there is not None and request.asked.is_of_the_same_work(there):
                if not ended and there.outcome.status is OutcomeStatus.OK and not context.again:
                    context.log(_stays(there))
                    return True
                if len(request.along_with(there).metrics) > len(request.metrics):
                    return False
            for leftover in path.parent.glob(f".{glob.escape(path.stem)}.*.part"):
                leftover.unlink()  # of a process that was killed while it wrote this record
            if table is not None:
                with atomic(path.with_suffix(".parquet")) as temporary:
                    table.to_parquet(temporary, index=False)
            write_record(record, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    if ended or object_store() is None:  # in an object store the parts are all that is left of this journal
        remove_parts(request)
    if ended:
        remove_whole(request, journal)
    return True


def _stays(record: Record) -> str:
    held = ", ".join(value.quantity for value in record.values)
    return (
        f"{record.tokenizer.name}: the complete record of {held} stays; what was measured now is kept next to it, and "
        "the same command goes on from there"
    )


def remove_parts(request: Request) -> None:
    """Remove the journals of parts that have no more than the images of ``request``, and that no process holds."""
    parts = journals_of_parts(request.journal_path)
    done = [path for path in parts if not _has_more(request, read_journal(path, request.key))]
    if store := object_store():
        store.remove(done)
    else:
        for path in done:
            remove_unheld(path)


def remove_whole(request: Request, journal: Journal) -> None:
    """Remove ``journal``, unless it has more than the images of ``request``, whose record is written."""
    if not _has_more(request, journal):
        journal.remove()


def _has_more(request: Request, journal: Journal) -> bool:
    """Whether ``journal`` has values of other images than ``request``, as that of a run over more of them has."""
    asked = {entry.sha256 for entry in request.entries}
    return any(image not in asked and "error" not in result for image, result in journal.results.items())
