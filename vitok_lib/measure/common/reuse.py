"""The one way to answer from a record: what must be equal for a measurement not to be done again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.measure.common.context import Context
from vitok_lib.measure.common.reproduce import parse
from vitok_lib.records.config import RunConfig, Settings
from vitok_lib.records.provenance import describe_host
from vitok_lib.records.schema import ImagesIdentity, OutcomeStatus, Record, TokenizerIdentity
from vitok_lib.records.store import read_record, read_samples, refresh

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Asked:
    """What a record must be of to answer.

    Weights are the same where their content is, wherever they lie; what is None of the tokenizer is not known before it
    is loaded, and not compared. ``signatures`` of metrics are those that the record must have been asked for.
    ``arguments`` are those of a study, as a record holds them. ``device`` is that of a measurement of time or memory,
    which compares on one machine with the same libraries alone; None where the machine does not matter. A record of
    less than is asked for is no answer: one that ran out of a shorter ``time_limit`` (in seconds, None: none), or out
    of memory with several images at once where ``smaller_batch`` may be tried. One that ran out of memory on another
    device than ``memory_of`` is no answer either, since the metrics of a codec may run on any device.
    """

    requested: RunConfig
    tokenizer: TokenizerIdentity
    settings: Settings
    images: ImagesIdentity
    signatures: tuple[str, ...] = ()
    device: str | None = None
    memory_of: str | None = None
    time_limit: float | None = None
    smaller_batch: bool = False
    arguments: Mapping[str, str] = field(default_factory=dict)

    def is_of_the_same_work(self, record: Record) -> bool:
        """Whether ``record`` is of this configuration, these weights and these images, whatever it measured of them."""
        if record.requested is None or not record.requested.is_same_run(self.requested):
            return False
        if (record.arguments or {}) != self.arguments:
            return False
        if not record.tokenizer.weights.same_content(self.tokenizer.weights):
            return False
        known = self.tokenizer.model_dump(exclude={"weights"}, exclude_none=True)
        if any(getattr(record.tokenizer, field) != value for field, value in known.items()):
            return False
        # What was left out of the set, by a rule or by asking for less of it, does not change what was measured.
        same = {"left_out": self.images.left_out, "requested_samples": self.images.requested_samples}
        images = record.images.model_copy(update=same)
        return (record.settings, images) == (self.settings, self.images)

    def is_answered_by(self, record: Record) -> bool:
        """Whether ``record`` is the answer, whichever way it ended."""
        if not self.is_of_the_same_work(record) or not set(self.signatures) <= set(record.metrics):
            return False
        if self._goes_further(record):
            return False
        if self.device is None:
            return True
        return record.provenance is not None and record.provenance.host == describe_host(self.device)

    def _goes_further(self, record: Record) -> bool:
        outcome = record.outcome
        if outcome.status is OutcomeStatus.TIMEOUT:
            had = _time_limit_of(record)
            return self.time_limit is None or (had is not None and self.time_limit > had)
        if outcome.memory is None:
            return False
        return (self.smaller_batch and outcome.memory.batch > 1) or self.memory_of not in (None, outcome.memory.device)


def _time_limit_of(record: Record) -> float | None:
    """What its command allowed; None where it does not say."""
    command = "" if record.provenance is None else record.provenance.command
    limit: float | None = parse(command).request.get("time_limit") if command else None
    return limit


def answer(path: Path, asked: Asked, context: Context, *, retry: bool = False) -> Record | None:
    """The record at ``path`` if it answers, of which the log tells; None where there is to be measured.

    What ended otherwise than ok is an answer too, unless ``retry``.
    """
    refresh(path)
    if context.again or not path.exists():
        return None
    record = read_record(path)
    if not asked.is_answered_by(record) or (retry and record.outcome.status is not OutcomeStatus.OK):
        return None
    if damage_of(path, record) is not None:
        return None
    context.log(from_record(record))
    return record


def damage_of(path: Path, record: Record) -> str | None:
    """Why the single values next to the ``record`` at ``path`` are not those that it was made of; None where they are.

    The report needs them, so that a record without them is no answer.
    """
    if record.samples is None:
        return None
    try:
        table = read_samples(path, record)
    except RequestError as error:
        return str(error)
    for value in record.values:
        if value.quantity not in table:
            continue
        column = table[value.quantity].dropna()
        close = (
            math.isclose(found, value.value, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
            for found in (column.mean(), column.max())
        )
        if len(column) != value.n or not any(close):
            return f"'{record.samples}' does not hold the {value.n} values of '{value.quantity}'"
    return None


def say_damage(path: Path, context: Context) -> None:
    """Say that what is recorded at ``path`` is measured again for want of its single values."""
    if context.again or not path.exists():
        return
    record = read_record(path)
    damage = damage_of(path, record)
    if damage is not None:
        context.log(f"{record.tokenizer.name}: measured again, since {damage}")


def from_record(record: Record) -> str:
    """The sentence which says that a result was not measured now."""
    measured = "" if record.provenance is None else f" of {record.provenance.started:%Y-%m-%d %H:%M} UTC"
    return f"{record.tokenizer.name}: from a record{measured}; --again measures it anew"
