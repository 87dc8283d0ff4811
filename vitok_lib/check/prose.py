"""Whether a page of the book types a result that it should read from a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.report.page.typed_numbers import sentence, typed_results


def typed_in(folder: Path) -> Iterator[str]:
    """A sentence for each result that a page of the book in ``folder`` types."""
    for path in sorted(folder.glob("*.md")):
        try:
            page = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"page '{path}' cannot be read: {error}") from error
        for result in typed_results(page):
            yield sentence(path.name, result)
