"""The records as the report sees them: each with its study, its file, and the name by which a page asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vitok_lib.errors import RequestError, nearest
from vitok_lib.records.schema import Kind, Record, Value
from vitok_lib.records.store import iterate, read_samples, slug
from vitok_lib.report.data.requested import requested

if TYPE_CHECKING:
    import pandas as pd

_DRAWN_SIZE = re.compile(r"(\d+)x(\d+) px as drawn")


@dataclass(frozen=True)
class Entry:
    """One record and where it lies: ``results/<study>/<benchmark>-<resolution>/<stem>.json``."""

    study: str
    path: Path
    record: Record

    @property
    def stem(self) -> str:
        """The file's name without ``.json``: the tokenizer and what differs from the default settings."""
        return self.path.name.removesuffix(".json")

    @property
    def case(self) -> str:
        """Benchmark and resolution, such as ``photos-512``."""
        return case_of(self.record.benchmark, self.record.resolution)

    @property
    def name(self) -> str:
        """The name by which a page asks for this very record: ``<study>/<case>/<stem>``."""
        return f"{self.study}/{self.case}/{self.stem}"

    @property
    def anchor(self) -> str:
        """The id of this record's entry on the page of runs."""
        return "record-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower())

    @property
    def origin(self) -> str:
        """Who the numbers come from: the source of a published record, the study of any other."""
        return self.record.source.name if self.record.source else self.study

    @property
    def source_title(self) -> str:
        """The title of a published record's source; of any other its study."""
        return self.record.source.title if self.record.source else self.study

    @property
    def published(self) -> bool:
        return self.record.source is not None

    @property
    def measured(self) -> bool:
        """Whether something ran; a prediction is neither measured nor published."""
        return not self.published and self.record.outcome.kind is Kind.MEASURED

    @property
    def variant(self) -> str:
        """What was asked for beyond the default, such as ``window=64``; the number of images is no setting."""
        return ", ".join(self._settings())

    @property
    def title(self) -> str:
        """The tokenizer and its settings, as prose and figures name them."""
        name = self.record.tokenizer.name
        return f"{name} ({self.variant})" if self.variant else name

    @property
    def names(self) -> set[str]:
        """What a page may call this record by: its file's name, or without its number of images; with its study or not.

        A name such as ``jpeg:q=75`` is no file name: the record is found by it as by ``jpeg_q_75``.
        """
        settings = ",".join([*([self.origin] if self.published else []), *self._settings()])
        tokenizer = self.record.tokenizer.name
        stems = {self.stem, *("@".join(filter(None, (name, settings))) for name in (slug(tokenizer), tokenizer))}
        return {f"{prefix}{self.case}/{stem}" for prefix in (f"{self.study}/", "") for stem in stems}

    @property
    def row(self) -> tuple[str, str]:
        """What sets a row of a table apart; sources may differ in sample count within one row, measurements not."""
        samples = self.record.images.requested_samples
        subset = [] if samples is None else [f"samples={samples}"]
        return self.record.tokenizer.name, ", ".join([*self._settings(), *subset])

    def _settings(self) -> list[str]:
        """The parts of a file name that say what was asked for."""
        record = self.record
        limit = record.settings.memory_limit_gib
        drawn = _DRAWN_SIZE.match(record.images.rule)
        height, width = (int(drawn[1]), int(drawn[2])) if drawn else (record.resolution, record.resolution)
        suffix = requested(record).suffix(
            record.tokenizer.weights,
            size=None if height == width else f"{height}x{width}",
            limit=None if limit is None else f"{limit:g}GiB",
            **(record.arguments or {}),
        )
        return suffix.split(",") if suffix else []

    @property
    def samples_path(self) -> Path | None:
        """The Parquet file with the values of each image, or None where the record has none."""
        return self.path.parent / self.record.samples if self.record.samples else None

    @cached_property
    def per_image(self) -> pd.DataFrame:
        """The values of each image: a column ``image`` and one a quantity.

        Raises:
            RequestError: the record has no such file, or the file is missing or unreadable.
        """
        if self.samples_path is None:
            raise RequestError(f"record '{self.name}' holds no values of single images")
        return read_samples(self.path, self.record)

    def value(self, quantity: str) -> Value:
        """The record's value of ``quantity``.

        Raises:
            RequestError: the record has none.
        """
        value = self.record.value(quantity)
        if value is None:
            held = ", ".join(value.quantity for value in self.record.values) or "none"
            raise RequestError(f"record '{self.name}' has no quantity '{quantity}'; it has: {held}")
        return value

    def by_count(self, quantity: str) -> dict[int | None, Value]:
        """The values of ``quantity`` by n: the record's own, and those over its first images for smaller n."""
        held = [value for value in self.record.smaller_n if value.quantity == quantity]
        own = self.record.value(quantity)
        return {value.n: value for value in (*held, *([own] if own else []))}


def case_of(benchmark: str, resolution: int) -> str:
    return f"{benchmark}-{resolution}"


def load() -> list[Entry]:
    """Every record, in the order in which studies take precedence.

    Raises:
        RequestError: a file is no valid record.
    """
    return [Entry(path.parent.parent.name, path, record) for path, record in iterate()]


def preferred(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each case and stem: the first, which in the order of ``load`` takes precedence."""
    chosen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        chosen.setdefault((entry.case, entry.stem), entry)
    return list(chosen.values())


def of_case(entries: Iterable[Entry], case: str) -> list[Entry]:
    """The preferred entries of one benchmark and resolution, such as ``photos-512``.

    Raises:
        RequestError: there is none.
    """
    entries = list(entries)
    found = preferred(entry for entry in entries if entry.case == case)
    if not found:
        raise RequestError(
            f"no record of '{case}'; {nearest(case, {entry.case for entry in entries})}", code="no-record"
        )
    return found


def find(entries: Iterable[Entry], name: str) -> Entry:
    """The entry of ``[<study>/]<case>/<stem>``; without a study, the first, in the order of ``load``.

    Raises:
        RequestError: there is no such record; the message names the nearest.
    """
    ordered = list(entries)
    exact = [entry for entry in ordered if name in (entry.name, f"{entry.case}/{entry.stem}")]
    found = exact or [entry for entry in ordered if name in entry.names]
    if not found:
        raise RequestError(
            f"no record '{name}'; {nearest(name, {known for entry in ordered for known in entry.names})}",
            code="no-record",
        )
    return found[0]


def natural(text: str) -> list[tuple[bool, int, str]]:
    """A sort key by which ``f16x64`` comes before ``f16x128``."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", text)]
