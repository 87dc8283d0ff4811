"""The audit of the results folder: each record by itself, and what follows from several of them together.

Each finding is one sentence that names the record. A file that cannot be read is a finding like any other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vitok_lib.check import sums
from vitok_lib.check.record import of_record
from vitok_lib.errors import RequestError
from vitok_lib.metrics.signature import METRICS
from vitok_lib.published.study import PUBLISHED, published_records
from vitok_lib.records.schema import OutcomeStatus, Record
from vitok_lib.records.store import read_record, record_files, results_root

Found = tuple[Path, Record]


def audit_records() -> list[str]:
    """Every finding about the records of this results folder, a sentence each.

    Raises:
        RequestError: there is no results folder, or no record in it.
    """
    root = results_root()
    files = record_files()
    if not files:
        raise RequestError(f"there is no record in '{root}'; set VITOK_RESULTS to the folder that holds the studies")
    found: list[Found] = []
    findings: list[str] = []
    for path in files:
        try:
            found.append((path, read_record(path)))
        except RequestError as error:
            findings.append(str(error).replace("\n", " "))
    for path, record in found:
        findings += [f"record '{_name(path)}' {finding}" for finding in of_record(path, record)]
    findings += _equal_n(found)
    findings += [
        f"records '{_name(first)}' and '{_name(second)}' {finding}" for first, second, finding in sums.of_alike(found)
    ]
    return [*findings, *_left_over(root, found), *_published(root, dict(found))]


def _name(path: Path) -> str:
    return "/".join((*path.parts[-3:-1], path.stem))


def _equal_n(found: Sequence[Found]) -> Iterator[str]:
    """Whether tokenizers of one protocol were measured on equally many images; otherwise one lost some silently."""
    groups: dict[tuple[object, ...], dict[int | None, Path]] = defaultdict(dict)
    for path, record in found:
        if record.source is not None or record.outcome.status != OutcomeStatus.OK:
            continue
        for value in record.values:
            if value.quantity in METRICS:
                images = record.images
                place = (path.parent, images.manifest_sha256, images.rule)
                groups[*place, value.quantity, value.signature].setdefault(value.n, path)
    for (*_, quantity, _), by_count in groups.items():
        if len(by_count) > 1:
            shown = ", ".join(f"n = {n} in '{_name(path)}'" for n, path in by_count.items())
            yield f"'{quantity}' of one protocol rests on different numbers of images: {shown}"


def _left_over(root: Path, found: Sequence[Found]) -> Iterator[str]:
    named = {path.parent / record.samples for path, record in found if record.samples}
    for path in record_files(".parquet"):
        if path not in named:
            yield f"file '{path.relative_to(root)}' belongs to no record"


def _published(root: Path, found: Mapping[Path, Record]) -> Iterator[str]:
    """Whether the published study is what the table of published figures gives."""
    wanted = published_records()
    if not any(path.exists() for path in wanted):
        yield f"study '{PUBLISHED}' is missing from '{root}': python -m vitok_lib.published writes it"
        return
    for path, record in wanted.items():
        if not path.exists():
            yield f"record '{_name(path)}' is missing: python -m vitok_lib.published writes it"
        elif path in found and found[path] != record:
            yield f"record '{_name(path)}' differs from the table of published figures"
    for path in sorted({path for path in record_files() if path.parts[-3] == PUBLISHED} - wanted.keys()):
        yield f"record '{_name(path)}' is in no table of published figures"
