"""Whether a built book still says what the records say: its records, its pages and the verdicts that they show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

from vitok_lib.errors import RequestError
from vitok_lib.records.store import record_files, results_root
from vitok_lib.report.claims.verdict import EvaluatedClaim
from vitok_lib.report.page.docutils_nodes import RECORDS_FOLDER
from vitok_lib.report.page.seal import ANCHOR, SEAL, VERDICT_CLASS, digest

CLAIMS_PAGE = "claims.html"
_AGAIN = "build the book again"


def behind(site: Path, evaluated: Sequence[EvaluatedClaim] | None) -> list[str]:
    """A sentence for each thing in which ``site`` differs from the records and from the verdicts ``evaluated`` now.

    Raises:
        RequestError: there is no built book in that folder.
    """
    if not (site / "index.html").is_file():
        raise RequestError(f"there is no built book in '{site}'; jupyter-book build book/ makes one")
    findings = [*_records(site), *_pages(site)]
    if evaluated is not None and (site / CLAIMS_PAGE).is_file():
        findings += _verdicts(site / CLAIMS_PAGE, evaluated)
    return findings


def _records(site: Path) -> Iterator[str]:
    root, copies = results_root(), site / RECORDS_FOLDER
    now = {path.relative_to(root): path for path in record_files()}
    built = {path.relative_to(copies): path for path in copies.glob("*/*/*.json")}
    for name in sorted(now.keys() | built.keys()):
        record = name.with_suffix("").as_posix()
        if name not in now:
            yield f"the built book shows record '{record}', which is no longer there: {_AGAIN}"
        elif name not in built:
            yield f"record '{record}' came after the book was built: {_AGAIN}"
        elif digest(now[name]) != digest(built[name]):
            yield f"record '{record}' changed after the book was built, so that its numbers there are stale: {_AGAIN}"


def _pages(site: Path) -> Iterator[str]:
    try:
        sealed = json.loads((site / SEAL).read_text(encoding="utf-8"))
        pages = {str(name): str(found) for name, found in sealed.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        yield f"the built book has no readable '{SEAL}', so that nobody knows whether its pages were changed: {_AGAIN}"
        return
    for name, sealed_digest in pages.items():
        page = site / name
        if not page.is_file():
            yield f"page '{name}' of the built book is gone: {_AGAIN}"
        elif digest(page) != sealed_digest:
            yield f"page '{name}' was changed after it was built, so that what it shows rests on no record: {_AGAIN}"


def _verdicts(page: Path, evaluated: Sequence[EvaluatedClaim]) -> Iterator[str]:
    reader = _VerdictReader()
    reader.feed(page.read_text(encoding="utf-8", errors="replace"))
    now = {item.claim.id: item.verdict.value for item in evaluated}
    for claim in sorted(now.keys() | reader.verdicts.keys()):
        shown, computed = reader.verdicts.get(claim), now.get(claim)
        if shown is None:
            yield f"claim '{claim}' is not on the built page of claims: {_AGAIN}"
        elif computed is None:
            yield f"the built page of claims shows '{claim}', which is no claim: {_AGAIN}"
        elif shown != computed:
            yield f"claim '{claim}' is shown as '{shown}' and its rule now says '{computed}': {_AGAIN}"


class _VerdictReader(HTMLParser):
    """The verdict of each claim, as a page shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: dict[str, str] = {}
        self._claim: str | None = None
        self._within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if found.get("id", "").startswith(ANCHOR):
            self._claim = found["id"].removeprefix(ANCHOR)
        if VERDICT_CLASS in found.get("class", "").split():
            self._within = True

    def handle_data(self, data: str) -> None:
        if self._within and self._claim is not None:
            self.verdicts[self._claim] = data.strip()
        self._within = False
