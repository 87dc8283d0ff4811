"""Per-image results on their way: kept at once, bit for bit, and never of another request."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.measure.journal import Journal

ENTRIES: list[dict[str, Any]] = [
    {"image": "a", "psnr": 0.1 + 0.2},
    {"image": "Bäume\u2028\n", "psnr": 1e-308},
    {"image": "c", "psnr": 1 / 3},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "study" / "t.partial.jsonl"
    journal = Journal(path, "key")
    for entry in ENTRIES:
        journal.append(entry)
    return path


def test_what_was_appended_is_read_back_bit_for_bit(path: Path) -> None:
    assert list(Journal(path, "key").entries.values()) == ENTRIES


def test_a_value_that_is_no_number_is_read_back(path: Path) -> None:
    Journal(path, "key").append({"image": "small", "ssim": math.nan})
    assert math.isnan(Journal(path, "key").entries["small"]["ssim"])


def test_each_entry_is_on_the_disk_at_once(path: Path) -> None:
    before = path.stat().st_size
    Journal(path, "key").append({"image": "d"})
    assert path.stat().st_size > before


def test_a_journal_of_another_request_is_started_over(path: Path) -> None:
    assert Journal(path, "other").entries == {}
    assert Journal(path, "key").entries == {}


@pytest.mark.parametrize("lost", [1, 2, 10])
def test_a_line_that_was_cut_short_is_dropped_and_the_next_one_whole(path: Path, lost: int) -> None:
    path.write_bytes(path.read_bytes()[:-lost])
    journal = Journal(path, "key")
    assert list(journal.entries.values()) == ENTRIES[:-1]
    journal.append(ENTRIES[-1])
    assert list(Journal(path, "key").entries.values()) == ENTRIES


@pytest.mark.parametrize("content", [b"", b"{", b"\0\0\0\n", b'{"key": "ke'], ids=["empty", "cut", "nul", "cut-key"])
def test_a_journal_without_a_whole_first_line_is_started_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert Journal(path, "key").entries == {}


def test_removing_leaves_nothing(path: Path) -> None:
    Journal(path, "key").remove()
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_one_sentence_and_loses_no_earlier_image(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path, "key")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RequestError, match=r"cannot write .*t\.partial\.jsonl': No space left"):
            journal.append({"image": "d"})
    assert list(Journal(path, "key").entries.values())[: len(ENTRIES)] == ENTRIES
