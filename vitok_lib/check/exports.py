"""Whether each table of an exported file holds one protocol, as ``vitok export`` wrote it, also after it was edited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vitok_lib.records.export import EVIDENCE
from vitok_lib.records.export_files import TITLES, Cells, read

_OF_A_TABLE = ("images", "size", "machine")
_OF_A_METRIC = ("n", "signature", "unit")


def audit_export(path: Path) -> list[str]:
    """Every finding about the file, a sentence each.

    Raises:
        RequestError: the file cannot be read, or is no export.
    """
    tables = read(path)
    findings = [f"{place} of '{path}' {finding}" for place, rows in tables.items() for finding in _findings(rows)]
    rows = [row for table in tables.values() for row in table]
    for dataset in dict.fromkeys(row.get("dataset") for row in rows):
        if dataset is not None:
            of_one = [row for row in rows if row["dataset"] == dataset]
            findings += [f"data set '{dataset}' of '{path}' {finding}" for finding in _mixed(of_one, "images", "")]
    return findings


def _findings(rows: Sequence[Cells]) -> Iterator[str]:
    for number, row in enumerate(rows, 1):
        for column in ("tokenizer", "metric", "images", "size"):
            if not row[column]:
                yield f"states no {TITLES[column]} in row {number}"
        if row["evidence"] not in EVIDENCE:
            yield f"holds a value in row {number} whose evidence is '{row['evidence']}', and not measured or derived"
    for column in _OF_A_TABLE:
        yield from _mixed(rows, column, "")
    for metric in dict.fromkeys(row["metric"] for row in rows):
        for column in _OF_A_METRIC:
            yield from _mixed([row for row in rows if row["metric"] == metric], column, f" of '{metric}'")


def _mixed(rows: Sequence[Cells], column: str, of: str) -> Iterator[str]:
    """The finding that ``rows`` are not equal in ``column``."""
    held = list(dict.fromkeys(row[column] for row in rows))
    if len(held) > 1:
        shown = ", ".join(f"'{text}'" if text else "none" for text in held)
        yield f"mixes protocols: {TITLES[column]}{of} is {shown}"
