"""What was asked for in a record, also in one that does not keep it: its command says so too, and is read apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitok_lib.measure.common.reproduce import parse
from vitok_lib.project import ROOT
from vitok_lib.records.store import read_record
from vitok_lib.report.data.requested import requested

RECORDS = sorted((ROOT / "results").glob("[!p]*/[!v]*/*.json"))
OLDER = [path for path in RECORDS if read_record(path).requested is None]


def test_there_are_records_that_do_not_keep_what_was_asked_for() -> None:
    assert OLDER


@pytest.mark.parametrize("path", OLDER, ids=lambda path: path.stem)
def test_an_older_record_gives_the_configuration_of_its_command(path: Path) -> None:
    record = read_record(path)
    assert record.provenance is not None
    found = requested(record)
    asked = [
        config
        for config in parse(record.provenance.command).configs
        if (config.name, config.preset) == (found.name, found.preset)
    ]
    assert [found] == asked


def test_a_record_that_keeps_it_gives_it_unchanged() -> None:
    kept = [read_record(path) for path in RECORDS if path not in OLDER]
    assert kept
    assert all(requested(record) is record.requested for record in kept)
