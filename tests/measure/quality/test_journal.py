"""Results on their way: kept at once, bit for bit, by one process at a time, and never of another request."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.measure.quality.journal import Journal

BATCHES: list[dict[str, dict[str, Any]]] = [
    {"a": {"psnr": 0.1 + 0.2}, "b": {"psnr": 1e-308}},
    {"Bäume\u2028\n": {"psnr": 1 / 3}},
    {"d": {"error": "cannot be read"}},
]
RESULTS = {image: result for batch in BATCHES for image, result in batch.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "study" / "t.partial.jsonl"
    with Journal(path, "key") as journal:
        for batch in BATCHES:
            journal.append(batch)
    return path


def _read(path: Path, key: str = "key") -> dict[str, dict[str, Any]]:
    with Journal(path, key) as journal:
        return journal.results


def test_what_was_appended_is_read_back_bit_for_bit(path: Path) -> None:
    assert _read(path) == RESULTS


def test_a_value_that_is_no_number_is_read_back(path: Path) -> None:
    with Journal(path, "key") as journal:
        journal.append({"small": {"ssim": math.nan}})
    assert math.isnan(_read(path)["small"]["ssim"])


def test_each_batch_is_on_the_disk_at_once(path: Path) -> None:
    with Journal(path, "key") as journal:
        before = path.stat().st_size
        journal.append({"e": {}})
        assert path.stat().st_size > before


def test_a_journal_of_other_work_is_started_over(path: Path) -> None:
    assert _read(path, "other") == {}
    assert _read(path) == {}


def test_a_crash_keeps_the_whole_of_a_batch_or_nothing(path: Path) -> None:
    content = path.read_bytes()
    whole = [0, *(index + 1 for index, byte in enumerate(content) if byte == ord("\n"))]
    kept = [{image for batch in BATCHES[:count] for image in batch} for count in range(len(BATCHES) + 1)]
    for cut in range(whole[1], len(content) + 1):
        path.write_bytes(content[:cut])
        lines = sum(end <= cut for end in whole[1:])
        assert set(_read(path)) == kept[lines - 1], f"cut at byte {cut}"


def test_what_follows_a_cut_line_is_whole(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])
    with Journal(path, "key") as journal:
        journal.append(BATCHES[-1])
    assert _read(path) == RESULTS


@pytest.mark.parametrize("content", [b"", b"{", b"\0\0\0\n", b'{"key": "ke', b"[]\n"], ids=str)
def test_a_journal_without_a_whole_first_line_is_started_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert _read(path) == {}


def test_forgotten_failures_stay_forgotten_and_values_stay(path: Path) -> None:
    with Journal(path, "key") as journal:
        journal.forget_failures()
        assert "d" not in journal.results
    assert _read(path) == {image: result for image, result in RESULTS.items() if image != "d"}


def test_the_seconds_of_a_batch_are_shared_by_its_images_and_read_back(path: Path) -> None:
    with Journal(path, "key") as journal:
        journal.append({"e": {}, "f": {}}, seconds=3.0)
    with Journal(path, "key") as journal:
        assert journal.seconds == {**dict.fromkeys(RESULTS, 0.0), "e": 1.5, "f": 1.5}


def test_a_smaller_batch_is_remembered(path: Path) -> None:
    with Journal(path, "key") as journal:
        assert journal.batch_limit is None
        journal.limit_batch(4)
        journal.limit_batch(2)
    with Journal(path, "key") as journal:
        assert journal.batch_limit == 2


def test_removing_leaves_nothing(path: Path) -> None:
    with Journal(path, "key") as journal:
        journal.remove()
    assert list(path.parent.iterdir()) == []


def test_work_that_came_to_nothing_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestError), Journal(tmp_path / "t.partial.jsonl", "key"):
        raise RequestError("the weights of a metric are not here")
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_waits_until_the_first_is_done_and_says_so(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from vitok_lib.measure.quality.journal import Journal\n"
        "with Journal(Path(sys.argv[1]), 'key') as journal: print(sorted(journal.results), flush=True)"
    )
    with Journal(path, "key") as journal:
        second = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stderr is not None
        assert second.stderr.readline() == "vitok: another process is measuring 't'; waiting for it\n"
        journal.append({"last": {}})
    out, _ = second.communicate(timeout=30)
    assert out.strip() == str(sorted([*RESULTS, "last"]))


def test_a_full_disk_is_one_sentence_and_loses_no_earlier_image(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(path, "key") as journal, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RequestError, match=r"cannot write .*t\.partial\.jsonl': No space left"):
            journal.append({"e": {}})
    assert RESULTS.items() <= _read(path).items()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="cannot write"), Journal(tmp_path / "file" / "t.jsonl", "key"):
        pass


def test_an_interrupt_while_the_first_batch_is_written_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, batch, synced = tmp_path / "a.partial.jsonl", {"a": {"psnr": 1.0}}, os.fsync

    def interrupted(descriptor: int) -> None:
        synced(descriptor)
        raise KeyboardInterrupt

    def append() -> None:
        with Journal(path, "key") as journal, monkeypatch.context() as patched:
            patched.setattr(os, "fsync", interrupted)
            journal.append(batch)

    with pytest.raises(KeyboardInterrupt):
        append()
    assert _read(path) == batch
