"""What a record is: one outcome of one tokenizer under one protocol and one settings.

This module and its room know nothing of torch, so that the report reads records on any machine.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, model_validator

from vitok_lib.records.config import RunConfig, Strict
from vitok_lib.records.config import Settings as Settings
from vitok_lib.records.config import Weights as Weights

SCHEMA_VERSION = 1


class Kind(StrEnum):
    """Where a value comes from; only measured and derived ones may support a conclusion."""

    MEASURED = "measured"
    DERIVED = "derived"
    PUBLISHED = "published"
    ESTIMATED = "estimated"


class OutcomeStatus(StrEnum):
    OK = "ok"
    OOM = "oom"
    TIMEOUT = "timeout"
    ERROR = "error"
    UNSUPPORTED = "unsupported"
    NON_FINITE = "non-finite"


class Interval(Strict):
    """A confidence interval of ``level`` (0.95: 95 %)."""

    low: float
    high: float
    level: float = 0.95
    method: str


class Value(Strict):
    """One number: its unit, its kind, the images it averages over, and the signature of its metric.

    ``place`` is the table or section of the source that prints a published number, and ``at`` the fragment of the
    source's address that leads there.
    """

    quantity: str
    value: float
    unit: str
    kind: Kind
    n: int | None = None
    interval: Interval | None = None
    signature: str | None = None
    place: str | None = None
    at: str | None = None


class TokenizerIdentity(Strict):
    """Which tokenizer: ``downsampling`` in pixels a side, ``compression_ratio`` in pixel values a latent value."""

    name: str
    family: str
    variant: str | None = None
    downsampling: int | None = None
    latent_channels: int | None = None
    parameters: int | None = None
    compression_ratio: float | None = None
    weights: Weights


class ImagesIdentity(Strict):
    """Which images: ``count`` of them in the order of the manifest, ``rule`` by which they got their size.

    ``requested_samples`` is how many were asked for where the set has more; None: all of them.
    ``subset_seed`` is the seed of the order that the first ``count`` were taken in; None: the set's own order.
    ``left_out`` counts the files that the set passed over, by the reason; they are not part of what was measured.
    """

    name: str
    description: str
    count: int | None = None
    manifest_sha256: str | None = None
    rule: str
    requested_samples: int | None = None
    subset_seed: int | None = None
    left_out: dict[str, int] | None = None


class OutOfMemory(Strict):
    """What did not fit and what did: ``requested_bytes`` of the allocation that failed, on ``device``, for
    ``batch`` images of ``height`` × ``width`` pixels; ``fit_*`` describe the largest batch that went through before.
    """

    requested_bytes: int | None = None
    device: str
    batch: int
    height: int
    width: int
    fit_batch: int | None = None
    fit_height: int | None = None
    fit_width: int | None = None


class Outcome(Strict):
    """How the work ended; ``detail`` says in one sentence what happened where there is something to say.

    Of ``total`` images ``done`` have values and ``failed`` ended in an error of their own; None where not counted.
    """

    status: OutcomeStatus = OutcomeStatus.OK
    detail: str | None = None
    kind: Kind = Kind.MEASURED
    total: int | None = None
    done: int | None = None
    failed: int | None = None
    memory: OutOfMemory | None = None


class Host(Strict):
    """The machine and the software: ``memory_gib`` of main memory, GPU fields None without one."""

    cpu: str
    cores: int
    memory_gib: float
    gpu: str | None = None
    driver: str | None = None
    cuda: str | None = None
    platform: str
    python: str
    packages: dict[str, str] = Field(default_factory=dict)


class Provenance(Strict):
    """Where a measurement comes from: ``commit`` of this project's sources and whether they were changed.

    ``started`` is when the last process began that measured a part of it; ``seconds`` are those of all of them.
    """

    commit: str | None = None
    dirty: bool | None = None
    command: str
    notebook: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    started: datetime
    seconds: float
    host: Host


class Source(Strict):
    """Who published a figure that is not ours, and where it can be read.

    ``url`` is a page's address; ``file`` lies in ``repository`` (an address) at ``commit``. ``without_address`` says
    that no public address is known, which a source without one has to say. ``dated`` is the day of ``commit`` and
    ``read`` the day on which it was read.
    """

    name: str
    title: str
    url: str | None = None
    repository: str | None = None
    file: str | None = None
    commit: str | None = None
    dated: date | None = None
    read: date | None = None
    without_address: str | None = None
    note: str | None = None

    @property
    def file_url(self) -> str | None:
        """The address of ``file`` at ``commit``, which later commits do not change; None without all three."""
        if not (self.repository and self.commit and self.file):
            return None
        return f"{self.repository}/blob/{self.commit}/{self.file}"

    @property
    def address(self) -> str | None:
        """Where it can be read: its page, or else its file."""
        return self.url or self.file_url


class Record(Strict):
    """One outcome; a measured record has ``provenance``, a published one ``source``.

    ``samples`` names the Parquet file with the per-image values beside the record. ``smaller_n`` holds the
    distances over the first n images for n below the record's own, since two distances compare at one n alone.
    ``arrays`` holds, for figures, what is a number for each channel of a latent or for each band of a spectrum.
    ``metrics`` holds the signature of every metric that was asked for, also where these images give it no value.
    ``requested`` is the configuration as it was asked for, None in records from before it was kept; ``settings`` is
    what it came to. ``arguments`` holds what a study was asked for beside configuration and images where it differs
    from the usual, such as ``draws``; a file's name says it. ``choices`` says of each setting that was chosen
    automatically what was chosen and why.
    """

    schema_version: int = SCHEMA_VERSION
    benchmark: str
    resolution: int
    tokenizer: TokenizerIdentity
    images: ImagesIdentity
    requested: RunConfig | None = None
    arguments: dict[str, str] | None = None
    settings: Settings
    outcome: Outcome
    values: tuple[Value, ...] = ()
    smaller_n: tuple[Value, ...] = ()
    arrays: dict[str, tuple[float, ...]] | None = None
    metrics: tuple[str, ...] = ()
    choices: dict[str, str] = Field(default_factory=dict)
    samples: str | None = None
    provenance: Provenance | None = None
    source: Source | None = None

    @model_validator(mode="after")
    def _has_an_origin(self) -> Self:
        if (self.provenance is None) == (self.source is None):
            raise ValueError("a record has either a provenance (measured) or a source (published)")
        own = {Kind.MEASURED, Kind.DERIVED}
        for value in (*self.values, *self.smaller_n):
            if (value.kind in own) != (self.source is None):
                raise ValueError(f"value '{value.quantity}' of kind {value.kind} does not fit the record's origin")
        quantities = [value.quantity for value in self.values]
        if len(set(quantities)) != len(quantities):
            raise ValueError("a record holds each quantity once")
        return self

    def value(self, quantity: str) -> Value | None:
        """The value of ``quantity``, or None where the record has none."""
        return next((value for value in self.values if value.quantity == quantity), None)
