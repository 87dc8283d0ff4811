"""Whether the tables of the summary hold released models and codecs alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vitok_lib.check.statements import RECORD_LINK, Statement, statements
from vitok_lib.report.data.record_view import Entry
from vitok_lib.tokenizers.codec_names import is_codec
from vitok_lib.tokenizers.registry import REGISTRY

SUMMARY = "index.html"
MODELS = ("Model", "Tokenizer")
"""The heading of a column of names."""


def of_no_released_model(site: Path, entries: Sequence[Entry]) -> Iterator[str]:
    """A sentence for each row of the summary that names a tokenizer which is neither released nor a codec."""
    names = {entry.anchor: entry.record.tokenizer.name for entry in entries}
    for statement in statements(site / SUMMARY):
        if statement.table is not None:
            for name in dict.fromkeys(name for name in _named(statement, names) if not _released(name)):
                yield f"page '{SUMMARY}' has a row of '{name}', which is no released model: move it to another page"


def _named(row: Statement, names: Mapping[str, str]) -> Iterator[str]:
    for mark in row.marks:
        if RECORD_LINK in mark.classes and mark.anchor in names:
            yield names[mark.anchor]
    words = [cell.split() for cell in row.cells]
    for index, cell in enumerate(words):
        listed = bool(row.heads) and index < len(row.heads) and row.heads[index].strip() in MODELS
        if cell and (listed or cell[0] in REGISTRY):
            yield cell[0]


def _released(name: str) -> bool:
    entry = REGISTRY.get(name)
    return is_codec(name) or (entry is not None and entry.repository is not None)
