"""What ``vitok check`` runs, in order: records, claims, the prose of the pages, and the built book."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vitok_lib.check.prose import typed_in
from vitok_lib.check.rankings import across_rates
from vitok_lib.check.records import audit_records
from vitok_lib.check.site import behind
from vitok_lib.check.summary import of_no_released_model
from vitok_lib.errors import RequestError
from vitok_lib.project import ROOT
from vitok_lib.report.claims.judge import evaluate_claims
from vitok_lib.report.claims.verdict import EvaluatedClaim
from vitok_lib.report.data.record_view import Entry, load

SITE = ROOT / "_build" / "html"
BOOK = ROOT / "book"


@dataclass
class Checked:
    """What was looked at, and a sentence for each finding."""

    looked_at: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        count = len(self.findings)
        return f"checked {', '.join(self.looked_at)}: {count} {'finding' if count == 1 else 'findings'}"


def check(site: Path | None = None, book: Path = BOOK) -> Checked:
    """Audit everything; ``site`` is the built book, by default that of this clone where there is one.

    Raises:
        RequestError: there is no record to audit, or no book in the folder that was asked for.
    """
    checked = Checked()
    checked.findings += audit_records()
    entries = _entries(checked)
    evaluated = _claims(checked, entries)
    if book.is_dir():
        checked.looked_at.append("the prose of the pages")
        checked.findings += typed_in(book)
    if site is not None or (SITE / "index.html").is_file():
        built = site or SITE
        checked.looked_at.append(f"the book in '{built}'")
        checked.findings += behind(built, evaluated)
        checked.findings += [*across_rates(built, entries), *of_no_released_model(built, entries)]
    else:
        checked.looked_at.append("no built book, since there is none")
    checked.findings = list(dict.fromkeys(checked.findings))
    return checked


def _entries(checked: Checked) -> list[Entry]:
    """The records as the report reads them; none, with a finding that says why, where it cannot."""
    try:
        entries = load()
    except RequestError as error:
        checked.findings.append(str(error).replace("\n", " "))
        checked.looked_at.append("the records")
        return []
    checked.looked_at.append(f"{len(entries):,} records")
    return entries


def _claims(checked: Checked, entries: list[Entry]) -> list[EvaluatedClaim] | None:
    """The claims with their verdicts, or None with a finding that says why there are none."""
    if not entries:
        return None
    try:
        evaluated = evaluate_claims(entries)
    except RequestError as error:
        checked.findings.append(str(error).replace("\n", " "))
        return None
    checked.looked_at.append(f"{len(evaluated):,} claims")
    return evaluated
