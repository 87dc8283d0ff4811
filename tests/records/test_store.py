"""Records as files: they are written whole or not at all, and read in an order."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vitok_lib.errors import RequestError
from vitok_lib.records import store
from vitok_lib.records.schema import (
    Host,
    ImagesIdentity,
    Kind,
    Outcome,
    OutcomeStatus,
    Provenance,
    Record,
    Settings,
    TokenizerIdentity,
    Value,
    Weights,
)
from vitok_lib.records.store import (
    atomic,
    iterate,
    read_record,
    read_records,
    record_files,
    record_path,
    write_record,
)


def _record(
    name: str = "t",
    resolution: int = 256,
    window: int | None = None,
    status: OutcomeStatus = OutcomeStatus.OK,
    gpu: str | None = None,
) -> Record:
    return Record(
        benchmark="photos",
        resolution=resolution,
        tokenizer=TokenizerIdentity(name=name, family="vitok", weights=Weights(source="random:0")),
        images=ImagesIdentity(name="photos", description="Bäume im Wind", rule="capped"),
        settings=Settings(device="cpu", window=window),
        outcome=Outcome(status=status),
        values=(Value(quantity="psnr", value=1 / 3, unit="dB", kind=Kind.MEASURED),),
        provenance=Provenance(
            command="vitok eval",
            started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            seconds=0.25,
            host=Host(cpu="c", cores=2, memory_gib=8, platform="Linux", python="3.11", gpu=gpu),
        ),
    )


def _write(study: str, record: Record) -> Path:
    path = record_path(study, record.benchmark, record.resolution, record.tokenizer.name)
    write_record(record, path)
    return path


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    write_record(_record(), tmp_path / "a.json")
    assert read_record(tmp_path / "a.json") == _record()


def test_equal_records_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write_record(_record(), tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_writing_what_was_read_gives_the_same_bytes(tmp_path: Path) -> None:
    write_record(_record(), tmp_path / "a.json")
    write_record(read_record(tmp_path / "a.json"), tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with atomic(tmp_path / "new" / "a.json") as temporary:
            temporary.write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        write()
    assert _files(tmp_path / "new") == []


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")

    def write() -> None:
        with atomic(tmp_path / "a.json") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (tmp_path / "a.json").read_text() == "old"
    assert _files(tmp_path) == ["a.json"]


def test_the_old_file_is_whole_until_the_new_one_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    with atomic(tmp_path / "a.json") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.json").read_text() == "old"
    assert (tmp_path / "a.json").read_text() == "new"
    assert _files(tmp_path) == ["a.json"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_record_can_be_read_by_others(tmp_path: Path) -> None:
    write_record(_record(), tmp_path / "a.json")
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("call", ["write_text", "replace", "mkstemp", "mkdir"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS], ids=errno.errorcode.__getitem__)
def test_a_folder_that_takes_no_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "study" / "a.json"
    path.parent.mkdir()
    path.write_text("old")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    owner = {"write_text": Path, "mkdir": Path, "replace": os, "mkstemp": store.tempfile}[call]
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, refuse)
        with pytest.raises(RequestError) as caught:
            write_record(_record(), path)
    assert str(caught.value).startswith(f"cannot write '{path}': {os.strerror(number)}; ")
    assert "VITOK_RESULTS" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert _files(path.parent) == ["a.json"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(RequestError, match="Permission denied"):
        write_record(_record(), tmp_path / "locked" / "a.json")


def test_a_file_in_the_way_of_the_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RequestError, match=r"cannot write .*results' is no folder"):
        write_record(_record(), tmp_path / "results" / "local" / "a.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"resolution": 256', '"resolution": "wide"'), "resolution: "),
        (('"status": "ok"', '"status": "fine"'), "outcome.status: "),
        (('"unit": "dB"', '"units": "dB"'), r"values.0.unit"),
        (('"benchmark"', '"benchmrk"'), "benchmark: Field required"),
    ],
    ids=["type", "choice", "nested", "missing"],
)
def test_an_invalid_record_names_file_and_field(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "a.json"
    write_record(_record(), path)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    with pytest.raises(RequestError) as caught:
        read_record(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"], ids=["empty", "cut", "no-text", "list"])
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"a\.json' is not valid: the file: "):
        read_record(path)


def test_studies_come_as_own_gpus_from_new_to_old_others_cpu_published() -> None:
    gpus = {
        "big": "NVIDIA B200",
        "a": "NVIDIA GH200 480GB",
        "z": "NVIDIA L40",
        "c": "NVIDIA H100 80GB HBM3",
        "d": "NVIDIA A10",
        "b": "NVIDIA A100-SXM4-80GB",
        "e": "Invented GPU",
    }
    without = ("published", "zebra", "cpu", "alpha", "local")
    for study in (*without, *gpus):
        _write(study, _record(gpu=gpus.get(study)))
    found = [path.parts[-3] for path, _ in iterate()]
    assert found == ["local", "big", "a", "z", "c", "d", "b", "e", "alpha", "zebra", "cpu", "published"]


def test_records_of_a_study_come_by_path() -> None:
    for name, resolution in (("b", 256), ("a", 512), ("a", 256)):
        _write("cpu", _record(name, resolution))
    found = [(record.resolution, record.tokenizer.name) for record in read_records("cpu")]
    assert found == [(256, "a"), (256, "b"), (512, "a")]


def test_one_study_may_be_asked_for() -> None:
    _write("cpu", _record("a"))
    _write("local", _record("b"))
    assert [record.tokenizer.name for record in read_records("cpu")] == ["a"]


@pytest.mark.parametrize("field", ["", '"what_is_not_known_yet": 1, '])
def test_a_record_of_a_newer_version_is_one_sentence(tmp_path: Path, field: str) -> None:
    path = tmp_path / "a.json"
    write_record(_record(), path)
    path.write_text(path.read_text().replace('"schema_version": 1', f'{field}"schema_version": 2'))
    with pytest.raises(RequestError, match=r"a\.json' was written by a newer vitok-lib .* update vitok-lib"):
        read_record(path)


def test_a_study_is_read_by_the_name_it_was_written_with() -> None:
    _write("my study", _record("a"))
    assert [record.tokenizer.name for record in read_records("my study")] == ["a"]


def test_no_results_are_no_records() -> None:
    assert read_records() == []
    assert read_records("cpu") == []


def test_what_is_beside_a_record_is_no_record() -> None:
    path = _write("cpu", _record())
    path.with_suffix(".partial.jsonl").write_text("{")
    path.with_suffix(".parquet").write_bytes(b"PAR1")
    assert len(read_records()) == 1


@pytest.mark.parametrize(
    ("equal", "expected"),
    [
        ({"tokenizer": "a"}, 2),
        ({"tokenizer": "a", "resolution": 256}, 1),
        ({"window": 64}, 1),
        ({"outcome": "oom"}, 1),
        ({"images": "photos", "benchmark": "photos", "family": "vitok"}, 3),
        ({"source": None}, 3),
        ({"tokenizer": "c"}, 0),
    ],
    ids=str,
)
def test_records_are_chosen_by_equal_fields(equal: dict[str, object], expected: int) -> None:
    for record in (_record("a"), _record("a", 512, window=64), _record("b", status=OutcomeStatus.OOM)):
        _write("cpu", record)
    assert len(read_records(**equal)) == expected


def test_an_unknown_filter_is_named_with_the_known_ones() -> None:
    with pytest.raises(RequestError, match=r"unknown record filter 'tokeniser'; known: .*tokenizer"):
        read_records(tokeniser="a")


def test_hidden_files_and_folders_are_no_records(results: Path) -> None:
    path = _write("local", _record())
    (path.parent / "._x.json").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    for folder in (results / "local" / ".ipynb_checkpoints", results / ".git" / "objects"):
        folder.mkdir(parents=True)
        (folder / "x-checkpoint.json").write_text("{}")
    assert record_files() == [path]
    assert len(read_records()) == 1


@pytest.mark.parametrize("content", [b"{}", b"\xff\xfe", b"", b"[]"])
def test_a_record_that_is_damaged_is_named(results: Path, content: bytes) -> None:
    path = record_path("local", "photos", 512, "x")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(RequestError, match=re.escape(str(path))):
        read_records()


def test_a_record_that_may_not_be_read_is_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write("local", _record())

    def denied(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(RequestError, match=rf"cannot read '{re.escape(str(path))}': Permission denied"):
        read_records()


def test_a_folder_that_may_not_be_entered_is_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write("local", _record())
    listed = Path.iterdir

    def denied(self: Path) -> Iterator[Path]:
        if self == path.parent:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(RequestError, match=re.escape(str(path.parent))):
        read_records()
