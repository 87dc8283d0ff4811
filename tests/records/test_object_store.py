"""Results at a URL: what names no store is refused without repeating a secret; a folder needs no package for stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from vitok_lib.cli.app import main
from vitok_lib.errors import RequestError
from vitok_lib.records.store import atomic, read_records, record_files, remove, results_root

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "url", [f"s3://key:{SECRET}@bucket/x", f"s3://bucket/x?X-Amz-Signature={SECRET}", f"gs://{SECRET}@bucket/x"]
)
def test_a_url_with_credentials_is_refused_and_not_repeated(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("eval", "merge"):
        words = ["vitok", command, "jpeg", "--images", "photos", "--resolution", "32", "--results", url]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = "".join(capsys.readouterr())
        assert "leave them out" in said
        assert SECRET not in said


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sftp://host/x", "only object stores write whole or not at all"),
        ("s3://", "name no bucket"),
        ("memory:///", "name no bucket"),
        ("memory://bucket/runs[1]", "name one folder"),
        ("memory://bucket/*/x", "name one folder"),
        ("gs://bucket/x", "pip install gcsfs"),
        ("s3://bucket/x", r"pip install 'vitok-lib\[store\]'"),
    ],
)
def test_what_is_no_store_here_is_one_sentence(url: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    monkeypatch.setenv("VITOK_RESULTS", url)
    with pytest.raises(RequestError, match=sentence):
        results_root()


def test_a_file_is_in_the_store_once_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITOK_RESULTS", "memory://whole/results")
    path = results_root() / "local" / "photos-32" / "x.json"
    objects = fsspec.filesystem("memory")
    with pytest.raises(UnicodeEncodeError), atomic(path) as temporary:
        temporary.write_text("{\udcff", encoding="utf-8")
    assert objects.find("/whole") == []
    with atomic(path) as temporary:
        temporary.write_text("{}")
        assert objects.find("/whole") == []
    assert objects.cat_file("/whole/results/local/photos-32/x.json") == b"{}"
    assert record_files() == [path]
    objects.pipe_file("/whole/results/local/photos-32/y.json", b"[]")  # another process does so
    objects.pipe_file("/whole/results/local/photos-32/x.json", b"{ }")
    assert [file.name for file in record_files()] == ["x.json", "y.json"]
    assert path.read_bytes() == b"{ }"
    remove([path])
    remove([path])
    assert objects.find("/whole") == ["/whole/results/local/photos-32/y.json"]


def test_the_command_that_is_recorded_does_not_name_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    words = ["vitok", "eval", "jpeg:q=50", "--images", str(tmp_path), "--resolution", "32", "--json"]
    monkeypatch.setattr("sys.argv", [*words, "--results", "memory://recorded/results"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["n"] == 1
    (record,) = read_records()
    assert record.provenance is not None
    assert "recorded" not in record.provenance.command
    objects = fsspec.filesystem("memory")
    written = objects.cat(objects.find("/recorded"))
    assert sorted(Path(name).suffix for name in written) == [".json", ".parquet"]
    assert not any(b"memory:" in body for body in written.values())


def test_a_folder_is_read_without_the_packages_of_stores(results: Path) -> None:
    program = (
        "import sys; from vitok_lib.records.store import record_files; record_files()\n"
        "assert not {'fsspec', 's3fs'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, "VITOK_RESULTS": str(results)}, check=True)
